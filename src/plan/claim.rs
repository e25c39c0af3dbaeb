//! Whose a worker's id is, where several processes have it, as with a copied state directory.
//!
//! Brokers stop a process whose id another one uses, and it may take the id back, and so on for
//! ever; but they stop it as well when it was away for too long, and then nobody else is there. So
//! whoever is stopped writes a claim to the rules topic before it takes the id back, and reads
//! those that were written since it started itself: each is of a process that lives, or lived at
//! the same time. The one that started first keeps the id. When a process started, the end of the
//! rules topic at that time says, whatever clocks say.

use serde::{Deserialize, Serialize};

use crate::time::Millis;

/// A process's claim to a worker's id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Names the process.
    pub process: String,
    /// Where the rules topic ended when it started.
    pub start: i64,
    /// When that was by its clock; decides where two started at one place.
    pub at: Millis,
}

impl Claim {
    /// The claim of another process that goes before this one, among those that stand in the rules
    /// topic at these offsets.
    pub fn yields_to<'c>(&self, claims: &'c [(i64, Claim)]) -> Option<&'c Claim> {
        let order = |claim: &Claim| (claim.start, claim.at, claim.process.clone());
        let since = claims.iter().filter(|(offset, _)| *offset >= self.start);
        let others = since.filter(|(_, claim)| claim.process != self.process);
        let before = others.filter(|(_, claim)| order(claim) < order(self));
        before
            .map(|(_, claim)| claim)
            .min_by_key(|claim| order(claim))
    }
}

#[cfg(test)]
mod tests {
    use super::Claim;

    fn claim(process: &str, start: i64, at: i64) -> Claim {
        Claim {
            process: process.to_owned(),
            start,
            at,
        }
    }

    #[test]
    fn the_process_that_started_first_keeps_the_id() {
        let check = |own: &Claim, claims: &[(i64, Claim)], expected: Option<&str>| {
            let found = own.yields_to(claims).map(|claim| claim.process.as_str());
            assert_eq!(found, expected, "{own:?} {claims:?}");
        };
        let (first, second) = (claim("a", 10, 900), claim("b", 20, 100));
        let of_first = [(20, first.clone())];
        check(&first, &[], None);
        check(&first, &of_first, None);
        check(&second, &of_first, Some("a"));
        let both = [(20, second.clone()), (21, first.clone())];
        check(&first, &both, None);
        check(&second, &both, Some("a"));
        // One that was written before says nothing of who is there now.
        check(&claim("c", 22, 0), &both, None);
        // Nothing was written between their starts.
        let (early, late) = (claim("z", 10, 100), claim("a", 10, 200));
        check(&late, &[(10, early.clone())], Some("z"));
        check(&early, &[(10, late)], None);
        let equal = claim("y", 10, 100);
        check(&early, &[(10, equal.clone())], Some("y"));
        check(&equal, &[(10, early)], None);
    }
}
