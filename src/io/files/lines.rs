//! Text: one message a line (NDJSON), or one JSON document, one message.
//!
//! The first line decides: if it leaves brackets open, the text is one document.

use std::io::BufRead;
use std::path::Path;

use anyhow::{Context, Result};

use super::Message;

/// Calls `each` for every message of the text in `reader`, in order; blank lines are none.
///
/// # Errors
///
/// The text cannot be read, which is then said of `path`, or `each` fails.
pub fn messages(
    path: &Path,
    reader: &mut dyn BufRead,
    each: &mut dyn FnMut(Message<'_>) -> Result<()>,
) -> Result<()> {
    let cannot_read = || format!("cannot read {}", path.display());
    let mut first = Vec::new();
    let mut line = 0;
    while first.trim_ascii().is_empty() {
        first.clear();
        let read = reader.read_until(b'\n', &mut first);
        if read.with_context(cannot_read)? == 0 {
            return Ok(());
        }
        line += 1;
    }
    if leaves_brackets_open(&first) {
        reader.read_to_end(&mut first).with_context(cannot_read)?;
    }
    let mut each = |bytes: &[u8], line| match bytes.trim_ascii().is_empty() {
        true => Ok(()),
        false => each(Message {
            path,
            line,
            timestamp: None,
            bytes: trim_line_end(bytes),
        }),
    };
    each(&first, line - 1)?;
    // Of a line that the reader has whole, nothing is copied.
    let mut begun = Vec::new();
    loop {
        let buffer = reader.fill_buf().with_context(cannot_read)?;
        if buffer.is_empty() {
            return each(&begun, line);
        }
        let (taken, rest) = match memchr::memchr(b'\n', buffer) {
            Some(end) => buffer.split_at(end + 1),
            None => (buffer, &[][..]),
        };
        let is_whole = taken.ends_with(b"\n");
        let used = buffer.len() - rest.len();
        if is_whole && begun.is_empty() {
            each(taken, line)?;
        } else {
            begun.extend_from_slice(taken);
            if is_whole {
                each(&begun, line)?;
                begun.clear();
            }
        }
        reader.consume(used);
        line += u64::from(is_whole);
    }
}

fn trim_line_end(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

/// Whether a JSON document that begins in this line goes on in the next.
fn leaves_brackets_open(line: &[u8]) -> bool {
    let mut open = 0_i64;
    let mut in_string = false;
    let mut escaped = false;
    for byte in line {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => open += 1,
            b'}' | b']' if !in_string => open -= 1,
            _ => (),
        }
    }
    open > 0 && !in_string
}
