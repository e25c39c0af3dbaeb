use proptest::prelude::*;

use super::{Sliding, ending_at, episode_end, number, reached_by, same_episode, union};
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
}

#[test]
fn unions() {
    //  ends    3   6        20
    //  panes  1-3 4-6     18-20
    assert_eq!(union([3, 6, 20].into_iter(), 3), vec![1..=6, 18..=20]);
    assert_eq!(union([5, 7].into_iter(), 5), vec![1..=7]);
    assert_eq!(union(std::iter::empty(), 5), vec![]);
}

proptest! {
    #[test]
    fn sliding_equals_merging_anew(
        gaps in prop::collection::vec(1_i64..5, 1..60),
        width in 1_i64..12,
    ) {
        let merge = |all: &mut Vec<i64>, more: &Vec<i64>| all.extend(more);
        let mut sliding = Sliding::default();
        let mut panes = Vec::new();
        let mut pane = 0;
        for gap in gaps {
            pane += gap;
            panes.push(pane);
            sliding.push(pane, vec![pane], merge);
            sliding.drop_before(*ending_at(pane, width).start(), merge);
            let expected: Vec<i64> =
                panes.iter().copied().filter(|p| ending_at(pane, width).contains(p)).collect();
            prop_assert_eq!(sliding.merged(merge), Some(expected));
        }
    }
}
