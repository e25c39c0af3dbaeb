//! The life of an incident: what docs/incidents.md shows is what the second stage says.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use watchfire::encode::json;
use watchfire::incident::{Incident, Status};
use watchfire::matches::Input;
use watchfire::record::Hash;

use crate::feed::{Disk, Feed, MIDNIGHT, part, record};

const DOC: &str = include_str!("../../docs/incidents.md");

const RULE: &str = "id: EXAMPLE
name: Command on a machine
severity: 5
window: 5m
patterns:
  - name: Command
    where: eventType CONTAIN \"runcommand\"
    group_by: [user]
incident:
  title: Command run by $user
  attributes: { user: Command.user }
";

/// What happens to one user.
struct Scene {
    name: &'static str,
    user: &'static str,
    /// Until when nothing happens.
    quiet_until: &'static str,
    /// When messages of the log come, and of what time their command is, if they have one.
    messages: &'static [(&'static str, &'static str)],
}

const SCENES: [Scene; 5] = [
    Scene {
        name: "opened",
        user: "anna",
        quiet_until: "09:00:00",
        messages: &[
            ("09:14:07", "09:14:05"),
            ("09:16:03", "09:16:00"),
            ("09:20:03", "09:20:00"),
            ("09:40:01", ""),
            ("09:45:00", "09:22:00"),
            ("09:45:30", "09:26:00"),
            ("09:46:01", ""),
        ],
    },
    Scene {
        name: "joined",
        user: "boris",
        quiet_until: "09:59:00",
        messages: &[
            ("10:00:03", "10:00:00"),
            ("10:08:03", "10:08:00"),
            ("10:09:00", "10:04:00"),
        ],
    },
    Scene {
        name: "earlier",
        user: "clara",
        quiet_until: "11:00:00",
        messages: &[
            ("11:01:04", "11:01:00"),
            ("11:01:30", "11:00:10"),
            ("11:02:00", "10:58:00"),
        ],
    },
    Scene {
        name: "late",
        user: "dora",
        quiet_until: "13:00:00",
        messages: &[("13:00:10", "10:30:00")],
    },
    Scene {
        name: "over",
        user: "emil",
        quiet_until: "13:30:00",
        messages: &[("13:30:10", "13:01:00")],
    },
];

fn millis(clock: &str) -> i64 {
    let parts: Vec<i64> = clock.split(':').map(|part| part.parse().unwrap()).collect();
    (MIDNIGHT + parts[0] * 3_600 + parts[1] * 60 + parts[2]) * 1_000
}

fn clock(millis: i64) -> String {
    let second = millis / 1_000 - MIDNIGHT;
    format!(
        "{:02}:{:02}:{:02}",
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}

/// The scenes played after one another, each as a table of what was said; and all that was said.
fn play() -> (BTreeMap<&'static str, String>, Vec<Incident>) {
    let mut feed = Feed::new(RULE, Disk::Memory(BTreeMap::new()));
    let (mut tables, mut all) = (BTreeMap::new(), Vec::new());
    let mut offset = 0;
    for scene in &SCENES {
        all.extend(feed.message(Vec::new(), millis(scene.quiet_until)));
        let mut names = Names::default();
        let mut table = String::from(
            "it is     a command of  revision  status     id  first     last      events  \
             triggers\n",
        );
        for (now, time) in scene.messages {
            let records = match time.is_empty() {
                true => Vec::new(),
                false => {
                    offset += 1;
                    vec![record(
                        offset,
                        millis(time),
                        scene.user,
                        vec![part(0, vec![Input::Present])],
                    )]
                }
            };
            let mut said = feed.message(records, millis(now));
            feed.commit(usize::MAX);
            // In one message their order is that of their ids.
            said.sort_by_key(|incident| incident.status == Status::Retracted);
            let (mut now, mut time) = (*now, *time);
            if said.is_empty() {
                writeln!(table, "{now}  {time:<12}  -").unwrap();
            }
            for incident in said {
                let row = row(&incident, &mut names);
                writeln!(table, "{now:<8}  {time:<12}  {row}").unwrap();
                (now, time) = ("", "");
                all.push(incident);
            }
        }
        tables.insert(scene.name, table);
    }
    (tables, all)
}

/// Names for the ids of a scene, in the order in which they are said.
#[derive(Default)]
struct Names(Vec<Hash>);

impl Names {
    fn of(&mut self, id: Hash) -> char {
        let known = self.0.iter().position(|known| *known == id);
        let place = known.unwrap_or_else(|| {
            self.0.push(id);
            self.0.len() - 1
        });
        char::from(b'A' + place as u8)
    }
}

fn row(incident: &Incident, names: &mut Names) -> String {
    let mut row = format!(
        "{:<8}  {:<9}  {}   {}  {}  {:<6}  {:<8}",
        incident.revision,
        format!("{:?}", incident.status).to_uppercase(),
        names.of(incident.incident_id),
        clock(incident.first_seen),
        clock(incident.last_seen),
        incident.event_count,
        incident.trigger_count,
    );
    if let Some(heir) = incident.replaced_by {
        write!(row, "  replaced_by {}", names.of(heir)).unwrap();
    }
    for id in &incident.replaces {
        write!(row, "  replaces {}", names.of(*id)).unwrap();
    }
    if incident.late {
        row += "  late";
    }
    row.trim_end().to_owned()
}

/// The text between the lines that begin and end the example `name`.
fn shown(name: &str) -> &'static str {
    let start = format!("<!-- {name} -->\n\n```text\n");
    let (_, rest) = DOC
        .split_once(&start)
        .unwrap_or_else(|| panic!("no example {name}"));
    rest.split_once("```").unwrap().0
}

#[test]
fn the_life_of_an_incident_is_as_documented() {
    let (tables, all) = play();
    for (name, table) in &tables {
        println!("{name}\n{table}");
    }
    let first = &all[0];
    assert_eq!(first.status, Status::Open);
    println!("{}", json::line(first));
    for (name, table) in &tables {
        assert_eq!(shown(name), table, "{name}");
    }
    assert_eq!(content(shown("json")), content(&json::line(first)));
}

/// The fields of an incident but for its hashes, which another set of limits changes.
fn content(text: &str) -> serde_json::Value {
    let mut incident: serde_json::Value = serde_json::from_str(text).unwrap();
    for hash in ["incident_id", "rule_fingerprint"] {
        assert!(incident[hash].take().is_string());
    }
    incident
}

/// What the document advises a consumer to keep: of each incident the publication with the highest
/// revision, and none that was taken back.
#[test]
fn keeping_the_highest_revision_is_enough() {
    let (_, all) = play();
    let keep = |said: &mut dyn Iterator<Item = &Incident>| {
        let mut kept: BTreeMap<String, &Incident> = BTreeMap::new();
        for incident in said {
            let known = kept
                .entry(incident.incident_id.to_string())
                .or_insert(incident);
            if incident.revision > known.revision {
                *known = incident;
            }
        }
        kept.retain(|_, incident| incident.status != Status::Retracted);
        kept.into_values().cloned().collect::<Vec<_>>()
    };
    let in_order = keep(&mut all.iter());
    assert_eq!(
        in_order,
        keep(&mut all.iter().rev()),
        "order does not matter"
    );
    assert_eq!(
        in_order,
        keep(&mut all.iter().chain(&all)),
        "nor that some come again"
    );
    assert_eq!(in_order.len(), 5);
}
