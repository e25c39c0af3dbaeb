//! A backtest as somebody might have run it, made up.

use std::time::Duration;

use watchfire::event::Attributes;
use watchfire::incident::{AttributeValue, CloseReason, Evidence, Incident, Status};
use watchfire::record::Hash;
use watchfire::report::{self, Change, Comparison, Point, Report, RuleCounts, RuleRow, Sweep};
use watchfire::rule;
use watchfire::time::Millis;

use crate::rng::Rng;

/// What a report lends.
pub struct Sample {
    pub inputs: Vec<String>,
    pub notes: Vec<String>,
    pub rules: Vec<RuleRow>,
    pub incidents: Vec<Incident>,
    pub comparison: Comparison,
    pub sweep: Sweep,
}

/// Id, name, severity, tactics, incidents.
const RULES: [(&str, &str, u8, &str, usize); 5] = [
    (
        "PH_Rule_Run_Command",
        "Command run on a virtual machine",
        5,
        "TA0002",
        31,
    ),
    (
        "PH_Rule_Role_Given",
        "Owner role given outside of working hours",
        9,
        "TA0003, TA0004",
        7,
    ),
    (
        "PH_Rule_Password_Guessed",
        "Password guessed from one address",
        8,
        "TA0006",
        14,
    ),
    (
        "PH_Rule_Key_Listed",
        "Storage keys listed by a new user",
        3,
        "",
        5,
    ),
    ("PH_Rule_Vault_Purged", "Key vault purged", 10, "TA0040", 0),
];

const USERS: [&str; 5] = [
    "mara.lindqvist@contoso.com",
    "jonas.weber@contoso.com",
    "svc-deploy@contoso.com",
    "li.na@contoso.com",
    "0c1f6a52-9a2e-4f0e-8a54-5a1f0f2d7c11",
];

/// The first second of the sample: a Monday.
const BEGIN: Millis = 1_772_409_600_000;

impl Sample {
    pub fn new() -> Sample {
        let mut rng = Rng::new(7);
        let mut incidents = Vec::new();
        let mut rules = Vec::new();
        for (place, (id, name, severity, tactics, count)) in RULES.into_iter().enumerate() {
            let own: Vec<Incident> = (0..count)
                .map(|number| incident(&mut rng, place, (id, name, severity, tactics), number))
                .collect();
            rules.push(row(id, name, severity, tactics, &own));
            incidents.extend(own);
        }
        incidents.sort_by_key(|incident| (incident.first_seen, incident.incident_id));
        let comparison = comparison(&incidents);
        Sample {
            inputs: vec![
                "archive/2026-03".into(),
                "kafka://localhost:9092/activity".into(),
            ],
            notes: vec!["2 files were skipped: archive/2026-03/a.parquet, b.parquet".into()],
            rules,
            incidents,
            comparison,
            sweep: sweep(),
        }
    }

    pub fn report(&self) -> Report<'_> {
        Report {
            made: BEGIN + 21 * 86_400_000,
            inputs: &self.inputs,
            records: 1_284_310,
            matched: 2_930,
            rejected: 12,
            bytes: 2_640_000_000,
            took: Duration::from_millis(3_420),
            notes: &self.notes,
            rules: &self.rules,
            incidents: &self.incidents,
            comparison: Some(&self.comparison),
            sweep: Some(&self.sweep),
        }
    }
}

fn row(id: &str, name: &str, severity: u8, tactics: &str, incidents: &[Incident]) -> RuleRow {
    let text = format!(
        "id: {id}\nname: {name}\nseverity: {severity}\nwindow: 300s\ntactics: [{tactics}]\n\
         techniques: [T1059, T1078.004]\n\
         patterns:\n  - {{ name: A, where: user != \"\", having: COUNT(*) >= 1 }}\n"
    );
    let rules = rule::parse("sample.yaml", &text, &mut Attributes::default()).unwrap();
    let counts = RuleCounts {
        matches: incidents
            .iter()
            .map(|incident| incident.event_count * 3)
            .sum(),
        groups: incidents.len().min(USERS.len()) as u64,
        fold: Duration::from_micros(incidents.len() as u64 * 1_730),
    };
    report::row(&rules[0], &counts, &incidents.iter().collect::<Vec<_>>())
}

