//! The incidents that this worker has published last.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::incident::Incident;
use crate::time::Millis;

/// So many are remembered.
pub const LATEST_MAX: usize = 24;

/// The last publication of the latest incidents, the newest last.
#[derive(Clone, Debug, Default)]
pub struct Latest(VecDeque<Said>);

/// A publication.
#[derive(Clone, Debug)]
pub struct Said {
    /// When it was committed.
    pub at: Millis,
    /// What was published.
    pub incident: Arc<Incident>,
}

impl Latest {
    /// Adds publications that were committed at this time, in order.
    pub fn add(&mut self, incidents: Vec<Incident>, at: Millis) {
        for incident in incidents {
            let id = incident.incident_id;
            self.0.retain(|said| said.incident.incident_id != id);
            let incident = Arc::new(incident);
            self.0.push_back(Said { at, incident });
        }
        let excess = self.0.len().saturating_sub(LATEST_MAX);
        self.0.drain(..excess);
    }

    /// The newest first.
    pub fn each(&self) -> impl Iterator<Item = &Said> {
        self.0.iter().rev()
    }
}

/// The last of these publications, as many as are remembered.
pub fn last_of(publications: &[Incident]) -> Vec<Incident> {
    let first = publications.len().saturating_sub(LATEST_MAX);
    publications.get(first..).unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::tests::with_attributes;
    use crate::record::Hash;

    #[test]
    fn each_incident_stands_there_once_and_few_do() {
        let incident = |number: u8, revision| {
            let mut incident = with_attributes(&[]);
            (incident.incident_id, incident.revision) = (Hash([number; 16]), revision);
            incident
        };
        let mut latest = Latest::default();
        latest.add(vec![incident(1, 0), incident(2, 0)], 7);
        latest.add(vec![incident(1, 1)], 8);
        let told: Vec<_> = latest
            .each()
            .map(|said| {
                (
                    said.incident.incident_id.0[0],
                    said.incident.revision,
                    said.at,
                )
            })
            .collect();
        assert_eq!(told, [(1, 1, 8), (2, 0, 7)]);
        let many: Vec<Incident> = (0..100).map(|number| incident(number, 0)).collect();
        let last = last_of(&many);
        assert_eq!(last.len(), LATEST_MAX);
        latest.add(last, 9);
        assert_eq!(latest.each().count(), LATEST_MAX);
        assert_eq!(latest.each().next().unwrap().incident.incident_id.0[0], 99);
    }
}
