//! A week of a company in which all that the shipped rules look for is done, too, by those whose
//! work it is: day by day by the same people and services, or once a week as a campaign.

use super::operations::Operation;
use super::people::Person;
use super::random::Random;
use super::routines::{CAMPAIGNS, Campaign, Deed, ROUTINES, Routine};
use super::{activity, cluster, entra, operations};
use crate::time::Millis;

/// How often each routine comes in a week, at least.
pub const TIMES_A_WEEK: u64 = 54;

const WEEK_MS: u64 = 7 * DAY_MS as u64;
const DAY_MS: Millis = 24 * HOUR_MS;
const HOUR_MS: Millis = 3_600_000;

/// From one routine to the next, so that what one does is not done at once. It has no divisor in
/// common with the number of routines: each has its turn.
const STRIDE: usize = 37;

/// People whose sign-ins and deeds are everyday ones.
const PEOPLE: u64 = 60;

/// How long a campaign goes on.
const CAMPAIGN_MS: Millis = 2 * HOUR_MS;

/// How long a brief deed lasts.
const BRIEF_MS: Millis = 20 * 60_000;

/// Deeds that are done in office hours alone are done so often then.
const AT_WORK_TIMES: i64 = 4;

/// Mean time between two moments of the week; at each there is one routine.
pub fn gap_ms() -> u64 {
    WEEK_MS / (TIMES_A_WEEK * u64::try_from(ROUTINES.len()).unwrap_or(1).max(1))
}

/// What happens at a moment, the `turn`-th.
pub fn moment(random: &mut Random, seed: u64, now: Millis, turn: usize) -> Vec<(Millis, String)> {
    let mut records = everyday(random, seed, now);
    if let Some(routine) = ROUTINES.get(turn * STRIDE % ROUTINES.len()) {
        records.extend(done(random, seed, now, routine));
    }
    for campaign in CAMPAIGNS.iter().filter(|campaign| is_on(campaign, now)) {
        let person = Person::of_number(seed, campaign.who);
        records.extend(deed(random, &person, now, &campaign.deed));
    }
    records
}

/// A sign-in, or an ordinary operation that leaves nobody with more rights.
fn everyday(random: &mut Random, seed: u64, now: Millis) -> Vec<(Millis, String)> {
    let person = Person::of_number(seed, random.below(PEOPLE));
    if random.percent(60) {
        return vec![(now, entra::sign_in(random, &person, now))];
    }
    match operations::ordinary(random) {
        given if given.name.contains("roleAssignments") => Vec::new(),
        operation => activity::records(random, &person, operation, now),
    }
}

fn done(random: &mut Random, seed: u64, now: Millis, routine: &Routine) -> Vec<(Millis, String)> {
    let person = Person::of_number(seed, routine.who);
    if !routine.at_work {
        return deed(random, &person, now, &routine.deed);
    }
    if !is_office_hour(now) {
        return Vec::new();
    }
    let times = (0..AT_WORK_TIMES).map(|number| now + number * 1_000);
    times
        .flat_map(|time| deed(random, &person, time, &routine.deed))
        .collect()
}

fn deed(random: &mut Random, person: &Person, now: Millis, deed: &Deed) -> Vec<(Millis, String)> {
    match deed {
        Deed::Call(operation) => activity::records(random, person, operation, now),
        Deed::Brief(begun, ended) => brief(random, person, now, [begun, ended]),
        Deed::Audit(entry) => vec![(now, entra::entry_of(random, person, now, entry))],
        Deed::Vault(operation) => {
            let call = (*operation, "kv-shop");
            vec![(now, entra::vault_call(random, person, now, call))]
        }
        Deed::Cluster(call) => vec![(now, cluster::record(random, person, now, call))],
        Deed::LowRisk => vec![(now, entra::low_risk(random, person, now))],
        Deed::Graph => vec![(now, entra::graph_call(random, person, now))],
    }
}

/// An operation, and the one that undoes it, on the same resource.
fn brief(
    random: &mut Random,
    person: &Person,
    now: Millis,
    [begun, ended]: [&Operation; 2],
) -> Vec<(Millis, String)> {
    // The same numbers give the same names of resources.
    let mut same = random.clone();
    let mut records = activity::records(&mut same, person, begun, now);
    records.extend(activity::records(random, person, ended, now + BRIEF_MS));
    records
}

fn is_on(campaign: &Campaign, now: Millis) -> bool {
    let begun = campaign.hour * HOUR_MS;
    weekday(now) == campaign.weekday
        && (begun..begun + CAMPAIGN_MS).contains(&now.rem_euclid(DAY_MS))
}

fn is_office_hour(now: Millis) -> bool {
    (1..=5).contains(&weekday(now)) && (7 * HOUR_MS..19 * HOUR_MS).contains(&now.rem_euclid(DAY_MS))
}

/// 0 is Sunday; 1970 began on a Thursday.
fn weekday(now: Millis) -> i64 {
    (now.div_euclid(DAY_MS) + 4).rem_euclid(7)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// 2026-03-02T00:00:00Z, a Monday.
    const MONDAY: Millis = 1_772_409_600_000;

    #[test]
    fn each_routine_has_its_turn() {
        let turns = 0..ROUTINES.len();
        let places: BTreeSet<usize> = turns.map(|turn| turn * STRIDE % ROUTINES.len()).collect();
        assert_eq!(places.len(), ROUTINES.len());
    }

    #[test]
    fn office_hours_are_on_weekdays() {
        fn check(after_monday: Millis, expected: bool) {
            assert_eq!(
                is_office_hour(MONDAY + after_monday),
                expected,
                "{after_monday}"
            );
        }
        check(7 * HOUR_MS - 1, false);
        check(7 * HOUR_MS, true);
        check(4 * DAY_MS + 19 * HOUR_MS - 1, true);
        check(4 * DAY_MS + 19 * HOUR_MS, false);
        check(5 * DAY_MS + 12 * HOUR_MS, false);
        check(6 * DAY_MS + 12 * HOUR_MS, false);
    }

    #[test]
    fn a_brief_deed_is_undone_on_the_same_resource() {
        let briefs = ROUTINES.iter().filter_map(|routine| {
            let Deed::Brief(begun, ended) = &routine.deed else {
                return None;
            };
            Some((routine.who, [begun, ended]))
        });
        let mut random = Random::new(1);
        for (who, [begun, ended]) in briefs {
            let person = Person::of_number(1, who);
            let records = brief(&mut random, &person, MONDAY, [begun, ended]);
            let resources = records.iter().map(|(_, record)| {
                let record: serde_json::Value = serde_json::from_str(record).expect("JSON");
                record["resourceId"].to_string().to_ascii_lowercase()
            });
            assert_eq!(resources.collect::<BTreeSet<_>>().len(), 1);
        }
    }
}
