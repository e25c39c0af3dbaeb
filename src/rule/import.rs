//! Rules of other tools to rules of ours.
//!
//! A file is read by its dialect into [`draft`]s: what a foreign rule says, in our words. A draft
//! is checked by the rule parser and printed by the rule printer, so that nothing is written that
//! is refused later. What names of fields mean is data ([`fields`]).

pub mod dialect;

pub mod draft;

pub mod fields;

mod foreign;

mod found;

mod condition;

mod pieces;

pub mod report;

mod sigma;

mod elastic;

mod fortisiem;

mod sentinel;

pub mod run;

#[cfg(test)]
mod sigma_tests;

#[cfg(test)]
mod elastic_tests;

#[cfg(test)]
mod fortisiem_tests;

#[cfg(test)]
mod sentinel_tests;
