use super::*;
use crate::bookmark::{Bookmark, Sign, There};
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
        committed_there: There::Unknown,
        stored_there: There::Unknown,
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

fn opened(commit: &Commit, committed_there: There) -> Result<Opened, CannotOpen> {
    let found = Found {
        meta: None,
        cursor: None,
        commit: Some(commit),
        committed_there,
        stored_there: There::Unknown,
        low: 4,
        high: 9,
        transactions: false,
        accept_incomplete: false,
    };
    Partition::open(found, &Catalogue::default())
}

#[test]
fn a_log_that_is_another_one_is_refused() {
    let last = FoldedMessage::of(5, 7, b"five".to_vec());
    let bookmark = last.bookmark();
    let note = Note {
        recovery: 4,
        last: Some(last),
        ..Note::default()
    };
    let commit = Commit {
        offset: 6,
        metadata: note.to_string(),
    };
    assert_eq!(Bookmarks::of(None, Some(&commit)).committed, Some(bookmark));
    assert!(
        opened(&commit, There::Message(bookmark))
            .unwrap()
            .remarks
            .is_empty()
    );
    let other = There::Message(Bookmark::of(5, Some(7), b"six"));
    let refused = |there| opened(&commit, there).err();
    assert_eq!(
        refused(other),
        Some(CannotOpen::Another(Sign::OtherMessage))
    );
    assert_eq!(
        refused(There::Nothing),
        Some(CannotOpen::Another(Sign::NoMessage))
    );
    let unknown = opened(&commit, There::Unknown).unwrap();
    assert!(matches!(unknown.remarks[..], [Remark::Incomparable(_)]));
}

#[test]
fn a_state_of_another_log_is_dropped() {
    let mut state = State::empty(6);
    state.set_last(FoldedMessage::of(5, 7, b"five".to_vec()));
    let meta = state.meta();
    let note = Note {
        recovery: 4,
        ..Note::default()
    };
    let commit = Commit {
        offset: 6,
        metadata: note.to_string(),
    };
    let bookmark = Bookmarks::of(Some(&meta), None).stored.unwrap();
    let other = Bookmark {
        hash: 0,
        ..bookmark
    };
    for (there, dropped) in [(bookmark, false), (other, true)] {
        let found = Found {
            meta: Some(&meta),
            cursor: None,
            commit: Some(&commit),
            committed_there: There::Unknown,
            stored_there: There::Message(there),
            low: 4,
            high: 9,
            transactions: false,
            accept_incomplete: false,
        };
        let opened = Partition::open(found, &Catalogue::default()).unwrap();
        assert_eq!(opened.drop_rows, dropped);
        assert_eq!(opened.remarks.contains(&Remark::OtherLog), dropped);
    }
}
