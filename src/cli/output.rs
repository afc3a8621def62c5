//! The one writer of the command line. A reader that has gone away is not an error.
//!
//! What is written for people goes through [`escape_controls`], line by line: names, paths and a server's
//! words cannot colour, move or forge anything on a terminal. JSON is exact.

use std::io::{self, IsTerminal as _, Write};

use serde::Serialize;

use super::exit::CliError;
use crate::domain::escape::escape_controls;

/// What the person wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// JSON instead of sentences.
    pub is_json: bool,
    /// Nothing but errors and JSON results.
    pub is_quiet: bool,
    /// Standard output is a terminal.
    pub is_terminal: bool,
}

/// Standard output and standard error.
pub struct Output {
    stdout: Box<dyn Write + Send>,
    stderr: Box<dyn Write + Send>,
    /// What the person wants to see.
    pub style: Style,
    /// Columns of the progress line that stands now.
    standing: usize,
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Output({:?})", self.style)
    }
}

impl Output {
    /// This process's streams.
    pub fn of_process(is_json: bool, is_quiet: bool) -> Self {
        let is_terminal = io::stdout().is_terminal();
        let style = Style { is_json, is_quiet, is_terminal };
        Self::new(Box::new(io::stdout()), Box::new(io::stderr()), style)
    }

    /// Other streams.
    pub fn new(stdout: Box<dyn Write + Send>, stderr: Box<dyn Write + Send>, style: Style) -> Self {
        Self { stdout, stderr, style, standing: 0 }
    }

    /// A line for people. A line break in it is shown as one, not made.
    pub fn line(&mut self, text: &str) {
        if !self.style.is_json && !self.style.is_quiet {
            self.clear_progress();
            self.put(&format!("{}\n", escape_controls(text)));
        }
    }

    /// Several lines for people.
    pub fn lines(&mut self, lines: impl IntoIterator<Item = String>) {
        lines.into_iter().for_each(|line| self.line(&line));
    }

    /// A line for people that takes the place of the last one; only for terminals.
    pub fn progress(&mut self, text: &str) {
        if self.style.is_json || self.style.is_quiet {
            return;
        }
        let text = escape_controls(text);
        let len = text.chars().count();
        let blank = " ".repeat(self.standing.saturating_sub(len));
        self.put(&format!("\r{text}{blank}"));
        self.standing = len;
    }

    /// One JSON value on a line of its own.
    pub fn json<T: Serialize>(&mut self, value: &T) {
        match serde_json::to_string(value) {
            Ok(text) => self.put(&format!("{text}\n")),
            Err(error) => tracing::error!("a value cannot be shown as JSON: {error}"),
        }
    }

    /// Text on standard output as it is, whatever the style.
    pub fn raw(&mut self, text: &str) {
        self.put(text);
    }

    /// A remark for people beside the output proper.
    pub fn note(&mut self, text: &str) {
        if !self.style.is_quiet {
            self.clear_progress();
            warn_of(writeln!(self.stderr, "{}", escape_controls(text)));
        }
    }

    /// Remarks that the person must see, whatever the style: to standard error.
    pub fn lines_beside(&mut self, lines: impl IntoIterator<Item = String>) {
        self.clear_progress();
        for line in lines {
            warn_of(writeln!(self.stderr, "{}", escape_controls(&line)));
        }
    }

    /// An error: a sentence, what to do, and what the outside said.
    pub fn error(&mut self, error: &CliError) {
        self.clear_progress();
        let CliError { message, advice, details, .. } = error;
        let first = std::iter::once(format!("safelight: {}", with_stop(message)));
        let advice = advice.iter().map(|advice| with_stop(advice));
        for line in first.chain(advice).chain(details.iter().cloned()) {
            warn_of(writeln!(self.stderr, "{}", escape_controls(&line)));
        }
    }

    /// Takes the progress line away, so that something else can stand there.
    pub fn clear_progress(&mut self) {
        if self.standing > 0 {
            let blank = " ".repeat(self.standing);
            self.put(&format!("\r{blank}\r"));
            self.standing = 0;
        }
    }

