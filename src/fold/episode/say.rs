//! What to say: the difference between a key's incidents and what was said of them.

use smallvec::SmallVec;

use crate::fold::condition::{self, Sight};
use crate::fold::context::{Context, Moment};
use crate::fold::episode::{self, settle, tally};
use crate::fold::few::Few;
use crate::fold::key::Alive;
use crate::fold::key::derived::Derived;
use crate::fold::key::rows::Row;
use crate::fold::key::stored::{Facts, Said, Stored};
use crate::fold::window::{Ranges, Seconds};
use crate::incident::{CloseReason, Incident, Status};
use crate::plan::LoadedRule;
use crate::record::Hash;
use crate::rule::shown::Shown;
use crate::time::Second;

/// What is said of a key's incidents.
pub type Sayings = SmallVec<[Box<Incident>; 2]>;

/// What is said after a change, and what is not.
#[derive(Debug, Default)]
pub struct Spoken {
    /// What is said.
    pub said: Sayings,
    /// Incidents that are there, and that exceptions cover.
    pub covered: Vec<Hash>,
}

/// An incident as it stands now.
struct Standing {
    /// The last pane of its first trigger.
    first: Second,
    /// That of its last.
    last: Second,
    /// `None`: nothing has come to what was said of it that is worth an update.
    shown: Option<Described>,
    /// `Some`: it is over, for this reason.
    over: Option<CloseReason>,
    /// Ids of those it takes the place of.
    replaces: Vec<Hash>,
}

/// What an incident rests on, and what it shows as far as that was asked for.
struct Described {
    facts: Facts,
    severity: u8,
    incident: Option<Box<Incident>>,
}

impl Described {
    /// That of facts. All that an incident shows is made only if its severity or an exception of
    /// `rules` depends on it. `None`: an exception covers it.
    fn of(id: Hash, facts: Facts, rules: &LoadedRule, context: Context<'_>) -> Option<Described> {
        let severity = &context.rule.rule.severity;
        let is_shown = !severity.cases.is_empty() || !rules.rule.exceptions.is_empty();
        let incident =
            is_shown.then(|| Box::new(episode::describe(id, context.rule, &facts, context.topics)));
        if incident
            .as_ref()
            .is_some_and(|incident| excepted(rules, incident))
        {
            return None;
        }
        Some(Described {
            severity: incident.as_ref().map_or(severity.otherwise, |i| i.severity),
            facts,
            incident,
        })
    }

    /// The incident, of no revision.
    fn incident(&mut self, id: Hash, context: Context<'_>) -> Box<Incident> {
        match self.incident.take() {
            Some(mut incident) => {
                incident.fit(context.rule.incident_bytes());
                incident
            }
            None => fitted(id, &self.facts, context.rule, context),
        }
    }
}

impl Standing {
    /// Whether it triggers between `first` and `last`. What is final cannot have been part of an
    /// incident that is there no more.
    fn triggers_within(&self, derived: &Derived, first: Second, last: Second) -> bool {
        let within = first.max(self.first)..=last.min(self.last);
        derived.triggers.range(within).next().is_some()
    }
}

/// Says what is news of a key's incidents after a change at some seconds, or that are over by
/// now, and remembers that it was said.
pub fn news(
    stored: &mut Stored,
    derived: &Derived,
    changed: &Ranges,
    context: Context<'_>,
    moment: Moment,
) -> Spoken {
    let sight = context.sight(stored, derived, moment.after);
    let Concerned { firsts, mut gone } = concerned(sight, changed);
    let (mut standing, covered) = standing(sight, &firsts, context);
    gone.retain(|known| standing.get(known).is_none());
    let mut said = Sayings::new();
    for id in gone {
        if covered.contains(&id) {
            // An exception of an older text covers it. What is in use now is asked next time.
            stored.head.entry = Hash::default();
        }
        said.extend(retract(stored, derived, id, &mut standing, context, moment));
    }
    for (id, now) in standing.iter_mut() {
        say(stored, *id, now, context, moment, &mut said);
    }
    said.sort_by_key(|incident| (incident.incident_id, incident.revision));
    Spoken { said, covered }
}

/// What a change concerns.
struct Concerned {
    /// First triggers of the incidents that are there.
    firsts: Seconds,
    /// Ids of those that were said, and are perhaps no longer there.
    gone: Vec<Hash>,
}

