//! What somebody writes to the matches topic who is no worker: nothing, noise, what workers wrote
//! with something in it changed that cannot be, and messages of plans that nobody has.

use watchfire::matches::{self, Input, Message, Section};
use watchfire::record::{Hash, Position};

use crate::rng::Rng;
use crate::world::World;

/// The greatest position that there is.
const GREATEST: Position = Position {
    epoch: u32::MAX,
    offset: i64::MAX,
    index: u32::MAX,
};

/// Bytes that no worker writes.
pub fn message(rng: &mut Rng, world: &World) -> Vec<u8> {
    let Some(bytes) = written(rng, world) else {
        return vec![matches::FORMAT; rng.index(30)];
    };
    match rng.below(8) {
        0 => (0..rng.below(90)).map(|_| rng.below(256) as u8).collect(),
        1 => bytes[..rng.index(bytes.len())].to_vec(),
        2 => [&bytes[..], &[0]].concat(),
        3 => [&[matches::FORMAT + 1], &bytes[1..]].concat(),
        4 => {
            // Fifty bytes that leave nothing of a partition to be said.
            let section = Section {
                source: rng.below(2) as u32,
                partition: rng.below(4) as u32,
                position: GREATEST,
                time: Some(i64::MAX),
                records: Vec::new(),
            };
            let plan = matches::decode(&bytes).expect("a worker's").plan;
            matches::encode(&Message {
                plan,
                sections: vec![section],
            })
        }
        5 => {
            let mut message = matches::decode(&bytes).expect("a worker's");
            message.plan = Hash([rng.below(256) as u8; 16]);
            matches::encode(&message)
        }
        _ => {
            let mut message = matches::decode(&bytes).expect("a worker's");
            let section = rng.index(message.sections.len());
            spoil(rng, &mut message.sections[section]);
            matches::encode(&message)
        }
    }
}

/// A message that a worker wrote and that has a part.
fn written(rng: &mut Rng, world: &World) -> Option<Vec<u8>> {
    let partition = rng.index(world.logs.len());
    let strangers = &world.strangers[partition];
    let log = world.logs[partition].iter().enumerate();
    let written: Vec<_> = log.filter(|(at, _)| !strangers.contains(at)).collect();
    (!written.is_empty()).then(|| rng.choose(&written).1.1.clone())
}

/// Changes something of a part that then cannot be.
fn spoil(rng: &mut Rng, section: &mut Section) {
    let far = *rng.choose(&[i64::MIN, i64::MAX, 1 << 62, -(1 << 60)]);
    match rng.below(6) {
        0 => section.source = 1 + rng.below(1 << 20) as u32,
        1 => section.partition = 8 + rng.below(1 << 20) as u32,
        2 => section.position.epoch += 1,
        3 => section.position.offset = far,
        4 => section.time = Some(far),
        _ => spoil_records(rng, section, far),
    }
}

fn spoil_records(rng: &mut Rng, section: &mut Section, far: i64) {
    let last = section.position;
    let Some(record) = section.records.last_mut() else {
        section.position = GREATEST;
        return;
    };
    let found = record.matches.last_mut().expect("a match");
    let part = found.patterns.last_mut().expect("a pattern");
    match rng.below(8) {
        0 => record.time = far,
        1 => record.position.offset = far,
        2 => {
            let epoch = last.epoch + 1;
            record.position = Position { epoch, ..last };
        }
        3 => found.rule = u32::MAX,
        4 => found.key.push(None),
        5 => part.pattern = 99,
        6 => part.group.push(None),
        _ => part.inputs.push(Input::Float(f64::INFINITY)),
    }
}
