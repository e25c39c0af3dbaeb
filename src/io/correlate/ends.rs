//! How much of the matches topic is still to be folded.

use anyhow::Result;

use super::CorrelateStage;
use super::folding::{Folding, MARKS};
use crate::io::clock;
use crate::io::kafka::client::lock;
use crate::io::kafka::ends::{Found, Question};
use crate::io::kafka::topics::Names;

impl CorrelateStage {
    /// Has the ends looked for.
    pub(super) fn ask_for_ends(&mut self) -> Result<()> {
        self.last_look = clock::instant();
        let matches = Names::of(&self.config.app).matches;
        let questions = self.folding.iter().map(|(number, folding)| Question {
            partition: (matches.to_string(), *number),
            next: folding.partition.next(),
            probe: folding.lag() <= MARKS,
        });
        let questions: Vec<Question> = questions.collect();
        if questions.is_empty() {
            // Who has nothing to fold is not behind with it.
            lock(&self.status.behind).folded(self.last_look);
        }
        self.ends.ask(questions)
    }

    /// Takes the ends that were found.
    pub(super) fn take_ends(&mut self, found: &Found) {
        for answer in &found.answers {
            if let Some(folding) = self.folding.get_mut(&answer.partition.1) {
                folding.end = answer.end;
            }
        }
        self.looked = Some(found.asked);
        // Else the next commit does.
        if !self.commits.moved {
            self.report_lag();
        }
    }

    /// Tells the status how much there is still to be folded.
    pub(super) fn report_lag(&self) {
        let lag = self.folding.values().map(Folding::lag).sum();
        lock(&self.status.correlating).lag = Some(lag);
        if let (0, Some(looked)) = (lag, self.looked) {
            lock(&self.status.behind).folded(looked);
        }
    }
}