fn concerned(sight: Sight<'_>, changed: &Ranges) -> Concerned {
    let quiet = sight.loaded.rule.quiet;
    let spans = &sight.derived.spans;
    let around = changed.widened(quiet, quiet);
    let touching = around.iter().flat_map(|range| spans.touching(range));
    let mut firsts: Seconds = touching.map(|(first, _)| first).collect();
    let begins = |second: Second| around.iter().any(|range| range.contains(&second));
    let mut gone = Vec::new();
    for (known, last) in sight.stored.said.iter() {
        let first = last.facts.first;
        if begins(first) || firsts.contains(first) {
            gone.push(*known);
        }
        let open = last.status != Status::Closed;
        let over = |last| episode::over(sight, last).is_some();
        if spans.last_of(first).is_some_and(|last| over(last) == open) {
            firsts.insert(first);
        }
    }
    Concerned { firsts, gone }
}

/// Whether an incident that was said and not closed is over.
pub fn is_over(sight: Sight<'_>) -> bool {
    let open = sight.stored.said.values();
    open.filter(|last| last.status != Status::Closed)
        .filter_map(|last| sight.derived.spans.last_of(last.facts.first))
        .any(|last| episode::over(sight, last).is_some())
}

/// Closes what is open of a key, whose rule is no longer in force.
pub fn close_all(
    key: &Alive,
    context: Context<'_>,
    reason: CloseReason,
    moment: Moment,
) -> Sayings {
    let sight = Sight::of(key, context.rule, moment.before);
    let Some(sight) = sight.filter(|_| !moment.silent) else {
        return Sayings::new();
    };
    let open = sight.stored.said.values();
    let open = open.filter(|last| last.status != Status::Closed);
    let firsts: Seconds = open.map(|last| last.facts.first).collect();
    let close = |first: Second| {
        let last = sight.derived.spans.last_of(first)?;
        let facts = episode::tally(sight, first, last).facts;
        let id = episode::id_of(sight, first);
        let incident = fitted(id, &facts, context.rule, context);
        Some(closed(incident, reason, moment))
    };
    let mut said: Sayings = firsts.iter().filter_map(close).collect();
    said.sort_by_key(|incident| incident.incident_id);
    said
}

/// The incidents with these first triggers that are to be told of, by id; and the ids of those that
/// exceptions cover.
fn standing(
    sight: Sight<'_>,
    firsts: &Seconds,
    context: Context<'_>,
) -> (Few<Hash, Standing>, Vec<Hash>) {
    let (mut standing, mut covered) = (Few::None, Vec::new());
    for first in firsts.iter() {
        let Some(last) = sight.derived.spans.last_of(first) else {
            continue;
        };
        let mut now = Standing {
            first,
            last,
            shown: None,
            over: episode::over(sight, last),
            replaces: Vec::new(),
        };
        let id = episode::id_of(sight, first);
        let known = sight.stored.said.get(&id);
        let rules = known.and_then(|last| context.versions.get(&last.exceptions));
        let rules = rules.unwrap_or(context.rule);
        let is_as_said = |last| rules.rule.exceptions.is_empty() && is_as_said(last, &now, sight);
        if !known.is_some_and(is_as_said) {
            let facts = episode::tally(sight, first, last).facts;
            let Some(described) = Described::of(id, facts, rules, context) else {
                covered.push(id);
                continue;
            };
            now.shown = Some(described);
        }
        standing.insert(id, now);
    }
    (standing, covered)
}

/// Whether an incident that is open needs no update, as far as that is seen without all that it
/// shows.
fn is_as_said(last: &Said, now: &Standing, sight: Sight<'_>) -> bool {
    let severity = &sight.loaded.rule.severity;
    now.over.is_none()
        && last.status != Status::Closed
        && last.facts.first == now.first
        && severity.cases.is_empty()
        && severity.otherwise == last.severity
        && last.facts.windows == tally::windows_of(sight, now.first, now.last)
}

/// Takes back what was said of an incident that is there no more.
fn retract(
    stored: &mut Stored,
    derived: &Derived,
    id: Hash,
    standing: &mut Few<Hash, Standing>,
    context: Context<'_>,
    moment: Moment,
) -> Option<Box<Incident>> {
    let last = stored.said.remove(&id)?;
    stored.touch(Row::Said(id));
    let heir = standing
        .iter_mut()
        .filter(|(_, now)| now.triggers_within(derived, last.facts.first, last.facts.last))
        .min_by_key(|(_, now)| now.first);
    let replaced_by = heir.map(|(heir, now)| {
        now.replaces.push(id);
        *heir
    });
    if moment.silent {
        return None;
    }
    let mut incident = fitted(id, &last.facts, said_with(&last, context), context);
    incident.replaced_by = replaced_by;
    Some(opened(incident, Status::Retracted, moment))
}

