//! What one message makes to be done, where that is much: it is worked off in parts, and neither a
//! commit nor the memory grows with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use watchfire::bookmark::There;
use watchfire::fold::partition::{Budget, Commit, Found, Keep, Limit, Next, Partition};
use watchfire::fold::slices::SliceLimit;
use watchfire::fold::state::{Change, Read};
use watchfire::incident::{CloseReason, Incident, Status};
use watchfire::matches::{self, Input, MatchedRecord, Message, Section};
use watchfire::plan::{Catalogue, Plan};
use watchfire::record::{Hash, Position};

use crate::feed::{self, MIDNIGHT, part, record};

/// Keys with an open incident.
const KEYS: i64 = 3_000;

/// What a partition may take here: the memory of some hundred keys.
const BUDGET: Budget = Budget {
    live_bytes: 600_000,
    recovering_bytes: 600_000,
    slice: SliceLimit {
        keys: 50,
        bytes: 100_000,
        due: 200,
    },
    together_due: 50,
    outbox: Limit {
        bytes: usize::MAX,
        publications: 60,
    },
};

const COMMIT: Limit = Limit {
    bytes: usize::MAX,
    publications: 60,
};

fn rule(id: &str) -> String {
    format!(
        "id: {id}\nname: r\ndescription: d\nseverity: 5\ncategory: Security\nsubcategory: s\n\
         impacts: Server\ndata_source: d\ntactics: []\ntechniques: []\nwindow: 300s\nclear: {{ \
         quiet: 20h }}\npatterns:\n  - {{ name: P, where: 'eventType IS NOT NULL', group_by: \
         [user], having: 'COUNT(*) >= 1' }}\nincident:\n  title: t\n"
    )
}

/// A matches partition with its store and what it has committed.
struct Driven {
    partition: Partition,
    plans: BTreeMap<Hash, Arc<Plan>>,
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    budget: Budget,
    commit: Limit,
    next: i64,
    position: Position,
    said: Vec<Incident>,
    /// The most that keys took in memory.
    bytes: usize,
    /// The most that one commit wrote.
    written: usize,
    commits: usize,
    /// Commits that ended within a message.
    cursors: usize,
    /// The state was kept between commits.
    keeps: usize,
    /// What was committed last, and the log up to there.
    last: Commit,
    log: Vec<(i64, Vec<u8>)>,
}

impl Driven {
    fn new(plans: &[&Arc<Plan>], budget: Budget, commit: Limit) -> Driven {
        let found = Found {
            meta: None,
            cursor: None,
            commit: None::<&Commit>,
            committed_there: There::Unknown,
            stored_there: There::Unknown,
            low: 0,
            high: 0,
            transactions: true,
            accept_incomplete: false,
        };
        let opened = Partition::open(found, &Catalogue::default()).unwrap();
        Driven {
            partition: opened.partition,
            plans: plans.iter().map(|p| (p.hash, Arc::clone(p))).collect(),
            rows: BTreeMap::new(),
            budget,
            commit,
            next: 0,
            position: Position {
                epoch: 0,
                offset: -1,
                index: 0,
            },
            said: Vec::new(),
            bytes: 0,
            written: 0,
            commits: 0,
            cursors: 0,
            keeps: 0,
            last: Commit {
                offset: 0,
                metadata: String::new(),
            },
            log: Vec::new(),
        }
    }

    /// Loses the store, and folds again in silence what is committed.
    fn fold_again(&mut self, low: i64) {
        let found = Found {
            meta: None,
            cursor: None,
            commit: Some(&self.last),
            committed_there: There::Unknown,
            stored_there: There::Unknown,
            low,
            high: self.log.len() as i64,
            transactions: true,
            accept_incomplete: false,
        };
        let opened = Partition::open(found, &Catalogue::default()).unwrap();
        (self.partition, self.bytes, self.keeps) = (opened.partition, 0, 0);
        self.rows.clear();
        let said = self.said.len();
        for offset in self.partition.next()..self.log.len() as i64 {
            let (time, bytes) = self.log[offset as usize].clone();
            self.partition.push(offset, time, &bytes);
            self.fold();
        }
        assert!(self.partition.is_live() && !self.partition.is_busy());
        self.write();
        assert_eq!(self.said.len(), said, "what was said before is said again");
    }

    /// Folds and commits a message with these records and a watermark entry, in milliseconds.
    fn message(&mut self, plan: &Plan, records: Vec<MatchedRecord>, time: i64) {
        if let Some(last) = records.last() {
            self.position = last.position;
        }
        let message = Message {
            plan: plan.hash,
            sections: vec![Section {
                source: 0,
                partition: 0,
                position: self.position,
                time: Some(time),
                records,
            }],
        };
        let bytes = matches::encode(&message);
        self.partition.push(self.next, time, &bytes);
        self.log.push((time, bytes));
        self.next += 1;
        while self.partition.commit().offset < self.next {
            self.fold();
            self.write();
        }
    }

