//! Partitions that end, as one sequence in order of time.

use std::collections::{BTreeMap, VecDeque};

use crate::time::Millis;

/// Takes what partitions hold, each in its own order, and gives it in order of time; of the same
/// time in order of key. A partition's own order stays, also where clocks went back. Holds no more
/// than it was given for partitions that have something already.
#[derive(Debug)]
pub struct Merge<T> {
    partitions: BTreeMap<i32, Lane<T>>,
}

/// What waits of one partition.
#[derive(Debug)]
struct Lane<T> {
    waiting: VecDeque<(Rank, T)>,
    /// The latest time so far.
    time: Millis,
    is_open: bool,
}

/// What decides who comes first.
type Rank = (Millis, Vec<u8>);

impl<T> Merge<T> {
    /// Of these partitions.
    pub fn new(partitions: impl Iterator<Item = i32>) -> Merge<T> {
        let lane = |number| {
            let lane = Lane {
                waiting: VecDeque::new(),
                time: Millis::MIN,
                is_open: true,
            };
            (number, lane)
        };
        Merge {
            partitions: partitions.map(lane).collect(),
        }
    }

    /// The next message of a partition. One that has ended gets none any more.
    pub fn push(&mut self, partition: i32, (time, key): Rank, message: T) {
        if let Some(lane) = self
            .partitions
            .get_mut(&partition)
            .filter(|lane| lane.is_open)
        {
            lane.time = lane.time.max(time);
            lane.waiting.push_back(((lane.time, key), message));
        }
    }

    /// The partition has ended.
    pub fn end(&mut self, partition: i32) {
        if let Some(lane) = self.partitions.get_mut(&partition) {
            lane.is_open = false;
        }
    }

    /// The partitions without which nothing more can be said.
    pub fn wanted(&self) -> Vec<i32> {
        let lanes = self.partitions.iter();
        lanes
            .filter(|(_, lane)| lane.is_open && lane.waiting.is_empty())
            .map(|(number, _)| *number)
            .collect()
    }

    /// The next one of all, unless a partition could still have an earlier one.
    pub fn pop(&mut self) -> Option<T> {
        if !self.wanted().is_empty() {
            return None;
        }
        let lanes = self.partitions.values_mut();
        let first = lanes
            .filter(|lane| !lane.waiting.is_empty())
            .min_by(|a, b| {
                let rank = |lane: &Lane<T>| lane.waiting.front().map(|(rank, _)| rank.clone());
                rank(a).cmp(&rank(b))
            })?;
        first.waiting.pop_front().map(|(_, message)| message)
    }

    /// Whether all partitions have ended and all was given.
    pub fn is_done(&self) -> bool {
        let mut lanes = self.partitions.values();
        lanes.all(|lane| !lane.is_open && lane.waiting.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The messages that come out while those of `steps` come in: a partition and a time with a
    /// key, or nothing at its end.
    fn check(steps: &[(i32, Option<(Millis, &str)>)], expected: &str) {
        let mut merge = Merge::new([0, 1].into_iter());
        let mut out = Vec::new();
        for (partition, step) in steps {
            match step {
                Some((time, key)) => {
                    let rank = (*time, key.as_bytes().to_vec());
                    merge.push(*partition, rank, format!("{partition}{key}{time}"));
                }
                None => merge.end(*partition),
            }
            while let Some(message) = merge.pop() {
                out.push(message);
            }
            out.push("|".to_owned());
        }
        assert_eq!(out.join(" "), expected);
        assert_eq!(
            merge.is_done(),
            steps.iter().filter(|(_, s)| s.is_none()).count() == 2
        );
    }

    #[test]
    fn the_earliest_comes_first() {
        check(
            &[
                (0, Some((5, "a"))),
                (1, Some((3, "b"))),
                (1, Some((5, "A"))),
                (1, None),
                (0, Some((9, "c"))),
                (0, None),
            ],
            "| 1b3 | 1A5 | 0a5 | 0c9 | |",
        );
        // A clock that went back moves nothing before what was said.
        check(
            &[
                (0, Some((5, "a"))),
                (0, Some((2, "b"))),
                (1, Some((4, "c"))),
                (1, None),
                (0, None),
            ],
            "| | 1c4 | 0a5 0b2 | |",
        );
        check(&[(0, None), (1, Some((1, "a")))], "| 1a1 |");
    }
}
