//! What must be known to trust what a backtest says.

use super::rules::Rules;
use crate::io::backtest::fold::Counts;
use crate::io::backtest::input::Source;
use crate::io::backtest::seen::Seen;
use crate::io::disk::files::{self, Listing};
use crate::plan::LoadedRule;
use crate::replay::Within;
use crate::time::rfc3339;

/// So many rules are named; of more only the number is said.
const NAMED_MAX: usize = 5;

/// What the notes are about.
pub struct About<'a> {
    /// The files.
    pub listing: &'a Listing,
    /// All that was to be read.
    pub sources: &'a [Source],
    /// The rules.
    pub rules: &'a Rules,
    /// The incidents that were asked for.
    pub within: Within,
    /// What was read.
    pub seen: &'a Seen,
    /// What was counted, by the place of the rule.
    pub counts: &'a [Counts],
}

/// The notes, a line each.
pub fn of(about: &About<'_>) -> Vec<String> {
    let seen = about.seen;
    let mut notes = Vec::new();
    if seen.interrupted {
        notes.push("Interrupted: only a part of the input was read.".to_owned());
    }
    notes.extend(about.listing.notes());
    let named: Vec<&str> = seen
        .unreadable_named
        .iter()
        .map(|(_, why)| &**why)
        .collect();
    notes.extend(files::note(
        "not read, or not to the end",
        seen.unreadable as usize,
        &named,
    ));
    notes.extend(about.passed_over());
    notes.extend(about.copies());
    notes.extend(about.outside());
    notes.extend(about.begins_late());
    notes.extend(about.ends_early());
    notes.extend(about.topics());
    notes
}

impl About<'_> {
    /// The rules that are asked about, and what was counted of them.
    fn own(&self) -> impl Iterator<Item = (&LoadedRule, &Counts)> {
        let all = self.rules.plan.rules.iter().zip(self.counts).zip(0_u32..);
        let own = all.filter(|(_, place)| self.rules.sides_of(*place).own);
        own.map(|(((loaded, _), counts), _)| (&**loaded, counts))
    }

    /// Names the rules that `is_meant`; `None`: there are none.
    fn names(&self, is_meant: impl Fn(&LoadedRule) -> bool) -> Option<String> {
        let own = self.own().map(|(loaded, _)| loaded);
        let meant: Vec<&str> = own
            .filter(|loaded| is_meant(loaded))
            .map(|loaded| loaded.rule.id.as_str())
            .collect();
        let mut names = meant.get(..NAMED_MAX).unwrap_or(&meant).join(", ");
        if let Some(more @ 1..) = meant.len().checked_sub(NAMED_MAX) {
            names.push_str(&format!(" and {more} more"));
        }
        (!meant.is_empty()).then_some(names)
    }

    fn passed_over(&self) -> Option<String> {
        let (passed_over, all) = (self.seen.passed_over, self.seen.messages);
        (passed_over > 0).then(|| {
            format!(
                "{passed_over} of {all} messages were not read: none of their records could match. \
                 Records count of the others only, and what is broken was noticed there only."
            )
        })
    }

    fn copies(&self) -> Option<String> {
        let copies: u64 = self.own().map(|(_, counts)| counts.copies).sum();
        (copies > 0).then(|| {
            format!(
                "{copies} matches are copies of others: the same message of the same event hub, \
                 captured twice. Each counts once."
            )
        })
    }

    fn outside(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.seen.outside > 0 {
            notes.push(format!(
                "{} records are not within --from and --to; of these, what the rules look at was \
                 read.",
                self.seen.outside
            ));
        }
        let begun: u64 = self.own().map(|(_, counts)| counts.began_before).sum();
        if begun > 0 {
            notes.push(format!(
                "{begun} incidents began before --from and went on after it; they are not shown."
            ));
        }
        notes
    }

    /// The input lacks what came before `--from`.
    fn begins_late(&self) -> Option<String> {
        let (first, _) = self.seen.all_times?;
        let needed = |loaded: &LoadedRule| self.within.needed_from(loaded);
        let names = self.names(|loaded| needed(loaded).is_some_and(|from| from < first))?;
        let earliest = self.own().filter_map(|(loaded, _)| needed(loaded)).min()?;
        Some(format!(
            "The input begins at {}, but what is said from --from on depends on what came before, \
             as early as {}: there, values may be called new that were not, and incidents be \
             missing or smaller. Rules: {names}.",
            rfc3339(first),
            rfc3339(earliest),
        ))
    }

    /// The input lacks what came after `--to`.
    fn ends_early(&self) -> Option<String> {
        let (_, last) = self.seen.all_times?;
        let needed = |loaded: &LoadedRule| self.within.needed_to(loaded);
        let names = self.names(|loaded| needed(loaded).is_some_and(|to| last < to))?;
        let latest = self.own().filter_map(|(loaded, _)| needed(loaded)).max()?;
        Some(format!(
            "The input ends at {}, but what is said up to --to depends on what came after, as late \
             as {}: there, what is called absent may only not be in the input. Rules: {names}.",
            rfc3339(last),
            rfc3339(latest),
        ))
    }

    /// Ranges of topics that are cut where rules look.
    fn topics(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for source in self.sources {
            let Source::Topic(range) = source else {
                continue;
            };
            let topic = &range.topic;
            let looks_back = |loaded: &LoadedRule| {
                loaded.reach.new_period > 0 || loaded.rule.condition.has_absence()
            };
            if let (true, Some(names)) = (range.has_before, self.names(looks_back)) {
                notes.push(format!(
                    "Older messages of {topic} were not read: at the beginning, values may be \
                     called new that were not, or events absent. --from instead of from= reads \
                     them. Rules: {names}."
                ));
            }
            let waits = |loaded: &LoadedRule| loaded.reach.wait > 0;
            if let (true, Some(names)) = (range.has_after, self.names(waits)) {
                notes.push(format!(
                    "Newer messages of {topic} were not read: at the end, what is called absent \
                     may be in them. --to instead of to= reads them. Rules: {names}."
                ));
            }
        }
        notes
    }
}
