//! The log: a few files of bounded size for the owner alone. It names files and what happened to
//! them, never a secret: whatever looks like one is taken out of every line.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::paths::make_private_dir;
use crate::domain::escape::escape_controls;
use crate::domain::redact::without_secrets;

/// A log file is put aside when it is larger than this, in bytes.
const FILE_LEN_MAX: u64 = 2 << 20;
/// Files put aside beside the current one.
const OLD_FILES_MAX: u32 = 3;
/// Lines that wait for the disk; what comes beyond is lost, for work must not wait for its log.
const LINES_WAITING_MAX: usize = 4_096;

/// Writes what waits when it is dropped.
#[derive(Debug)]
pub struct LogGuard(#[expect(dead_code, reason = "held to write what waits")] Option<Guard>);

type Guard = tracing_appender::non_blocking::WorkerGuard;

/// Where log lines go.
#[derive(Debug, Clone, Copy)]
pub enum Sink<'a> {
    /// The file of this name in this folder.
    File {
        /// The log folder.
        dir: &'a Path,
        /// The file's name without its ending.
        name: &'a str,
    },
    /// Standard error.
    Stderr,
}

/// Starts logging for this process. `verbosity` counts `-v`: 0 is what matters, 1 is what happens,
/// 2 and more is everything.
///
/// # Errors
/// When the log folder or file cannot be made, or logging has begun already.
pub fn start(sink: Sink<'_>, verbosity: u8) -> io::Result<LogGuard> {
    let own = match (sink, verbosity) {
        (Sink::Stderr, 0) => LevelFilter::WARN,
        (Sink::File { .. }, 0) | (Sink::Stderr, 1) => LevelFilter::INFO,
        (Sink::File { .. }, 1) | (Sink::Stderr, 2) => LevelFilter::DEBUG,
        (_, _) => LevelFilter::TRACE,
    };
    // Other libraries say much that is of no use to a person.
    let filter = Targets::new().with_default(LevelFilter::WARN).with_target("safelight", own);
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_ansi(false);
    match sink {
        Sink::Stderr => {
            let lines = lines.with_writer(|| CleanStderr).without_time();
            registry.with(lines).try_init().map_err(io::Error::other)?;
            Ok(LogGuard(None))
        }
        Sink::File { dir, name } => {
            let files = RollingFile::open(dir, name, FILE_LEN_MAX)?;
            let (writer, guard) = tracing_appender::non_blocking::NonBlockingBuilder::default()
                .buffered_lines_limit(LINES_WAITING_MAX)
                .finish(files);
            registry.with(lines.with_writer(writer)).try_init().map_err(io::Error::other)?;
            Ok(LogGuard(Some(guard)))
        }
    }
}

/// Logs panics, so that one in a window or a detached agent leaves a trace.
pub fn log_panics() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tracing::error!("a thread panicked: {panic}");
        default(panic);
    }));
}

/// The end of a log file, at most `len_max` bytes of it; empty where there is none.
pub fn tail(path: &Path, len_max: usize) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    let start = bytes.len().saturating_sub(len_max);
    String::from_utf8_lossy(&bytes[start..]).trim().to_owned()
}

/// A line as it may be kept and shown: without secrets, and one line, whatever the names in it are.
fn clean_line(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let (text, end) = text.strip_suffix('\n').map_or((text.as_ref(), ""), |text| (text, "\n"));
    format!("{}{end}", escape_controls(&without_secrets(text)))
}

/// Standard error, a clean line at a time.
struct CleanStderr;

