use super::*;
use crate::matches;
use crate::plan::Catalogue;

/// Folds a message of a plan that the rules topic does not have, where the note names these.
fn fold_unknown(noted: &[Hash], committed: i64) -> Result<Partition, LostPlan> {
    let mut note = Note {
        recovery: 4,
        ..Note::default()
    };
    for plan in noted {
        note.named(*plan, 5);
    }
    let commit = Commit {
        offset: committed,
        metadata: note.to_string(),
    };
    let found = Found {
        meta: None,
        cursor: None,
        commit: Some(&commit),
        low: 4,
        high: 6,
        transactions: false,
        accept_incomplete: false,
    };
    let mut partition = Partition::open(found, &Catalogue::default())
        .unwrap()
        .partition;
    let payload = [vec![matches::FORMAT], vec![7; 16], vec![0]].concat();
    partition.push(5, 0, &payload);
    assert_eq!(partition.step(&BTreeMap::new(), &Budget::NONE)?, Next::Read);
    Ok(partition)
}

#[test]
fn a_plan_that_nobody_had_is_refused_and_one_that_is_lost_is_an_error() {
    let plan = Hash([7; 16]);
    let mut partition = fold_unknown(&[Hash([8; 16])], 5).unwrap();
    assert_eq!(partition.reached(), Place::at(6));
    let first = Some((5, Refusal::UnknownPlan(plan)));
    assert_eq!(partition.refusals(), Refusals { count: 1, first });
    // Folded again it is refused again, and that is not told again.
    let mut partition = fold_unknown(&[], 6).unwrap();
    assert!(partition.is_live());
    assert_eq!(partition.refusals(), Refusals::default());
    assert_eq!(partition.counted().refused, 0);
    for committed in [5, 6] {
        let lost = fold_unknown(&[plan], committed).err();
        assert_eq!(lost, Some(LostPlan { offset: 5, plan }));
    }
}
