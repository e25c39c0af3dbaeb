//! Which plans are in use at the same time, as the messages of the matches topic name them.
//!
//! Workers of one application should use one plan: each finds only what its own rules match in its
//! own source partitions. While they are changed one after the other they differ for a while.

use std::collections::BTreeMap;

use crate::record::Hash;
use crate::time::Millis;

/// A plan that nobody has named for so long is in use no more. Every worker that reads a source
/// names its plan more often.
const GONE: Millis = 60_000;

/// When plans were named.
#[derive(Clone, Debug, Default)]
pub struct Others {
    seen: BTreeMap<Hash, Seen>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    first: Millis,
    last: Millis,
}

/// A plan that is in use beside another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Other {
    /// The plan.
    pub plan: Hash,
    /// Since when both have been.
    pub since: Millis,
}

impl Others {
    /// Notes that a message named this plan at `time`.
    pub fn named(&mut self, plan: Hash, time: Millis) {
        let seen = self.seen.entry(plan).or_insert(Seen {
            first: time,
            last: time,
        });
        seen.last = time.max(seen.last);
    }

    /// The plans that are in use at `now` beside `own`, which is since `own_since`.
    pub fn beside(&mut self, own: Hash, own_since: Millis, now: Millis) -> Vec<Other> {
        self.seen.retain(|_, seen| now - seen.last < GONE);
        let others = self.seen.iter().filter(|(plan, _)| **plan != own);
        others
            .map(|(plan, seen)| Other {
                plan: *plan,
                since: seen.first.max(own_since),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{GONE, Other, Others};
    use crate::record::Hash;

    #[test]
    fn tells_who_is_beside_whom_and_since_when() {
        let [own, old, new] = [1, 2, 3].map(|byte| Hash([byte; 16]));
        let mut others = Others::default();
        for (plan, time) in [
            (own, 0),
            (old, 1_000),
            (old, 2_000),
            (own, 9_000),
            (new, 50_000),
        ] {
            others.named(plan, time);
        }
        let other = |plan, since| Other { plan, since };
        let now = 60_000;
        let both = [other(old, 1_000), other(new, 50_000)];
        assert_eq!(others.beside(own, 0, now), both);
        assert_eq!(
            others.beside(new, 50_000, now),
            [other(own, 50_000), other(old, 50_000)]
        );
        assert_eq!(others.beside(own, 0, 2_000 + GONE), [other(new, 50_000)]);
        // Who comes back begins anew.
        others.named(old, 70_000);
        assert_eq!(
            others.beside(own, 0, 70_000),
            [other(old, 70_000), other(new, 50_000)]
        );
    }
}
