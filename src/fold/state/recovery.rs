//! From which offset the log must be folded to give a state again.

use super::State;
use crate::plan::Plan;
use crate::rule::reach::Reach;
use crate::time::{Second, day_start};

impl State {
    /// The second of event time from which the log is needed; `None`: from its beginning.
    pub(super) fn needed_from(&self) -> Option<Second> {
        let watermark = self.watermark?;
        let rules = self.rules.values();
        let rules = rules.filter_map(|known| self.versions.get(&known.entry));
        rules
            .map(|loaded| {
                let Reach {
                    wait,
                    reach,
                    new_period,
                } = loaded.reach;
                let final_before = watermark - loaded.settings.lateness - wait;
                day_start(final_before - loaded.rule.quiet) - reach - new_period
            })
            .min()
    }

    /// Event time has come to `second` with the message at `offset`; whether to an hour to which it
    /// had not come before.
    pub(crate) fn reached(&mut self, second: Option<Second>, offset: i64, plan: &Plan) -> bool {
        let Some(second) = second.filter(|second| self.hours.is_beyond(*second)) else {
            return false;
        };
        let heard = self.sources.least_offset(&plan.sources);
        self.hours
            .reach(second, heard.map_or(offset, |heard| heard.min(offset)));
        true
    }

    /// Forgets what no recovery needs.
    pub(crate) fn forget_log(&mut self) {
        if let Some(needed) = self.needed_from() {
            self.hours.forget_before(needed);
            let offset = self.hours.offset(Some(needed));
            if let Some(plan) = &self.plan {
                self.sources.forget_before(offset, &plan.sources);
            }
        }
    }
}
