use super::*;
use crate::io::store::{Budget, Owner};

const BUDGET: Budget = Budget {
    block_cache_bytes: 8 << 20,
    write_buffer_bytes: 4 << 20,
};

/// Folds a message of a plan that the rules topic does not have, where the note names these.
fn fold_unknown(noted: &[Hash], committed: i64) -> Result<Folding> {
    let folder = tempfile::tempdir()?;
    let owner = Owner {
        app: "app".to_owned(),
        cluster: None,
    };
    let surroundings = Surroundings {
        store: &Store::open(folder.path(), &owner, BUDGET)?,
        plans: &BTreeMap::new(),
        incidents: &Arc::from("incidents"),
        encoding: Encoding::Avro,
        message_bytes_max: 900_000,
        recovering_bytes: 8 << 20,
    };
    let mut note = Note::default();
    for plan in noted {
        note.named(*plan, 5);
    }
    let committed = Committed {
        offset: committed,
        metadata: note.to_string(),
    };
    let mut folding = Folding::new(State::empty(5), committed, note, 6);
    folding.inbox.push(Unfolded {
        offset: 5,
        timestamp: 0,
        payload: [vec![matches::FORMAT], vec![7; 16], vec![0]].concat(),
    });
    folding.fold(0, &surroundings)?;
    Ok(folding)
}

#[test]
fn a_plan_that_nobody_had_is_refused_and_one_that_is_lost_is_an_error() {
    let plan = Hash([7; 16]);
    let folding = fold_unknown(&[Hash([8; 16])], 5).unwrap();
    assert_eq!(folding.state.applied(), 6);
    assert_eq!(folding.state.counts.refused, 1);
    assert_eq!(folding.refused, Some((5, Refusal::UnknownPlan(plan))));
    // Folded again it is refused again, and that is not told again.
    let folding = fold_unknown(&[], 6).unwrap();
    assert!(folding.is_live());
    assert_eq!((folding.counted.refused, folding.refused), (1, None));
    for committed in [5, 6] {
        let lost = fold_unknown(&[plan], committed).err().unwrap().to_string();
        let said = format!("offset 5: the rules topic does not have plan {plan} any more");
        assert!(lost.contains(&said), "{lost}");
    }
}
