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
    let mut bytes = Vec::new();
    let mut line = 0;
    let mut first = true;
    let cannot_read = || format!("cannot read {}", path.display());
    loop {
        bytes.clear();
        if reader
            .read_until(b'\n', &mut bytes)
            .with_context(cannot_read)?
            == 0
        {
            return Ok(());
        }
        if !bytes.trim_ascii().is_empty() {
            if std::mem::take(&mut first) && leaves_brackets_open(&bytes) {
                reader.read_to_end(&mut bytes).with_context(cannot_read)?;
            }
            each(Message {
                path,
                line,
                timestamp: None,
                bytes: trim_line_end(&bytes),
            })?;
        }
        line += 1;
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