    fn put(&mut self, text: &str) {
        warn_of(self.stdout.write_all(text.as_bytes()).and_then(|()| self.stdout.flush()));
    }
}

/// The text as a whole sentence.
fn with_stop(text: &str) -> String {
    let ending = if text.ends_with(['.', '!', '?', ')']) { "" } else { "." };
    format!("{text}{ending}")
}

/// A closed pipe is a reader who has seen enough; the work itself goes on.
fn warn_of(written: io::Result<()>) {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            tracing::warn!("the output could not be written: {error}");
        }
        _written_or_closed => {}
    }
}

#[cfg(test)]
pub(super) mod tests {
    use parking_lot::Mutex;
    use std::sync::Arc;

    use super::super::exit::Exit;
    use super::*;

    /// Keeps what is written.
    #[derive(Debug, Clone, Default)]
    pub struct CapturedOutput(Arc<Mutex<Vec<u8>>>);

    impl CapturedOutput {
        /// What has been written, and then forgotten.
        pub fn take(&self) -> String {
            String::from_utf8(std::mem::take(&mut *self.0.lock())).expect("text")
        }
    }

    impl Write for CapturedOutput {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// An output on paper: standard output, standard error.
    pub fn captured_output(style: Style) -> (Output, CapturedOutput, CapturedOutput) {
        let (stdout, stderr) = (CapturedOutput::default(), CapturedOutput::default());
        (Output::new(Box::new(stdout.clone()), Box::new(stderr.clone()), style), stdout, stderr)
    }

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }

    #[test]
    fn a_closed_pipe_ends_nothing() {
        let mut out = Output::new(Box::new(Closed), Box::new(Closed), Style::default());
        out.line("nobody");
        out.progress("reads");
        out.json(&"this");
        out.note("any");
        out.error(&CliError::new(Exit::Internal, "more"));
    }

    #[test]
    fn each_style_says_what_it_should() {
        let say = |style: Style| {
            let (mut out, stdout, stderr) = captured_output(style);
            out.line("line");
            out.note("note");
            out.json(&1);
            out.error(&CliError::new(Exit::Usage, "It broke").advise("Mend it"));
            (stdout.take(), stderr.take())
        };
        let shown = "safelight: It broke.\nMend it.\n";
        assert_eq!(say(Style::default()), ("line\n1\n".into(), format!("note\n{shown}")));
        let json = Style { is_json: true, ..Style::default() };
        assert_eq!(say(json), ("1\n".into(), format!("note\n{shown}")));
        let quiet = Style { is_quiet: true, ..Style::default() };
        assert_eq!(say(quiet), ("1\n".into(), shown.into()));
    }

    #[test]
    fn names_cannot_write_to_the_terminal_and_json_is_exact() {
        let name = "esc\u{1b}[31m\u{1b}]0;title\u{7}\u{202e}\nsafelight: forged.jpg";
        let shown = r"esc\u{1b}[31m\u{1b}]0;title\u{7}\u{202e}\nsafelight: forged.jpg";
        let (mut out, stdout, stderr) = captured_output(Style { is_terminal: true, ..Style::default() });
        out.progress(name);
        out.line(name);
        out.json(&name);
        out.note(name);
        out.error(&CliError::new(Exit::Usage, name).advise(name).explain([name]));
        let said = stdout.take();
        let blank = " ".repeat(shown.chars().count());
        let json = serde_json::to_string(name).expect("json");
        assert_eq!(said, format!("\r{shown}\r{blank}\r{shown}\n{json}\n"));
        assert_eq!(stderr.take(), format!("{shown}\nsafelight: {shown}.\n{shown}.\n{shown}\n"));
    }

    #[test]
    fn a_shorter_progress_line_leaves_nothing_of_a_longer_one() {
        let (mut out, stdout, _stderr) = captured_output(Style { is_terminal: true, ..Style::default() });
        out.progress("12 of 12");
        out.progress("done");
        out.line("end");
        assert_eq!(stdout.take(), "\r12 of 12\rdone    \r    \rend\n");
    }
}
