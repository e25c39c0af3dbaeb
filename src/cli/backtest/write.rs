//! Incidents of a backtest to where they are wanted.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::cli::screen;
use crate::encode::Encoding;
use crate::encode::avro::container::Container;
use crate::incident::Incident;

/// Incidents in one block of an Avro file.
const BLOCK: usize = 100;

/// How a file holds incidents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A JSON object a line.
    Json,
    /// An Avro object container file.
    Avro,
}

impl Format {
    /// What a file of this name holds where nothing else is said.
    pub fn of(path: &Path) -> Format {
        match path.extension().is_some_and(|ending| ending == "avro") {
            true => Format::Avro,
            false => Format::Json,
        }
    }
}

/// Writes incidents to a file; `-`: standard output.
///
/// # Errors
///
/// The file cannot be written.
pub fn to_file(path: &Path, format: Format, incidents: &[Incident]) -> Result<()> {
    let cannot = || format!("cannot write to {}", path.display());
    let mut out: Box<dyn Write> = if path == Path::new("-") {
        Box::new(BufWriter::new(screen::binary_stdout()))
    } else {
        Box::new(BufWriter::new(File::create(path).with_context(cannot)?))
    };
    match format {
        Format::Json => json(&mut *out, incidents),
        Format::Avro => avro(&mut *out, incidents),
    }
    .and_then(|()| out.flush())
    .with_context(cannot)
}

fn json(out: &mut dyn Write, incidents: &[Incident]) -> std::io::Result<()> {
    for incident in incidents {
        out.write_all(&Encoding::Json.encode(incident))?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

fn avro(out: &mut dyn Write, incidents: &[Incident]) -> std::io::Result<()> {
    let (container, head) = Container::begin();
    out.write_all(&head)?;
    for block in incidents.chunks(BLOCK) {
        out.write_all(&container.block(block))?;
    }
    Ok(())
}
