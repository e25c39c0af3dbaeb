//! `watchfire incidents tail`: what is published, readable.

use std::ops::ControlFlow;
use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum;

use super::settings::Settings;
use super::{log, screen, table};
use crate::encode::json;
use crate::encode::read::IncidentReader;
use crate::escape;
use crate::incident::Incident;
use crate::io::kafka::client::Health;
use crate::io::kafka::tail::{self, Begin, Published, Range};
use crate::io::kafka::topics::Names;

/// Show incidents as they are published.
///
/// With --until-end they are shown in the order in which they were published, else as they come.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    settings: Settings,
    /// Begin with the oldest incident that the topic holds.
    #[arg(long)]
    from_beginning: bool,
    /// End at the end of the topic instead of waiting for more.
    #[arg(long)]
    until_end: bool,
    /// How incidents are shown.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// How incidents are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A row each.
    Table,
    /// A line of JSON each.
    Json,
}

/// Shows incidents until it is interrupted, or the topic ends.
pub fn run(args: &Args) -> Result<ExitCode> {
    let config = match args.settings.load() {
        Ok(config) => config,
        Err(code) => return Ok(code),
    };
    log::start(false)?;
    let health = Health::of(&config);
    let reader = IncidentReader::new()?;
    let range = Range {
        begin: match args.from_beginning {
            true => Begin::Oldest,
            false => Begin::Next,
        },
        until_end: args.until_end,
    };
    let mut show = printer(args.format);
    let topic = Names::of(&config.app).incidents;
    tail::tail(&config, &health, &topic, range, &mut |message| {
        if let Some(incident) = read(&reader, message) {
            show(&incident)?;
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The incident in a message; if there is none, that is said.
pub fn read(reader: &IncidentReader, message: &Published) -> Option<Incident> {
    let read = reader.read(&message.value);
    let read = read.map_err(|why| say_other(message, "an incident", &why.to_string()));
    read.ok()
}

/// Says that a message is not what a topic is for.
pub fn say_other(message: &Published, what: &str, why: &str) {
    let Published {
        partition, offset, ..
    } = message;
    screen::err(format_args!(
        "partition {partition} offset {offset}: not {what}: {}\n",
        escape::value(why)
    ));
}

/// Shows one incident.
type Show = Box<dyn FnMut(&Incident) -> Result<()>>;

fn printer(format: Format) -> Show {
    match format {
        Format::Table => {
            let mut table = table::on_stdout();
            Box::new(move |incident| Ok(table.print(incident)?))
        }
        Format::Json => Box::new(|incident| {
            screen::out(format_args!("{}\n", json::line(incident)))?;
            Ok(())
        }),
    }
}