    /// Goes on until something must be committed, or nothing is left.
    fn fold(&mut self) {
        loop {
            let next = self.partition.step(&self.plans, &self.budget).unwrap();
            self.bytes = self.bytes.max(self.partition.keys_bytes());
            match next {
                Next::Load(wanted) => wanted.iter().for_each(|read| self.load(read)),
                Next::Keep => {
                    self.keeps += 1;
                    let changes = self.partition.keep().collect();
                    self.keep(changes);
                }
                Next::Slice => (),
                Next::Commit | Next::Read => return,
            }
        }
    }

    fn load(&mut self, read: &Read) {
        let (from, to, most) = match read {
            Read::Row(row) => (row.clone(), [row.as_slice(), &[0]].concat(), 1),
            Read::Range { from, to, most } => (from.clone(), to.clone(), *most),
        };
        for (row, value) in self.rows.range(from..to).take(most) {
            self.partition.load(row, value).unwrap();
        }
    }

    fn write(&mut self) {
        let point = self.partition.commit_point(self.commit, Keep::Now);
        // While that is on its way the fold goes on.
        self.fold();
        self.written = self.written.max(point.publications.len());
        self.commits += 1;
        self.cursors += usize::from(point.place.cursor.is_some());
        self.said.extend(point.publications);
        self.last = Commit {
            offset: point.place.offset,
            metadata: point.metadata.clone(),
        };
        self.partition.committed(point.place, point.metadata);
        self.keep(point.changes);
    }

    fn keep(&mut self, changes: Vec<Change>) {
        for (row, value) in changes {
            match value {
                Some(value) => self.rows.insert(row, value),
                None => self.rows.remove(&row),
            };
        }
        self.partition.kept(&self.budget);
    }

    /// Every key has an incident, in messages of some.
    fn begin(&mut self, plan: &Plan) {
        let keys: Vec<i64> = (0..KEYS).collect();
        for some in keys.chunks(500) {
            let time = |n: i64| MIDNIGHT * 1000 + n * 100;
            let of = |n: &i64| {
                let patterns = vec![part(0, vec![Input::Present])];
                record(*n, time(*n), &format!("user-{n}"), patterns)
            };
            let last = some.last().copied().unwrap_or_default();
            self.message(plan, some.iter().map(of).collect(), time(last));
        }
    }

    /// It went in parts, within its bounds, and closed each incident once.
    fn check(&self, reason: CloseReason) {
        assert_eq!(self.written, COMMIT.publications);
        assert!(
            self.bytes < BUDGET.live_bytes * 3 / 2,
            "{} bytes",
            self.bytes
        );
        let commits = KEYS as usize / COMMIT.publications;
        assert!(self.commits >= 2 * commits && self.cursors >= commits);
        let closed = self.said.iter().filter(|one| one.status == Status::Closed);
        assert!(closed.clone().all(|one| one.close_reason == Some(reason)));
        let different: BTreeSet<Hash> = closed.clone().map(|one| one.incident_id).collect();
        assert_eq!(different.len(), KEYS as usize);
        assert_eq!(closed.count(), KEYS as usize);
    }
}

#[test]
fn a_watermark_that_closes_all_incidents_is_worked_off_in_parts() {
    let plan = feed::plan(&rule("R"));
    let of = |budget, commit| {
        let mut driven = Driven::new(&[&plan], budget, commit);
        driven.begin(&plan);
        driven.message(&plan, Vec::new(), (MIDNIGHT + 86_400 * 2) * 1000);
        driven
    };
    let driven = of(BUDGET, COMMIT);
    driven.check(CloseReason::Quiet);
    let at_once = of(Budget::NONE, Limit::NONE);
    assert!(driven.said == at_once.said, "the parts say something else");
    assert!(
        driven.rows == at_once.rows,
        "the parts leave something else"
    );
}

#[test]
fn a_lost_state_is_made_anew_in_little_memory() {
    let plan = feed::plan(&rule("R"));
    let mut driven = Driven::new(&[&plan], BUDGET, COMMIT);
    driven.begin(&plan);
    let rows = driven.rows.clone();
    driven.fold_again(0);
    assert!(driven.keeps > 4, "kept {} times", driven.keeps);
    assert!(
        driven.bytes < BUDGET.recovering_bytes * 3 / 2,
        "{} bytes",
        driven.bytes
    );
    assert!(driven.rows == rows, "another state");
}

#[test]
fn a_rule_that_goes_is_worked_off_in_parts() {
    let (plan, other) = (feed::plan(&rule("R")), feed::plan(&rule("Other")));
    let of = |budget, commit| {
        let mut driven = Driven::new(&[&plan, &other], budget, commit);
        driven.begin(&plan);
        let hour = 3_600;
        driven.message(&other, Vec::new(), (MIDNIGHT + hour) * 1000);
        driven.message(&other, Vec::new(), (MIDNIGHT + 2 * hour) * 1000);
        driven
    };
    let driven = of(BUDGET, COMMIT);
    driven.check(CloseReason::RuleRemoved);
    assert_eq!(driven.rows.len(), 1, "rows of the rule are left");
    let at_once = of(Budget::NONE, Limit::NONE);
    assert!(driven.said == at_once.said, "the parts say something else");
    assert!(
        driven.rows == at_once.rows,
        "the parts leave something else"
    );
}
