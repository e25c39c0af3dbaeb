use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{
    Blocks, Part, Ranges, Spans, ending_at, episode_end, number, reached_by, same_episode,
    slot_end, slot_start,
};
use crate::time::DAY;

#[test]
fn edges() {
    assert_eq!(ending_at(300, 300), 1..=300);
    assert_eq!(reached_by(1, 300), 1..=300);
    assert_eq!(number(100, 399, 300), 0);
    assert_eq!(number(100, 400, 300), 1);
    assert!(same_episode(0, 300, 300));
    assert!(!same_episode(0, 301, 300));
    assert!(!same_episode(DAY - 1, DAY, 300));
    assert_eq!(episode_end(100, 300), (400, false));
    assert_eq!(episode_end(DAY - 300, 300), (DAY, true));
    assert_eq!(episode_end(DAY - 1, 300), (DAY, true));
    assert_eq!((slot_start(699, 300), slot_end(699, 300)), (600, 900));
    assert_eq!((slot_start(600, 300), slot_end(600, 300)), (600, 900));
    assert_eq!(
        (slot_start(DAY - 1, 7_000), slot_end(DAY - 1, 7_000)),
        (84_000, DAY)
    );
    assert_eq!(
        (slot_start(DAY, 7_000), slot_end(DAY, 2 * DAY)),
        (DAY, 2 * DAY)
    );
}

#[test]
fn ranges() {
    fn check(ranges: &Ranges, expected: &[std::ops::RangeInclusive<i64>]) {
        assert_eq!(ranges.iter().collect::<Vec<_>>(), expected);
    }
    let one = Ranges::union([4..=6, 1..=3, 18..=20]);
    check(&one, &[1..=6, 18..=20]);
    check(
        &one.without(&Ranges::union([2..=3, 6..=18])),
        &[1..=1, 4..=5, 19..=20],
    );
    check(&one.with(&Ranges::union([7..=17])), &[1..=20]);
    check(&one.widened(2, 5), &[-1..=11, 16..=25]);
    check(&one.from(5), &[5..=6, 18..=20]);
}

proptest! {
    #[test]
    fn blocks_hold_what_the_panes_do(
        panes in prop::collection::btree_set(-5_000_i64..5_000, 0..80),
        width in 1_i64..20_000,
        start in -5_000_i64..5_000,
        dropped in -6_000_i64..0,
    ) {
        let mut blocks: Blocks<BTreeSet<i64>> = Blocks::new(width);
        for p in &panes {
            blocks.add(*p, BTreeSet::new, |all| {
                all.insert(*p);
            });
        }
        let start = start.max(dropped);
        blocks.drop_before(dropped);
        let range = start..=start + width - 1;
        let mut found = BTreeSet::new();
        blocks.over(range.clone(), |part| match part {
            Part::Panes(range) => found.extend(panes.range(range)),
            Part::Block(all) => found.extend(all),
        });
        let expected: BTreeSet<i64> = panes.range(range).copied().collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn spans_are_runs_of_linked_seconds(
        changes in prop::collection::vec((0_i64..60, any::<bool>()), 0..120),
        cuts in prop::collection::btree_set(0_i64..60, 0..4),
    ) {
        let mut spans = Spans::default();
        let mut seconds = BTreeSet::new();
        let mut cut: BTreeSet<i64> = BTreeSet::new();
        let linked = |cut: &BTreeSet<i64>, a: i64, b: i64| {
            b - a <= 5 && cut.range(a..b).next().is_none()
        };
        for (place, (t, insert)) in changes.iter().enumerate() {
            if place == changes.len() / 2 {
                cut.clone_from(&cuts);
                for c in &cuts {
                    let before = seconds.range(..=*c).next_back().copied();
                    let after = seconds.range(c + 1..).next().copied();
                    if let (Some(before), Some(after)) = (before, after) {
                        spans.relink(before, after, |a, b| linked(&cut, a, b));
                    }
                }
            }
            if *insert && seconds.insert(*t) {
                spans.add(*t, |a, b| linked(&cut, a, b));
            } else if !*insert && seconds.remove(t) {
                let before = seconds.range(..*t).next_back().copied();
                let after = seconds.range(t + 1..).next().copied();
                spans.take(*t, before, after, |a, b| linked(&cut, a, b));
            }
            let mut expected: Vec<(i64, i64)> = Vec::new();
            for t in &seconds {
                match expected.last_mut() {
                    Some((_, last)) if linked(&cut, *last, *t) => *last = *t,
                    _ => expected.push((*t, *t)),
                }
            }
            prop_assert_eq!(spans.iter().collect::<Vec<_>>(), expected);
        }
    }
}