impl Write for CleanStderr {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        io::stderr().write_all(clean_line(line).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// A file that is put aside when it has grown too large.
struct RollingFile {
    path: PathBuf,
    file: File,
    len: u64,
    len_max: u64,
    /// Lines that could not be written since the last one that could.
    lost: u64,
}

impl RollingFile {
    fn open(dir: &Path, name: &str, len_max: u64) -> io::Result<Self> {
        make_private_dir(dir).map_err(io::Error::other)?;
        let path = dir.join(format!("{name}.log"));
        let file = append_to(&path)?;
        let len = file.metadata()?.len();
        Ok(Self { path, file, len, len_max, lost: 0 })
    }

    fn rotate(&mut self) -> io::Result<()> {
        for age in (1..OLD_FILES_MAX).rev() {
            // A gap in the row is no reason to lose lines.
            std::fs::rename(self.rotated_path(age), self.rotated_path(age + 1)).ok();
        }
        let renamed = std::fs::rename(&self.path, self.rotated_path(1)).and_then(|()| append_to(&self.path));
        match renamed {
            Ok(file) => self.file = file,
            // Where nothing can be put aside, the bound holds all the same: the old lines go.
            Err(_) => self.file.set_len(0)?,
        }
        self.len = 0;
        Ok(())
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if self.len > 0 && self.len.saturating_add(line.len() as u64) > self.len_max {
            self.rotate()?;
        }
        self.file.write_all(line)?;
        self.len += line.len() as u64;
        Ok(())
    }

    fn rotated_path(&self, age: u32) -> PathBuf {
        self.path.with_extension(format!("{age}.log"))
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

impl Write for RollingFile {
    /// A line that cannot be written, as on a full disk, is lost and counted: work must not suffer
    /// from its log.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let clean = clean_line(line);
        if self.lost > 0 {
            let lost = format!("{} lines could not be written here\n", self.lost);
            if self.append(lost.as_bytes()).is_ok() {
                self.lost = 0;
            }
        }
        if self.append(clean.as_bytes()).is_err() {
            self.lost = self.lost.saturating_add(1);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn old_lines_go_and_new_ones_stay() {
        let dir = tempfile::tempdir().expect("temp");
        let logs = dir.path().join("log");
        let mut file = RollingFile::open(&logs, "agent", 64).expect("open");
        for n in 0..100 {
            writeln!(file, "line {n:03} of a hundred").expect("write");
        }
        let mut names: Vec<String> = std::fs::read_dir(&logs)
            .expect("list")
            .map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        assert_eq!(names, ["agent.1.log", "agent.2.log", "agent.3.log", "agent.log"]);
        for name in names {
            let meta = std::fs::metadata(logs.join(name)).expect("meta");
            assert!(meta.len() <= 64);
            assert_eq!(meta.permissions().mode() & 0o777, 0o600);
        }
        assert!(tail(&logs.join("agent.log"), 23).ends_with("line 099 of a hundred"));
        assert_eq!(tail(&logs.join("none.log"), 23), "");
    }

    #[test]
    fn a_name_cannot_forge_a_line() {
        let dir = tempfile::tempdir().expect("temp");
        let mut file = RollingFile::open(dir.path(), "agent", 1_000).expect("open");
        let line = "cannot read a\u{1b}[31m\nERROR forged.jpg\n";
        file.write_all(line.as_bytes()).expect("write");
        let text = tail(&dir.path().join("agent.log"), 1_000);
        assert_eq!(text, r"cannot read a\u{1b}[31m\nERROR forged.jpg");
    }

    #[test]
    fn secrets_do_not_get_into_a_line() {
        let dir = tempfile::tempdir().expect("temp");
        let mut file = RollingFile::open(dir.path(), "agent", 1_000).expect("open");
        writeln!(file, "GET https://ada:hunter2@host/?token=abc refused, Authorization: Bearer xyz")
            .expect("write");
        let text = tail(&dir.path().join("agent.log"), 1_000);
        assert_eq!(text, "GET https://(hidden)@host/?(hidden) refused, Authorization: Bearer (hidden)");
    }

    #[test]
    fn a_full_disk_costs_lines_and_says_so_when_there_is_room_again() {
        let dir = tempfile::tempdir().expect("temp");
        let mut file = RollingFile::open(dir.path(), "agent", 1_000).expect("open");
        let good = std::mem::replace(
            &mut file.file,
            OpenOptions::new().append(true).open("/dev/full").expect("full"),
        );
        writeln!(file, "lost").expect("the writer is not told");
        writeln!(file, "lost too").expect("the writer is not told");
        file.file = good;
        writeln!(file, "kept").expect("write");
        let text = tail(&dir.path().join("agent.log"), 1_000);
        assert!(text.ends_with("kept") && text.contains("lines could not be written here"), "{text}");
        assert!(!text.contains("lost too"), "{text}");
    }

    #[test]
    fn a_log_that_cannot_be_put_aside_stays_within_its_bound() {
        let dir = tempfile::tempdir().expect("temp");
        let mut file = RollingFile::open(dir.path(), "agent", 64).expect("open");
        // Nothing can be renamed onto a folder that is not empty.
        std::fs::create_dir_all(dir.path().join("agent.1.log/in the way")).expect("dir");
        std::fs::create_dir_all(dir.path().join("agent.2.log/in the way")).expect("dir");
        std::fs::create_dir_all(dir.path().join("agent.3.log/in the way")).expect("dir");
        for n in 0..100 {
            writeln!(file, "line {n:03} of a hundred").expect("write");
        }
        let text = std::fs::read_to_string(dir.path().join("agent.log")).expect("read");
        assert!(text.len() <= 64 && text.ends_with("line 099 of a hundred\n"), "{text}");
    }
}