fn incident(
    rng: &mut Rng,
    place: usize,
    (id, name, severity, tactics): (&str, &str, u8, &str),
    number: usize,
) -> Incident {
    let hour = 6 + rng.below(14);
    let first_seen =
        BEGIN + ((rng.below(18) * 24 + hour) * 3_600 + rng.below(3_600)) as Millis * 1000;
    let user = USERS[rng.below(USERS.len() as u64) as usize];
    let event_count = 1 + rng.below(9) * rng.below(4);
    let evidence = (0..event_count.min(5))
        .map(|event| evidence(first_seen, event))
        .collect();
    Incident {
        incident_id: Hash::of(format!("{id}/{number}").as_bytes()),
        revision: 0,
        status: Status::Closed,
        rule_id: id.into(),
        rule_name: name.into(),
        rule_fingerprint: Hash::of(id.as_bytes()),
        severity,
        category: "Security".into(),
        subcategory: "Execution".into(),
        impacts: "Server".into(),
        tactics: tactics
            .split(", ")
            .filter(|id| !id.is_empty())
            .map(Into::into)
            .collect(),
        techniques: vec!["T1059".into()],
        title: format!("{name} by {user}"),
        window_ms: 300_000,
        first_seen,
        last_seen: first_seen + 41_000,
        event_count,
        trigger_count: 1,
        attributes: vec![
            ("user".into(), AttributeValue::Text(user.into())),
            (
                "srcIpAddr".into(),
                AttributeValue::Text(format!("203.0.113.{}", 7 + place)),
            ),
            (
                "hostName".into(),
                AttributeValue::Text(format!("payroll-{}", number % 3)),
            ),
            ("count".into(), AttributeValue::Number(event_count as f64)),
            ("resourceGroup".into(), AttributeValue::Null),
        ],
        evidence,
        late: number == 3,
        close_reason: Some(CloseReason::Quiet),
        replaced_by: None,
        replaces: Vec::new(),
        truncated: false,
        test: false,
    }
}

/// Every second one was read from a topic.
fn evidence(first_seen: Millis, event: u64) -> Evidence {
    let name = ["archive/2026-03/activity-04.ndjson", "activity"][event as usize % 2];
    let resource = "/SUBSCRIPTIONS/00000000-0000-0000-0000-000000000001/RESOURCEGROUPS/PAYROLL/\
                    PROVIDERS/MICROSOFT.COMPUTE/VIRTUALMACHINES/PAYROLL-1";
    Evidence {
        pattern: "Filter".into(),
        topic: name.into(),
        partition: 2,
        offset: 70 + event as i64,
        index: event as u32,
        time: first_seen + 1_007 * event as Millis,
        event_type: Some("MS_EvtHub_compute_virtualmachines_runcommand_action".into()),
        correlation_id: Some("7d0c5b1e-0000-4000-8000-000000000001".into()),
        resource_id: event.is_multiple_of(2).then(|| resource.into()),
        record_hash: Hash::of(&event.to_be_bytes()),
    }
}

fn comparison(incidents: &[Incident]) -> Comparison {
    let renamed = |incident: &Incident, id: &str| Incident {
        incident_id: Hash::of(id.as_bytes()),
        ..incident.clone()
    };
    let before = Incident {
        severity: 5,
        event_count: 40,
        first_seen: incidents[9].first_seen - 62_000,
        ..renamed(&incidents[9], "before")
    };
    Comparison {
        appeared: incidents[4..7].to_vec(),
        vanished: vec![renamed(&incidents[8], "vanished")],
        changed: vec![Change {
            before,
            after: incidents[9].clone(),
        }],
    }
}

fn sweep() -> Sweep {
    let point = |threshold: u64| Point {
        threshold: threshold as f64,
        incidents: 220 / (threshold * threshold),
        groups: 30 / threshold,
    };
    Sweep {
        rule_id: "PH_Rule_Password_Guessed".into(),
        having: "COUNT(*) >= 1..20".into(),
        points: (1..=20)
            .map(|threshold| {
                let point = point(threshold);
                Point {
                    groups: point.groups.min(point.incidents),
                    ..point
                }
            })
            .collect(),
    }
}
