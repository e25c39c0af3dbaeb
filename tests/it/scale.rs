//! What a state holds when there is much of something: matches of one key, or keys.

use std::collections::BTreeMap;

use watchfire::fold::state::State;
use watchfire::incident::Incident;
use watchfire::io::disk::store::{Budget, Owner, Store};
use watchfire::matches::Input;

use crate::feed::{Disk, Feed, MIDNIGHT, SETTINGS, part, record};

fn rule(window: &str, having: &str) -> String {
    format!(
        "id: R\nname: r\ndescription: d\nseverity: 5\ncategory: Security\nsubcategory: s\n\
         impacts: Server\ndata_source: d\ntactics: []\ntechniques: []\nwindow: {window}\n\
         patterns:\n  - {{ name: P, where: 'eventType IS NOT NULL', group_by: [user], having: \
         '{having}' }}\nincident:\n  title: t\n"
    )
}

fn memory() -> Disk {
    Disk::Memory(BTreeMap::new())
}

/// The bytes of all rows, with their keys.
fn bytes(feed: &Feed) -> usize {
    let Disk::Memory(rows) = &feed.disk else {
        panic!("only a disk in memory is weighed");
    };
    rows.iter()
        .map(|(row, value)| row.len() + value.len())
        .sum()
}

/// So many matches of one key within 300 seconds, evenly, in messages of at most 10,000.
fn burst(feed: &mut Feed, matches: i64) -> Vec<Incident> {
    let of = |n: i64| {
        let time = MIDNIGHT * 1000 + n * 300_000 / matches;
        let value = Input::Integer(n % 1_000);
        record(n, time, "hot", vec![part(0, vec![Input::Present, value])])
    };
    let mut said = Vec::new();
    let all: Vec<i64> = (0..matches).collect();
    for some in all.chunks(10_000) {
        let records: Vec<_> = some.iter().map(|n| of(*n)).collect();
        let time = records.last().map_or(0, |record| record.time);
        said.extend(feed.message(records, time));
        feed.commit(usize::MAX);
    }
    said
}

#[test]
fn a_key_costs_one_small_record_a_second_whatever_the_rate() {
    let yaml = rule("300s", "COUNT(*) >= 1000 AND SUM(record.size) >= 0");
    let of = |matches: i64| {
        let mut feed = Feed::new(&yaml, memory());
        let said = burst(&mut feed, matches);
        assert!(!said.is_empty(), "{matches} matches give no incident");
        let last = said.last().expect("an incident");
        assert!(last.event_count <= matches as u64);
        (bytes(&feed), feed)
    };
    let (few, _) = of(10_000);
    let (many, mut feed) = of(1_000_000);

    // A mark names an event with its hash, its place and three texts, here of about 150 bytes;
    // what a pane has beside them are instants, counts and sums.
    let marks = SETTINGS.limits.evidence as usize * 200;
    let a_second = marks + 100;
    // What is not by second: what was published, the rule, the source partition.
    let fixed = 4_000;
    assert!(many <= 300 * a_second + fixed, "{many} bytes");
    assert!(many <= few + few / 50, "{few} bytes grew to {many}");

    let reach = 2 * 300;
    let quiet = MIDNIGHT + 300 + SETTINGS.lateness + reach + 1;
    feed.message(Vec::new(), quiet * 1000);
    feed.commit(usize::MAX);
    let Disk::Memory(rows) = &feed.disk else {
        panic!("the disk is in memory");
    };
    let left: Vec<&Vec<u8>> = rows.keys().collect();
    assert_eq!(
        left,
        [State::META_ROW],
        "rows are left once the key is quiet"
    );
}

/// The state of many groups is on disk: none is forgotten to make room for others.
#[test]
fn a_slow_attacker_is_found_among_many_groups() {
    let groups = 100_000;
    let folder = tempfile::tempdir().expect("a folder for the state");
    let budget = Budget {
        block_cache_bytes: 1 << 20,
        write_buffer_bytes: 1 << 20,
    };
    let owner = Owner {
        app: "test".to_owned(),
        cluster: None,
    };
    let store = Store::open(folder.path(), &owner, budget).expect("a store");
    let mut feed = Feed::new(&rule("24h", "COUNT(*) >= 2"), Disk::RocksDb(store));
    let event = |n: i64, second: i64, user: &str| {
        record(n, second * 1000, user, vec![part(0, vec![Input::Present])])
    };
    let day = 23 * 3_600;
    let mut said = feed.message(vec![event(0, MIDNIGHT, "attacker")], MIDNIGHT * 1000);
    let others: Vec<i64> = (1..=groups).collect();
    for some in others.chunks(1_000) {
        let second = |n: i64| MIDNIGHT + n * day / (groups + 1);
        let events = some
            .iter()
            .map(|n| event(*n, second(*n), &format!("user-{n}")));
        let time = some.last().map_or(MIDNIGHT, |n| second(*n));
        said.extend(feed.message(events.collect(), time * 1000));
        feed.commit(0);
    }
    let second = MIDNIGHT + day;
    let last = event(groups + 1, second, "attacker");
    said.extend(feed.message(vec![last], second * 1000));

    let found: Vec<(u64, Vec<i64>)> = said
        .iter()
        .map(|incident| {
            let evidence = incident.evidence.iter().map(|event| event.offset);
            (incident.event_count, evidence.collect())
        })
        .collect();
    assert_eq!(found, [(2, vec![0, groups + 1])]);
}
