//! `watchfire incidents tail`: what is published, readable.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum;
use rdkafka::message::Message as _;

use super::settings::Settings;
use super::{log, table};
use crate::encode::avro::read::Reader;
use crate::encode::json;
use crate::incident::Incident;
use crate::io::client::Health;
use crate::io::tail::{self, Range};

/// Show incidents as they are published.
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

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
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
    let health = Health::new(config.kafka.brokers());
    let reader = Reader::new()?;
    let range = Range {
        from_beginning: args.from_beginning,
        until_end: args.until_end,
    };
    let mut show = printer(args.format);
    tail::tail(&config, &health, range, &mut |message| match reader
        .read(message.payload().unwrap_or_default())
    {
        Ok(incident) => show(&incident),
        Err(why) => {
            eprintln!(
                "{}/{} offset {}: not an incident: {why}",
                message.topic(),
                message.partition(),
                message.offset()
            );
            Ok(())
        }
    })?;
    Ok(ExitCode::SUCCESS)
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
            let mut out = std::io::stdout().lock();
            writeln!(out, "{}", json::line(incident))?;
            Ok(())
        }),
    }
}
