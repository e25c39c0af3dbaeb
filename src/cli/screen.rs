//! Standard output and standard error. Everything that the program writes there goes through this
//! file, so that nothing that was read can act on a terminal, and a reader that goes away, as
//! `head` does, ends a command quietly.

use std::fmt::Arguments;
use std::io::{self, IsTerminal as _, Write};
use std::process::ExitCode;

use crate::escape;
use crate::io::kafka::client;

/// The exit code where nobody reads standard output any more: that of a program which the signal
/// for it has ended (128 + SIGPIPE), as `cat` and `grep` are.
const CLOSED: u8 = 141;

/// Writes a text, of one line or several, to standard output.
///
/// # Errors
///
/// Nobody reads it ([`exit_code`] knows), or it cannot be written.
pub fn out(text: Arguments<'_>) -> io::Result<()> {
    let mut out = stdout();
    out.write_fmt(text)?;
    out.flush()
}

/// Writes a text to standard error. That it cannot be written nobody could be told.
pub fn err(text: Arguments<'_>) {
    let mut err = Lines::new(io::stderr());
    match err.write_fmt(text).and_then(|()| err.flush()) {
        Ok(()) | Err(_) => (),
    }
}

/// Says each problem as an error.
pub fn errors<'p>(problems: impl IntoIterator<Item = &'p String>) {
    for problem in problems {
        err(format_args!("error: {}\n", escape::value(problem)));
    }
}

/// Standard output for text.
pub fn stdout() -> Lines<Out> {
    Lines::new(binary_stdout())
}

/// Standard output for bytes that no terminal is to show, and for what was made for it.
pub fn binary_stdout() -> Out {
    Out(io::stdout())
}

/// Standard error for a log, whose lines are escaped already.
pub fn log_stderr() -> LogErr {
    LogErr(io::stderr())
}

/// Whether standard output is a terminal.
pub fn has_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether text on standard output may be coloured.
pub fn has_coloured_stdout() -> bool {
    has_terminal() && wants_colour()
}

/// Whether text on standard error may be coloured.
pub fn has_coloured_stderr() -> bool {
    io::stderr().is_terminal() && wants_colour()
}

/// Unless the person has asked for none (`NO_COLOR`), or the terminal can show none.
fn wants_colour() -> bool {
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && !is_dumb
}

/// Says that a thread has panicked, and where from if `RUST_BACKTRACE` asks for that. What it says
/// may hold what was read.
pub fn panicked(panic: &std::panic::PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("without a name").to_owned();
    err(format_args!(
        "thread {name} {panic}; this is a bug in watchfire\n"
    ));
    let trace = std::backtrace::Backtrace::capture();
    if trace.status() == std::backtrace::BacktraceStatus::Captured {
        err(format_args!("{trace}\n"));
    }
}

/// What ends the process where a command failed: quietly if nobody reads its output, else with
/// the error.
pub fn exit_code(error: &anyhow::Error) -> ExitCode {
    if is_closed(error) {
        return ExitCode::from(CLOSED);
    }
    let error = client::chain(error);
    let lines: Vec<&str> = error.lines().collect();
    // What comes after a line end that somebody wrote into a name is seen to belong to the error.
    err(format_args!("error: {}\n", lines.join("\n  ")));
    ExitCode::FAILURE
}

/// Whether an error says that nobody reads standard output.
pub fn is_closed(error: &anyhow::Error) -> bool {
    let is_closed = |error: &io::Error| error.get_ref().is_some_and(|inner| inner.is::<Closed>());
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(is_closed))
}

/// Nobody reads standard output: told apart from a file or a connection that is closed.
#[derive(Debug)]
struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("nobody reads the output")
    }
}

impl std::error::Error for Closed {}

/// Standard output.
pub struct Out(io::Stdout);

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(closed)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(closed)
    }
}

fn closed(error: io::Error) -> io::Error {
    match error.kind() == io::ErrorKind::BrokenPipe {
        true => io::Error::new(io::ErrorKind::BrokenPipe, Closed),
        false => error,
    }
}

/// Standard error, which may go away without anybody being the worse for it.
pub struct LogErr(io::Stderr);

impl Write for LogErr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write_all(bytes) {
            Ok(()) | Err(_) => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes text line by line, with what would act on a terminal escaped.
pub struct Lines<W: Write> {
    inner: W,
    /// What is not written yet: lines that are not flushed, and one that has not ended.
    waiting: Vec<u8>,
}

/// Bytes of lines that are written at once.
const TOGETHER: usize = 64 << 10;

impl<W: Write> Lines<W> {
    /// Lines for `inner`.
    pub fn new(inner: W) -> Lines<W> {
        Lines {
            inner,
            waiting: Vec::new(),
        }
    }

    /// Writes text that is known to act as it should: colours.
    pub fn made(&mut self, text: &str) -> io::Result<()> {
        self.write_waiting()?;
        self.inner.write_all(text.as_bytes())
    }

    fn write_waiting(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let waiting = std::mem::take(&mut self.waiting);
        let text = String::from_utf8_lossy(&waiting);
        self.inner.write_all(escape::lines(&text).as_bytes())
    }
}

impl<W: Write> Drop for Lines<W> {
    /// What an error kept from being flushed is still written, as far as that goes.
    fn drop(&mut self) {
        match self.write_waiting() {
            Ok(()) | Err(_) => (),
        }
    }
}

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= TOGETHER && self.waiting.ends_with(b"\n") {
            self.write_waiting()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_waiting()?;
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_a_line_are_escaped_together() {
        let mut all = Vec::new();
        let mut lines = Lines::new(&mut all);
        for piece in [
            &b"::err"[..],
            b"or::x\n",
            b"\xe2\x80",
            b"\xae\x1b",
            b"y\xff\n",
        ] {
            lines.write_all(piece).unwrap();
        }
        lines.flush().unwrap();
        lines.made("\u{1b}[0m").unwrap();
        drop(lines);
        let text = String::from_utf8(all).unwrap();
        assert_eq!(text, "\\u003a:error::x\n\\u202e\\u001by\u{fffd}\n\u{1b}[0m");
    }

    #[test]
    fn only_standard_output_can_be_closed() {
        let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(is_closed(
            &anyhow::Error::from(closed(broken())).context("writing")
        ));
        assert!(!is_closed(&anyhow::Error::from(broken())));
    }
}
