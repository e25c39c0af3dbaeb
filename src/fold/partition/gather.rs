//! Which messages are folded together: those whose work is small.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Admitted, Budget, Gathered, LostPlan, Partition, Stretch, Working};
use crate::fold::slices::Slices;
use crate::fold::state::{Due, Read};
use crate::fold::work::advance;
use crate::plan::Plan;
use crate::record::Hash;

/// What a key takes in memory that has seen one match, about.
const MATCH_BYTES: usize = 3_500;

/// The part of the memory for keys that messages take which are folded together.
const TOGETHER_SHARE: usize = 4;

/// How much a message makes to be done.
enum Effort {
    /// Little: it can be folded together with others.
    Small,
    /// It may be much: it is folded alone, in slices.
    Large,
    /// These rows say it.
    Asks(Read),
}

impl Partition {
    /// Takes messages that can be folded together, or one that is folded alone. Rows that must be
    /// read before it is known how much a message makes to be done are given.
    pub(super) fn gather(
        &mut self,
        plans: &BTreeMap<Hash, Arc<Plan>>,
        budget: &Budget,
    ) -> Result<Option<Read>, LostPlan> {
        while let Some(admitted) = self.next_admitted(plans)? {
            let effort = self.effort_of(&admitted, budget);
            let admitted = match effort {
                Effort::Asks(look) => {
                    self.ahead = Some(Admitted {
                        looked: true,
                        ..admitted
                    });
                    return Ok(Some(look));
                }
                Effort::Small => self.join(admitted, budget),
                Effort::Large => match self.gathered {
                    None => {
                        self.begin(admitted, true);
                        None
                    }
                    Some(_) => Some(Admitted {
                        looked: false,
                        ..admitted
                    }),
                },
            };
            let is_alone = self.gathered.as_ref().is_some_and(|g| g.alone.is_some());
            self.ahead = admitted;
            if self.ahead.is_some() || is_alone {
                break;
            }
        }
        self.working = self.gathered.take().map(|gathered| self.work(gathered));
        Ok(None)
    }

    fn next_admitted(
        &mut self,
        plans: &BTreeMap<Hash, Arc<Plan>>,
    ) -> Result<Option<Admitted>, LostPlan> {
        if let Some(ahead) = self.ahead.take() {
            return Ok(Some(ahead));
        }
        while let Some(message) = self.inbox.pop_front() {
            self.inbox_bytes -= message.payload.len();
            if let Some(admitted) = self.admit(message, plans)? {
                return Ok(Some(admitted));
            }
        }
        Ok(None)
    }

    fn effort_of(&mut self, admitted: &Admitted, budget: &Budget) -> Effort {
        let Admitted {
            plan,
            log,
            last: _,
            matches,
            looked,
        } = admitted;
        let is_begun = self.reached.offset == log.offset && self.reached.cursor.is_some();
        if is_begun || !self.state.has_only(plan) || *matches > self.matches_max(budget) {
            return Effort::Large;
        }
        let watermark = self.state.watermark_after(plan, log);
        let due = match looked {
            true => self.state.how_many_found(watermark, budget.together_due),
            false if watermark == self.state.watermark() => return Effort::Small,
            false => self.state.how_many_due(watermark, budget.together_due),
        };
        match due {
            Due::Few => Effort::Small,
            Due::Many => Effort::Large,
            Due::Asks(look) => Effort::Asks(look),
        }
    }

    /// So many matches are folded together: were each of another key, these would take a part of
    /// what all keys may.
    fn matches_max(&self, budget: &Budget) -> usize {
        self.bytes_max(budget) / TOGETHER_SHARE / MATCH_BYTES
    }

    /// Adds a message to those that were gathered, if it may be; else gives it back.
    fn join(&mut self, admitted: Admitted, budget: &Budget) -> Option<Admitted> {
        let offset = admitted.log.offset;
        let silent = offset < self.live_from.offset;
        let Some(mut gathered) = self.gathered.take() else {
            self.begin(admitted, false);
            return None;
        };
        let matches = gathered.span.matches + admitted.matches;
        if gathered.span.silent != silent || matches > self.matches_max(budget) {
            self.gathered = Some(gathered);
            return Some(Admitted {
                looked: false,
                ..admitted
            });
        }
        let run = advance(&mut self.state, &admitted.plan, admitted.log);
        gathered.run.append(run);
        gathered.span.matches = matches;
        gathered.span.end = offset + 1;
        gathered.last = admitted.last;
        self.gathered = Some(gathered);
        None
    }

    fn begin(&mut self, admitted: Admitted, alone: bool) {
        let offset = admitted.log.offset;
        let alone = alone.then(|| self.state.meta());
        let run = advance(&mut self.state, &admitted.plan, admitted.log);
        self.gathered = Some(Gathered {
            run: run.silent_before(self.live_from),
            span: Stretch {
                first: offset,
                end: offset + 1,
                silent: offset < self.live_from.offset,
                matches: admitted.matches,
            },
            last: admitted.last,
            alone,
        });
    }

    /// What is to be done for messages that were gathered. What the store has done of it is done.
    fn work(&self, gathered: Gathered) -> Working {
        let Gathered {
            run,
            span,
            last,
            alone,
        } = gathered;
        let begun = self
            .reached
            .cursor
            .filter(|_| self.reached.offset == span.first);
        Working {
            work: Slices::new(run, begun.map(|cursor| cursor.key)),
            span,
            last,
            alone,
        }
    }
}
