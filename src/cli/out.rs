//! The one writer of the command line. A reader that has gone away is no error.

use std::io::{self, IsTerminal as _, Write};

use serde::Serialize;

use super::exit::Trouble;

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
pub struct Out {
    stdout: Box<dyn Write + Send>,
    stderr: Box<dyn Write + Send>,
    /// What the person wants to see.
    pub style: Style,
    /// Columns of the progress line that stands now.
    standing: usize,
}

impl std::fmt::Debug for Out {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Out({:?})", self.style)
    }
}

impl Out {
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

    /// A line for people.
    pub fn line(&mut self, text: &str) {
        if !self.style.is_json && !self.style.is_quiet {
            self.clear_progress();
            self.put(&format!("{text}\n"));
        }
    }

    /// A line for people that takes the place of the last one; only for terminals.
    pub fn progress(&mut self, text: &str) {
        if self.style.is_json || self.style.is_quiet {
            return;
        }
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
            warn_of(writeln!(self.stderr, "{text}"));
        }
    }

    /// A trouble: a sentence, and what to do.
    pub fn trouble(&mut self, trouble: &Trouble) {
        self.clear_progress();
        let Trouble { message, advice, .. } = trouble;
        let ending = if message.ends_with(['.', '!', '?', ')']) { "" } else { "." };
        let advice = advice.as_ref().map(|advice| format!("\n{advice}.")).unwrap_or_default();
        warn_of(writeln!(self.stderr, "safelight: {message}{ending}{advice}"));
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
    use std::sync::{Arc, Mutex};

    use super::super::exit::Exit;
    use super::*;

    /// Keeps what is written.
    #[derive(Debug, Clone, Default)]
    pub struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Paper {
        /// What has been written, and then forgotten.
        pub fn take(&self) -> String {
            String::from_utf8(std::mem::take(&mut *self.0.lock().expect("paper"))).expect("text")
        }
    }

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("paper").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// An output on paper: standard output, standard error.
    pub fn on_paper(style: Style) -> (Out, Paper, Paper) {
        let (stdout, stderr) = (Paper::default(), Paper::default());
        (Out::new(Box::new(stdout.clone()), Box::new(stderr.clone()), style), stdout, stderr)
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
        let mut out = Out::new(Box::new(Closed), Box::new(Closed), Style::default());
        out.line("nobody");
        out.progress("reads");
        out.json(&"this");
        out.note("any");
        out.trouble(&Trouble::new(Exit::Internal, "more"));
    }

    #[test]
    fn each_style_says_what_it_should() {
        let say = |style: Style| {
            let (mut out, stdout, stderr) = on_paper(style);
            out.line("line");
            out.note("note");
            out.json(&1);
            out.trouble(&Trouble::new(Exit::Usage, "It broke").advise("Mend it"));
            (stdout.take(), stderr.take())
        };
        let trouble = "safelight: It broke.\nMend it.\n";
        assert_eq!(say(Style::default()), ("line\n1\n".into(), format!("note\n{trouble}")));
        let json = Style { is_json: true, ..Style::default() };
        assert_eq!(say(json), ("1\n".into(), format!("note\n{trouble}")));
        let quiet = Style { is_quiet: true, ..Style::default() };
        assert_eq!(say(quiet), ("1\n".into(), trouble.into()));
    }

    #[test]
    fn a_shorter_progress_line_leaves_nothing_of_a_longer_one() {
        let (mut out, stdout, _stderr) = on_paper(Style { is_terminal: true, ..Style::default() });
        out.progress("12 of 12");
        out.progress("done");
        out.line("end");
        assert_eq!(stdout.take(), "\r12 of 12\rdone    \r    \rend\n");
    }
}
