//! A realistic stream of what the shipped rules and a rule of a day match: no other records, so
//! that what correlation costs is seen.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use watchfire::detect::{Detector, SourcePartition};
use watchfire::event::Attributes;
use watchfire::plan::{Catalogue, Plan, Source};
use watchfire::rule;
use watchfire::time::{Millis, rfc3339};

use crate::feed::SETTINGS;
use crate::rng::Rng;
use crate::worker::setup::UPN;

/// Partitions of the source topic.
pub const SOURCE_PARTITIONS: u32 = 8;
/// Partitions of the matches topic.
pub const MATCHES_PARTITIONS: u32 = 16;

/// Matches between two commits of the detecting stage: 5,000,000 in two hours, and ten a second.
const COMMIT_MATCHES: u64 = 69;
/// Between two watermark entries.
const MARK_MS: i64 = 2_000;
/// Records of a source message.
const RECORDS: u64 = 10;
/// Matches of a hundred records: some deletions match two rules.
const MATCHES_OF_100: u64 = 112;
/// The longest way of a record from where it happened to the hub.
const DELAY_MS: u64 = 30_000;
/// What one message of the matches topic may hold.
const MESSAGE_BYTES: usize = 900_000;

/// Of 100 records: how many, the operation, and the resource.
const OPERATIONS: [(u64, &str, &str); 13] = [
    (
        10,
        "MICROSOFT.COMPUTE/VIRTUALMACHINES/RUNCOMMAND/ACTION",
        "VIRTUALMACHINES/VM",
    ),
    (8, "MICROSOFT.KEYVAULT/VAULTS/WRITE", "VAULTS/KEYS"),
    (
        8,
        "MICROSOFT.STORAGE/STORAGEACCOUNTS/REGENERATEKEY/ACTION",
        "STORAGEACCOUNTS/FILES",
    ),
    (
        8,
        "MICROSOFT.STORAGE/STORAGEACCOUNTS/BLOBSERVICES/CONTAINERS/WRITE",
        "CONTAINERS/C",
    ),
    (
        4,
        "MICROSOFT.EVENTHUB/NAMESPACES/EVENTHUBS/DELETE",
        "EVENTHUBS/AUDIT",
    ),
    (
        4,
        "MICROSOFT.NETWORK/NETWORKWATCHERS/DELETE",
        "NETWORKWATCHERS/EUROPE",
    ),
    (
        4,
        "MICROSOFT.RESOURCES/SUBSCRIPTIONS/RESOURCEGROUPS/DELETE",
        "RESOURCEGROUPS/SHOP",
    ),
    (5, "MICROSOFT.COMPUTE/DISKS/DELETE", "DISKS/D"),
    (
        4,
        "MICROSOFT.AUTHORIZATION/ROLEASSIGNMENTS/WRITE",
        "ROLEASSIGNMENTS/A",
    ),
    (
        3,
        "MICROSOFT.AUTHORIZATION/ROLEASSIGNMENTS/DELETE",
        "ROLEASSIGNMENTS/A",
    ),
    (
        17,
        "MICROSOFT.STORAGE/STORAGEACCOUNTS/LISTKEYS/ACTION",
        "STORAGEACCOUNTS/FILES",
    ),
    (10, "Sign-in activity", "50126"),
    (15, "Sign-in activity", "0"),
];

/// Before the name of a user who signs in.
const SIGN_IN: &str = r#""properties":{"userPrincipalName":"#;
/// Before the last part of the resource that was acted on.
const ADMINISTRATIVE: &str = "\"category\":\"Administrative\",\"resultType\":\"Success\",\
    \"resourceId\":\"/SUBSCRIPTIONS/00000000-0000-0000-0000-000000000001/RESOURCEGROUPS/PAYROLL/\
    PROVIDERS/";

/// Before the claims of a user who acts.
const IDENTITY: &str = "\"identity\":{\"claims\":";

/// A rule with a window of a day, beside those that are shipped.
pub const DAY_RULE: &str = "id: WATCHFIRE_MEASURE_KEYS_LISTED
name: Storage keys listed again and again within a day
severity: 5
window: 24h
patterns:
  - name: Listed
    where: eventType = \"MS_EvtHub_storage_storageaccounts_listkeys_action\"
    group_by: [user]
    having: COUNT(*) >= 60
";

/// Makes records.
pub struct Activity {
    random: Rng,
    users: u64,
    made: u64,
}

impl Activity {
    /// That of so many users, some of them busier than others.
    pub fn new(users: u64) -> Activity {
        Activity {
            random: Rng::new(7),
            users,
            made: 0,
        }
    }

