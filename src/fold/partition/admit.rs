//! Messages that are folded, and those that are passed over.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Admitted, LostPlan, Partition, Unfolded};
use crate::bytes::Unreadable;
use crate::fold::admission::{Refusal, admit};
use crate::fold::folded::FoldedMessage;
use crate::fold::place::Place;
use crate::matches::{self, LogMessage};
use crate::plan::Plan;
use crate::record::Hash;

impl Partition {
    /// A message with its plan; `None`: no worker has written it, and it is passed over.
    pub(super) fn admit(
        &mut self,
        message: Unfolded,
        plans: &BTreeMap<Hash, Arc<Plan>>,
    ) -> Result<Option<Admitted>, LostPlan> {
        let Unfolded {
            offset,
            timestamp,
            payload,
        } = message;
        let admitted = match matches::plan_of(&payload) {
            Err(Unreadable) => Err(Refusal::Short),
            Ok(hash) => match plans.get(&hash) {
                Some(plan) => admit(&payload, timestamp, plan).map(|message| (plan, message)),
                None if self.note.plans.contains_key(&hash) => {
                    return Err(LostPlan { offset, plan: hash });
                }
                None => Err(Refusal::UnknownPlan(hash)),
            },
        };
        let (plan, message) = match admitted {
            Ok(admitted) => admitted,
            Err(refusal) => {
                self.refuse(offset, refusal);
                return Ok(None);
            }
        };
        let records = message.sections.iter().flat_map(|s| &s.records);
        let matches = records.map(|record| record.matches.len()).sum();
        self.note.named(plan.hash, offset);
        self.told.named.insert(plan.hash, timestamp);
        Ok(Some(Admitted {
            plan: Arc::clone(plan),
            log: LogMessage {
                offset,
                timestamp,
                message,
            },
            last: FoldedMessage::of(offset, timestamp, payload),
            matches,
            looked: false,
        }))
    }

    fn refuse(&mut self, offset: i64, refusal: Refusal) {
        self.state.pass_over(offset);
        match &mut self.gathered {
            Some(gathered) => gathered.span.end = offset + 1,
            None => self.reached = self.reached.max(Place::at(offset + 1)),
        }
        if offset < self.live_from.offset {
            self.told.counted.refused += 1;
            self.told.refused += 1;
        } else {
            self.told.first_refused.get_or_insert((offset, refusal));
        }
    }
}
