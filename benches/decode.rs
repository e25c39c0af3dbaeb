//! What a byte of messages that are made to cost takes the decoder, as a multiple of what a byte of
//! good messages does; in turns within one process so that all see the same machine.
//!
//! `cargo bench --bench decode --no-default-features [-- ROUNDS]`. Prints, asserts nothing. What is
//! wanted: at most 20 times.

use std::hint::black_box;
use std::time::Instant;

use watchfire::decode::{Decoder, Draft};
use watchfire::generate::costly::FAMILIES;
use watchfire::generate::{Generator, Options};
use watchfire::normalise;

/// 2026-03-01T09:00:00Z.
const TIME: i64 = 1_772_355_600_000;

/// So short that a turn is over before the machine does something else.
const BYTES: usize = 1 << 17;

fn main() {
    let mut rounds = std::env::args().filter_map(|argument| argument.parse().ok());
    let rounds: usize = rounds.next_back().unwrap_or(50);
    let decoder = Decoder::new(&normalise::all());
    let mut generator = Generator::new(1, Options::usual(TIME));
    let mut good: Vec<Vec<u8>> = Vec::new();
    while good.iter().map(Vec::len).sum::<usize>() < BYTES {
        good.push(generator.message().bytes);
    }
    let mut best = vec![f64::MAX; FAMILIES.len()];
    let mut best_good = f64::MAX;
    for _ in 0..rounds {
        best_good = best_good.min(a_byte(&decoder, &good));
        for (best, family) in best.iter_mut().zip(FAMILIES) {
            *best = best.min(a_byte(&decoder, &[family.message(BYTES)]));
        }
    }
    println!("good messages: {best_good:.2} ns a byte");
    let mut ratios: Vec<_> = best.iter().map(|best| best / best_good).collect();
    for (ratio, family) in ratios.iter().zip(FAMILIES) {
        println!("{ratio:7.1} times  {:?}", family.parts);
    }
    ratios.sort_by(f64::total_cmp);
    let most = ratios.last().copied().unwrap_or_default();
    println!("at most {most:.1} times");
}

/// Nanoseconds that a byte of the messages takes.
#[expect(
    clippy::disallowed_methods,
    reason = "measured without the shell, which has the clock"
)]
fn a_byte(decoder: &Decoder, messages: &[Vec<u8>]) -> f64 {
    let bytes: usize = messages.iter().map(Vec::len).sum();
    let start = Instant::now();
    let mut records = 0_u64;
    for message in messages {
        let message = decoder.message(message, Some(TIME));
        let mut read = decoder.records(&message);
        while let Some(record) = read.next() {
            black_box(record.outcome.map(Draft::whole)).ok();
            records += 1;
        }
    }
    black_box(records);
    start.elapsed().as_nanos() as f64 / bytes as f64
}