/// Says of one incident what differs from what was last said.
fn say(
    stored: &mut Stored,
    id: Hash,
    now: &mut Standing,
    context: Context<'_>,
    moment: Moment,
    said: &mut Sayings,
) {
    let Some(mut described) = now.shown.take() else {
        return;
    };
    let last = stored.said.get(&id);
    let news: &[Status] = match (last, now.over) {
        (None, None) => &[Status::Open],
        (None, Some(_)) => &[Status::Open, Status::Closed],
        (Some(last), None) if last.status == Status::Closed || moved(last, &described) => {
            &[Status::Updated]
        }
        (Some(last), Some(_))
            if last.status != Status::Closed || !shows(last, id, &described, context) =>
        {
            &[Status::Closed]
        }
        (Some(_), _) => &[],
    };
    let Some((last_status, before)) = news.split_last() else {
        return;
    };
    let exceptions = last.map_or(context.rule.entry, |last| last.exceptions);
    if !moment.silent {
        let mut incident = described.incident(id, context);
        if !now.replaces.is_empty() {
            incident.replaces = std::mem::take(&mut now.replaces);
            incident.fit(context.rule.incident_bytes());
        }
        for status in before {
            said.push(told(incident.clone(), *status, now.over, moment));
        }
        said.push(told(incident, *last_status, now.over, moment));
    }
    let remembered = Said {
        status: *last_status,
        severity: described.severity,
        facts: described.facts,
        entry: context.rule.entry,
        exceptions,
    };
    stored.said.insert(id, remembered);
    stored.touch(Row::Said(id));
}

/// What was said of an incident, as it was shown, of no revision.
fn fitted(id: Hash, facts: &Facts, rule: &LoadedRule, context: Context<'_>) -> Box<Incident> {
    let mut incident = Box::new(episode::describe(id, rule, facts, context.topics));
    incident.fit(rule.incident_bytes());
    incident
}

/// The rule with which something was said.
fn said_with<'a>(last: &Said, context: Context<'a>) -> &'a LoadedRule {
    context.versions.get(&last.entry).unwrap_or(context.rule)
}

/// Whether what was last said shows what an incident shows now.
fn shows(last: &Said, id: Hash, now: &Described, context: Context<'_>) -> bool {
    let is_same = last.entry == context.rule.entry && last.facts == now.facts;
    is_same || {
        let before = fitted(id, &last.facts, said_with(last, context), context);
        before == fitted(id, &now.facts, context.rule, context)
    }
}

fn told(
    incident: Box<Incident>,
    status: Status,
    over: Option<CloseReason>,
    moment: Moment,
) -> Box<Incident> {
    match over {
        Some(reason) if status == Status::Closed => closed(incident, reason, moment),
        Some(_) | None => opened(incident, status, moment),
    }
}

fn opened(mut incident: Box<Incident>, status: Status, moment: Moment) -> Box<Incident> {
    incident.status = status;
    incident.revision = 2 * moment.offset;
    incident
}

fn closed(mut incident: Box<Incident>, reason: CloseReason, moment: Moment) -> Box<Incident> {
    incident.status = Status::Closed;
    incident.close_reason = Some(reason);
    incident.revision = 2 * moment.offset + 1;
    incident
}

/// What is worth an update while an incident is open.
fn moved(last: &Said, now: &Described) -> bool {
    last.facts.first != now.facts.first
        || last.facts.windows != now.facts.windows
        || last.severity != now.severity
}

/// Whether one of the rule's exceptions covers the incident.
pub fn excepted(loaded: &LoadedRule, incident: &Incident) -> bool {
    loaded.rule.excepts(&Shown::of(incident))
}

/// The second that the watermark must pass for something of a key to be decided, closed or
/// forgotten, if nothing is added to it.
pub fn due(sight: Sight<'_>) -> Option<Second> {
    let Sight {
        stored,
        derived,
        loaded,
        watermark,
    } = sight;
    let open = stored.said.values();
    let open = open.filter(|last| last.status != Status::Closed);
    let closings = open
        .filter_map(|last| derived.spans.last_of(last.facts.first))
        .map(|last| episode::over_after(last, loaded).0);
    let undecided = condition::delays(loaded).into_iter().filter_map(|delay| {
        let from = watermark.map_or(Second::MIN, |watermark| watermark - delay);
        let (p, _) = stored.panes.first_from(from)?;
        Some(p + delay)
    });
    closings
        .chain(undecided)
        .chain(settle::forgotten_after(sight))
        .min()
}