    /// A record that reaches the hub at `time`.
    pub fn record(&mut self, time: Millis) -> String {
        let mut kind = self.random.below(100);
        let (_, operation, resource) = OPERATIONS
            .iter()
            .find(|(weight, ..)| {
                let found = kind < *weight;
                kind = kind.wrapping_sub(*weight);
                found
            })
            .unwrap();
        let happened = time - self.random.below(DELAY_MS) as i64;
        // Two numbers of which the lesser is taken: few users are busy, most are not.
        let user = self
            .random
            .below(self.users)
            .min(self.random.below(self.users));
        let machine = self.random.below(5_000);
        self.made += 1;
        let (time, made) = (rfc3339(happened), self.made);
        let caller = format!("203.0.{}.{}", user >> 8 & 0xff, user & 0xff);
        let mut text = format!(r#"{{"time":"{time}","operationName":"{operation}","#);
        let common = r#""correlationId":"7d0c5b1e-0000-4000-8000-"#;
        write!(text, r#"{common}{made:012}","callerIpAddress":"{caller}","#).unwrap();
        let name = format!("user{user}@contoso.com");
        let written = match *operation {
            "Sign-in activity" => write!(
                text,
                r#""category":"SignInLogs","resultType":"{resource}",{SIGN_IN}"{name}"}}}}"#
            ),
            _ => write!(
                text,
                r#"{ADMINISTRATIVE}{resource}-{machine}",{IDENTITY}{{"{UPN}":"{name}"}}}}}}"#
            ),
        };
        written.unwrap();
        text
    }

    /// A source message with so many records.
    pub fn message(&mut self, records: u64, time: Millis) -> String {
        let records: Vec<String> = (0..records).map(|_| self.record(time)).collect();
        format!(r#"{{"records":[{}]}}"#, records.join(","))
    }
}

/// The shipped rules that are measured: always the same, so that figures can be compared however
/// many are shipped.
pub const MEASURED: [&str; 10] = [
    "Azure_Deletion_New_To_User",
    "Azure_Password_Guessed",
    "Azure_Role_Assignment_Kept",
    "PH_Rule_ES_IMPORT_AZURE_1",
    "PH_Rule_ES_IMPORT_AZURE_10",
    "PH_Rule_ES_IMPORT_AZURE_2",
    "PH_Rule_ES_IMPORT_AZURE_4",
    "PH_Rule_ES_IMPORT_AZURE_6",
    "PH_Rule_ES_IMPORT_AZURE_7",
    "PH_Rule_ES_IMPORT_AZURE_8",
];

/// The shipped rules that are measured, in the order of their names.
pub fn shipped_rules() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/azure");
    let read = |name| {
        let path = folder.join(name).with_extension("yaml");
        let text = std::fs::read_to_string(&path).unwrap();
        (path.display().to_string(), text)
    };
    MEASURED.map(read).into()
}

/// The plan of these rules and the rule of a day, with what `<app>.rules` then has.
pub fn plan(topic: &str) -> (Arc<Plan>, Vec<(String, Vec<u8>)>) {
    let mut attributes = Attributes::default();
    let mut files = shipped_rules();
    files.push(("day.yaml".to_owned(), DAY_RULE.to_owned()));
    let rules: Vec<_> = files
        .iter()
        .flat_map(|(name, text)| rule::parse(name, text, &mut attributes).unwrap())
        .collect();
    let mut catalogue = Catalogue::default();
    let sources = vec![Source {
        topic: topic.to_owned(),
        partitions: SOURCE_PARTITIONS,
        epoch: 0,
        epochs: std::collections::BTreeMap::new(),
    }];
    let draft = catalogue.draft(&rules, &attributes, SETTINGS, sources, 0);
    for (key, value) in &draft.entries {
        catalogue.read(key, Some(value)).unwrap();
    }
    (
        Arc::clone(catalogue.plan(draft.plan).unwrap()),
        draft.entries,
    )
}

/// What a log is made of.
pub struct Log {
    /// How many matches, about.
    pub matches: u64,
    /// Of how many users.
    pub users: u64,
    /// The time of the first and of the last record.
    pub time: (Millis, Millis),
}

impl Log {
    /// Hands the log's messages, with their partitions, to `each`, as a worker would have written
    /// them live. Gives the matches, and the messages that each
    /// source partition would have.
    pub fn write(&self, plan: &Arc<Plan>, mut each: impl FnMut(u32, Vec<u8>)) -> (u64, i64) {
        let mut activity = Activity::new(self.users);
        let mut detector = Detector::new(Arc::clone(plan), MATCHES_PARTITIONS, MESSAGE_BYTES);
        let all: Vec<SourcePartition> = (0..SOURCE_PARTITIONS)
            .map(|partition| SourcePartition {
                source: 0,
                partition,
            })
            .collect();
        all.iter().for_each(|source| detector.assign(*source, 0));
        let (start, end) = self.time;
        let commits = self.matches / COMMIT_MATCHES;
        let (mut matches, mut sent, mut marked) = (0, 0_u64, start);
        let records = self.matches * 100 / MATCHES_OF_100;
        for commit in 0..=commits {
            let now = start + (end - start) * commit as i64 / commits as i64;
            while sent * RECORDS < records * commit / commits {
                let source = all[(sent % u64::from(SOURCE_PARTITIONS)) as usize];
                let offset = (sent / u64::from(SOURCE_PARTITIONS)) as i64;
                let message = activity.message(RECORDS, now);
                detector.read(source, offset, Some(now), message.as_bytes());
                sent += 1;
            }
            if now - marked >= MARK_MS {
                marked = now;
                let at_end: Vec<_> = all.iter().map(|source| (*source, now)).collect();
                detector.mark(&at_end);
            }
            let output = detector.take();
            matches += output.counts.matches;
            output
                .messages
                .into_iter()
                .for_each(|(p, bytes)| each(p, bytes));
        }
        (matches, (sent / u64::from(SOURCE_PARTITIONS)) as i64 + 1)
    }
}
