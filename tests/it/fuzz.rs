//! What must hold for whatever bytes come in: the bodies of the fuzz targets, and inputs to begin
//! with. Names only the library's core, so that the targets are built without the shell.

use std::collections::BTreeMap;
use std::sync::Arc;

use watchfire::bytes;
use watchfire::decode::{Decoder, Draft, Work};
use watchfire::detect::{Detector, SourcePartition};
use watchfire::event::{Attributes, Event};
use watchfire::fold::admission::admit;
use watchfire::fold::key::pane::Pane;
use watchfire::fold::key::stored::Stored;
use watchfire::fold::slices::{SliceLimit, Slices};
use watchfire::fold::state::{self, State};
use watchfire::fold::work::{Run, advance};
use watchfire::generate::costly::FAMILIES;
use watchfire::generate::{Generator, Options};
use watchfire::matches;
use watchfire::matches::LogMessage;
use watchfire::normalise;
use watchfire::plan::{Catalogue, Limits, Plan, Settings, Source};
use watchfire::record::Hash;
use watchfire::rule::aggregates::AGGREGATES;
use watchfire::rule::attribute::Names;
use watchfire::rule::formula::Reads;
use watchfire::rule::lists::{List, Lists};
use watchfire::rule::operators::OPERATORS;
use watchfire::rule::{self, Filter, Having, print};
use watchfire::stopwatch::Stopwatch;
use watchfire::time::TIME_MAX;

/// 2026-03-01T09:00:00Z.
const TIME: i64 = 1_772_355_600_000;

/// Looks at each byte of a message, at most: it may hold JSON in strings in strings, all of it
/// broken.
const STEPS_MAX: u64 = 100;
/// Looks that do not grow with the message.
const STEPS_MORE: u64 = 1000;

/// Rules that match what [`Generator`] makes, with every kind of aggregate.
const RULES: &str = r#"
id: counts
name: Counts
severity: 5
window: 300s
patterns:
  - name: All
    where: eventType IS NOT NULL
    group_by: [user]
    having: COUNT(*) >= 2 AND COUNT(DISTINCT resourceId) >= 1 OR MEDIAN(record.durationMs) > 5
      OR STDDEV(record.durationMs) / SUM(record.durationMs) > 1 OR MIN(record.durationMs) > 9
      OR PCTCHANGE(record.durationMs) > 50
incident:
  title: $first and $mode of $user
  attributes: { user: All.user, first: All.FIRST(resultType), mode: All.MODE(eventType) }
---
id: commands
name: Commands
severity: 9
window: 300s
patterns:
  - name: Command
    where: eventType CONTAIN "runcommand" AND NOT (user IN ("a", "b") OR record.level > 4)
"#;

/// What can be nested or repeated in rules, and what lists hold.
const FORMS: [(char, &str); 13] = [
    (
        'f',
        "NOT (NOT ((user + 0 - 1) * 2 = IF(user = 1 AND user IS NULL, LEN(LEN(user)), 3)))",
    ),
    (
        'f',
        "user REGEXP \"\\\\w{1,40}(a|b)*\" OR EXTRACT(user, \"(x+)+\") = \"x\"",
    ),
    (
        'f',
        "eventType IN (\"a\", 5, cidr(\"10.0.0.0/255.0.0.0\")) AND eventType != \"a\"",
    ),
    (
        'f',
        "record.a[b = \"x\" AND \"c d\" = \"]\\\"\"].e[f=\"\"] = HourOfDay(time, \"Asia/Tokyo\")",
    ),
    (
        'h',
        "SUM(IF(user = \"a\", 1, 0)) / COUNT(*) > 1 AND COUNT(DISTINCT user, LEN(user)) = \
         PCTILE(2 * record.a[b = \"x\"].c, 9)",
    ),
    (
        'y',
        "id: C\nname: n\nseverity: 5\nwindow: 5m\npatterns: [{name: P, where: user IS NULL, \
         group_by: [{d: 'EXTRACT(user, \"@(.*)$\")'}, 'record.a[b = \"x, y\"].c'], having: \
         'COUNT(DISTINCT d, user) > 1', new: '[d, record.a[b = \"x, y\"].c, user] over 1h'}]\n",
    ),
    (
        'h',
        "COUNT(*)+0+0*1 > 1 AND ((COUNT(*) < 5 OR (SUM(user) > 2)) AND AVG(user) = 0 - 1)",
    ),
    (
        'y',
        "id: In\nname: n\nseverity: [{when: event_count > 5, value: 9}, {value: 5}]\nwindow: 5m\n\
         patterns: [{name: In, where: user IS NULL, group_by: [user]}, {name: B, where: user = 1, \
         group_by: [user]}]\ncondition: (In AND_NOT (B)) OR In\nrelations: [In.user = B.user]\n\
         exceptions: [{where: 'user = \"a\"'}]\ntests: [{name: t, events: [{a: [[{}]]}], \
         incidents: []}]\n",
    ),
    (
        'y',
        "id: In\nname: n\nseverity: 5\nwindow: 5m\npatterns: [{name: A, where: user = 1, group_by: \
         [user, srcIpAddr]}, {name: B, where: user = 1, group_by: [user, srcIpAddr]}, {name: C, \
         where: user = 2, group_by: [user]}]\ncondition: A FOLLOWED_BY B UNLESS (C OR C)\n\
         relations: [A.user = B.user, C.user = B.user, B.srcIpAddr != A.srcIpAddr]\n",
    ),
    ('y', "id: A\na: &a [*a, {b: [[]]}]\n---\n\"\\e\": |\n  x\n"),
    (
        'l',
        "10.0.0.0/8 # a\r\n192.0.2.1-192.0.2.9\n198.51.100.0/255.255.255.0\n203.0.113.*\n\\a*\n",
    ),
    (
        'l',
        "net,zone\n\"10.0.0.0/8\",a\n2001:db8::1-2001:db8::ff,b\n",
    ),
    (
        'l',
        "10.0.0.0/33\n300.1.1.1\narkei/*\n2001:db8:*\n1.2.3.4-300\n",
    ),
];

/// Entries of the rules topic.
const ENTRIES: [&str; 6] = [
    "{\"partitions\":16}",
    "{\"epoch\":3}",
    "{\"epoch\":4,\"begin_at\":\"last_read\"}",
    "{\"columns\":[],\"rows\":[[\"a\"]]}",
    "{\"rules\":[],\"sources\":[{\"topic\":\"s\",\"partitions\":3,\"epoch\":0}]}",
    "{\"text\":\"id: R\\nname: n\\nseverity: 5\\nwindow: 5m\\npatterns: [{name: P, where: \
     user IS NULL}]\\n\",\"settings\":{\"patience\":900,\"lateness\":7200,\"limits\":\
     {\"evidence\":5,\"distinct_values\":9}},\"fingerprint\":\
     \"00000000000000000000000000000000\"}",
];

type Bytes = Vec<u8>;
type Panes = Vec<(i64, Pane)>;

/// The first row of a key, which says nothing of its others.
fn first_row(stored: &mut Stored) -> Option<Bytes> {
    let mut rows = Vec::new();
    stored.changes(&[], &mut rows);
    rows.into_iter().find(|(name, _)| name.is_empty())?.1
}

/// What the checks need, made once.
pub struct Checks {
    everything: Decoder,
    nothing: Decoder,
    catalogue: Catalogue,
    plan: Arc<Plan>,
}

/// What one decoder makes of a record.
#[derive(Debug, PartialEq)]
struct Outcome {
    index: u32,
    bytes: Vec<u8>,
    /// Its time, and its values as text, since a NaN is not itself.
    event: Result<(i64, String), String>,
}

impl Outcome {
    fn time(&self) -> Result<i64, &String> {
        self.event.as_ref().map(|(time, _)| *time)
    }
}

impl Checks {
    /// Decoders for all attributes and for none, and a plan of two rules.
    pub fn new() -> Checks {
        let mut attributes = normalise::all();
        let paths = [
            "record.properties.a",
            "record.a.b",
            "record.\"odd key\"",
            "record.a[b = \"1\"].c",
            "record.a[b = \"x\" AND c = \"true\"].a[b = \"\"]",
            "record.properties[a = \"b\"].a",
        ];
        for path in paths {
            attributes.intern(normalise::attribute(path, &[]).expect("a path"));
        }
        let mut names = Attributes::default();
        let rules = rule::parse("rules", RULES, &mut names).expect("valid rules");
        let limits = Limits {
            evidence: 2,
            distinct_values: 3,
            ..Limits::DEFAULT
        };
        let settings = Settings {
            patience: 60,
            lateness: 600,
            limits,
        };
        let source = Source {
            topic: "t".to_owned(),
            partitions: 1,
            epoch: 0,
            epochs: std::collections::BTreeMap::new(),
        };
        let mut catalogue = Catalogue::default();
        let draft = catalogue.draft(&rules, &names, settings, vec![source], 0);
        for (key, value) in &draft.entries {
            catalogue.read(key, Some(value)).expect("our own entry");
        }
        Checks {
            everything: Decoder::new(&attributes),
            nothing: Decoder::new(&Attributes::default()),
            plan: Arc::clone(catalogue.plan(draft.plan).expect("our own plan")),
            catalogue,
        }
    }

    /// No byte is looked at too often. A message is cut into records in the same way whatever is
    /// wanted of them, a record is the same in a message and alone, and an object of valid JSON is
    /// never refused.
    pub fn decoder(&self, input: &[u8]) {
        let (outcomes, work) = decode(&self.everything, input);
        let most = STEPS_MAX * input.len() as u64 + STEPS_MORE;
        assert!(work.steps <= most, "{} steps, at most {most}", work.steps);
        let (plain, _) = decode(&self.nothing, input);
        assert_eq!(outcomes.len(), plain.len());
        for (outcome, plain) in outcomes.iter().zip(&plain) {
            assert_eq!((outcome.index, &outcome.bytes), (plain.index, &plain.bytes));
            assert_eq!(outcome.time(), plain.time());
        }
        for outcome in outcomes
            .iter()
            .filter(|outcome| !has_records(&outcome.bytes) && !outcome.bytes.contains(&0))
            .take(3)
        {
            if outcome.event.is_ok() {
                let (alone, _) = decode(&self.everything, &outcome.bytes);
                let [alone] = alone.as_slice() else {
                    panic!("{} records of one", alone.len())
                };
                assert_eq!(alone.event, outcome.event);
            }
        }
        let strict = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(input);
        if strict.is_ok() && !has_records(input) {
            let [Outcome { event: Ok(_), .. }] = outcomes.as_slice() else {
                panic!("valid, and refused: {outcomes:?}")
            };
        }
    }

    /// What is read and printed reads as the same again. The first byte says what the rest is: a
    /// rule file, a filter or a having.
    pub fn rule(&self, input: &[u8]) {
        let Some((kind, text)) = input.split_first() else {
            return;
        };
        let Ok(text) = std::str::from_utf8(text) else {
            return;
        };
        let mut attributes = Attributes::default();
        match kind {
            b'f' => {
                if let Ok(filter) = Filter::parse(text, &mut attributes) {
                    reads_again(&filter, &mut attributes);
                }
            }
            b'h' => {
                let mut reads = Reads::default();
                let names = &mut Names::Event(&mut attributes);
                if let Ok(having) = Having::parse(text, names, &mut reads) {
                    counts_again(&having, &reads, &mut attributes);
                }
            }
            b'l' => {
                for file in ["x.txt", "x.csv"] {
                    let (lists, _) = Lists::parse(&[(file.to_owned(), text.to_owned())]);
                    for (_, list) in lists.iter() {
                        let again = List::from_json(&list.to_json()).expect("our own bytes");
                        assert_eq!(again, **list);
                    }
                }
            }
            _ => {
                let rules = rule::parse("fuzz", text, &mut attributes).unwrap_or_default();
                let kept =
                    rule::parse_with("fuzz", text, &Lists::default(), &mut Attributes::default());
                // What is taken from a file is taken from the log.
                assert!(rules.is_empty() || kept.is_ok_and(|kept| kept.len() == rules.len()));
                for rule in rules {
                    let meaning = rule.meaning(&attributes);
                    assert!(!meaning.is_empty());
                    let mut names = Attributes::default();
                    let printed = rule.to_yaml(&attributes);
                    let again = rule::parse("printed", &printed, &mut names);
                    assert_eq!(again.expect("our own text")[0].meaning(&names), meaning);
                    for pattern in &rule.patterns {
                        reads_again(&pattern.filter, &mut attributes);
                        let reads = Reads {
                            aggregates: pattern.aggregates.clone(),
                            formulas: pattern.formulas.clone(),
                        };
                        counts_again(&pattern.having, &reads, &mut attributes);
                        assert!(pattern.caps(5).iter().all(|cap| *cap >= 5));
                    }
                }
            }
        }
    }

    /// What is read of a state or of a message is written as what reads as the same. The first
    /// byte says what the rest is: a state's first row, a message, one to be folded, a key, its
    /// panes or an entry of the rules topic.
    pub fn state(&self, input: &[u8]) {
        let Some((kind, rest)) = input.split_first() else {
            return;
        };
        match kind {
            b'm' => {
                if let Ok(message) = matches::decode(rest) {
                    let written = matches::encode(&message);
                    let again = matches::decode(&written).expect("our own bytes");
                    assert_eq!(matches::encode(&again), written);
                }
            }
            b'a' => self.admitted(rest),
            b'c' => catalogued(rest),
            b'k' => {
                let mut state = State::empty(0);
                let row = [b"k".as_slice(), &[7; 32]].concat();
                let loaded = state.load(&row, rest).is_ok();
                let stored = Stored::read(rest);
                assert_eq!(loaded, stored.is_ok());
                if let Ok(mut stored) = stored {
                    let written = first_row(&mut stored);
                    let again = written.as_deref().map(Stored::read);
                    let again = again.map(|again| again.expect("our own bytes"));
                    if let Some(mut again) = again.filter(|again| !again.has_rows()) {
                        assert_eq!(first_row(&mut again), written);
                    }
                }
            }
            b'p' => {
                if let Ok(panes) = bytes::from_bytes::<Panes>(state::FORMAT, rest) {
                    let written = bytes::to_bytes(state::FORMAT, &panes);
                    let again = bytes::from_bytes::<Panes>(state::FORMAT, &written);
                    let again = again.expect("our own bytes");
                    assert_eq!(bytes::to_bytes(state::FORMAT, &again), written);
                }
            }
            _ => {
                if let Ok(mut state) = State::open(rest, &self.catalogue) {
                    let written = meta_row(&mut state);
                    let again = State::open(&written, &self.catalogue);
                    assert_eq!(meta_row(&mut again.expect("our own bytes")), written);
                }
            }
        }
    }

    /// A message that is admitted can be folded, whatever it says. The plan's hash is put in.
    fn admitted(&self, input: &[u8]) {
        let Some((format, rest)) = input.split_first() else {
            return;
        };
        let bytes = [&[*format], self.plan.hash.0.as_slice(), rest].concat();
        let mut state = State::empty(0);
        for offset in 0..2 {
            let timestamp = TIME + offset * 40_000_000;
            let Ok(message) = admit(&bytes, timestamp, &self.plan) else {
                return;
            };
            let message = LogMessage {
                offset,
                timestamp,
                message,
            };
            let run = advance(&mut state, &self.plan, message);
            fold(&mut state, run);
        }
    }

    /// Messages with the greatest numbers that are admitted.
    fn far(message: &[u8]) -> Vec<Vec<u8>> {
        let far = |time| {
            let mut message = matches::decode(message).expect("our own message");
            for section in &mut message.sections {
                section.time = Some(time);
                section.position.offset = (1 << 62) - 1;
                for record in &mut section.records {
                    record.time = time;
                }
            }
            matches::encode(&message)
        };
        [-TIME_MAX, TIME_MAX].map(far).to_vec()
    }

    /// Inputs to begin with: the name of the target, and the bytes.
    pub fn seeds(&self) -> Vec<(&'static str, Vec<u8>)> {
        let mut seeds: Vec<(&str, Vec<u8>)> = Vec::new();
        let whole = [
            r#"{"time":"2026-03-01T09:00:00Z"}"#,
            "{'a': 'b'}",
            "\u{feff}[{}, {}]",
            "{\"a",
        ];
        seeds.extend(whole.map(|text| ("decoder", text.as_bytes().to_vec())));
        seeds.extend(FAMILIES.iter().map(|kind| ("decoder", kind.message(400))));
        for (seed, message) in (0..).zip(self.messages()) {
            seeds.push((
                "decoder",
                if seed % 2 == 0 {
                    repaired(&message)
                } else {
                    message
                },
            ));
        }
        let rule = |kind: char, text: &str| ("rule", format!("{kind}{text}").into_bytes());
        seeds.extend(RULES.split("---").map(|text| rule('y', text)));
        for operator in OPERATORS {
            seeds.extend(
                operator
                    .examples
                    .iter()
                    .map(|(filter, ..)| rule('f', filter)),
            );
        }
        for aggregate in AGGREGATES {
            let having = aggregate
                .example
                .0
                .replace("a)", "user)")
                .replace("(a", "(user");
            seeds.push(rule('h', &having));
        }
        seeds.extend(FORMS.map(|(kind, text)| rule(kind, text)));
        let state = |kind: char, bytes: &[u8]| ("state", [&[kind as u8], bytes].concat());
        seeds.extend(ENTRIES.map(|entry| state('c', entry.as_bytes())));
        let (log, rows) = self.run();
        seeds.extend(log.iter().map(|message| state('m', message)));
        for message in &log {
            let far = Checks::far(message);
            for message in std::iter::once(message).chain(&far) {
                seeds.push(state('a', &[&message[..1], &message[17..]].concat()));
            }
        }
        for (row, value) in rows {
            match row.first() {
                Some(b'k') if row.len() > 33 => seeds.push(state('p', &value)),
                Some(b'k') => seeds.push(state('k', &value)),
                Some(b'm') => seeds.push(state('s', &value)),
                Some(_) | None => {}
            }
        }
        seeds
    }

    fn messages(&self) -> Vec<Vec<u8>> {
        let options = Options {
            records_max: 2,
            people: 3,
            ..Options::usual(TIME)
        };
        let mut generator = Generator::new(1, options);
        (0..8).map(|_| generator.message().bytes).collect()
    }

    /// A few messages through both stages: the matches log, and the rows of the state.
    fn run(&self) -> (Vec<Bytes>, BTreeMap<Bytes, Bytes>) {
        let source = SourcePartition {
            source: 0,
            partition: 0,
        };
        let mut detector = Detector::new(Arc::clone(&self.plan), 1, 1 << 20);
        detector.assign(source, 0);
        let mut state = State::empty(0);
        let mut log = Vec::new();
        for (offset, payload) in (0..).zip(self.messages()) {
            detector.read(source, offset, Some(TIME), &payload);
            detector.mark(&[]);
            log.extend(detector.take().messages.into_iter().map(|(_, bytes)| bytes));
        }
        for (offset, message) in (0..).zip(&log) {
            let message = matches::decode(message).expect("our own message");
            let message = LogMessage {
                offset,
                timestamp: TIME + 60_000,
                message,
            };
            let run = advance(&mut state, &self.plan, message);
            fold(&mut state, run);
        }
        let rows = state.changes();
        (
            log,
            rows.filter_map(|(row, value)| Some((row, value?)))
                .collect(),
        )
    }
}

/// Folds a run to its end; the store has nothing.
fn fold(state: &mut State, run: Run) {
    let mut work = Slices::new(run, None);
    while !work.is_done() {
        while !work.wants(state, SliceLimit::NONE).is_empty() {}
        work.fold(state, &mut Stopwatch::default());
    }
}

/// An entry of the rules topic is taken or refused, and says the same each time it is asked for.
fn catalogued(value: &[u8]) {
    let (mut catalogue, hash) = (Catalogue::default(), Hash::of(value));
    let keys = ["list", "rule", "plan"].map(|kind| format!("{kind}/{hash}"));
    let others = ["topic/matches", "source/s", "epoch/s/1"].map(str::to_owned);
    for key in keys.iter().chain(&others) {
        let taken = catalogue.read(key, Some(value));
        assert_eq!(catalogue.read(key, Some(value)), taken, "{key}");
    }
    let [rule, plan] = [catalogue.rule(hash).err(), catalogue.plan(hash).err()];
    assert_eq!(
        [catalogue.rule(hash).err(), catalogue.plan(hash).err()],
        [rule, plan]
    );
    assert_ne!(catalogue.matches_partitions(), Some(0));
    let begin = watchfire::plan::epochs::BeginAt::Oldest;
    let (key, raised) = catalogue.epochs().raise_topic("s", begin);
    assert_eq!(catalogue.read(&key, Some(&raised)), Ok(()));
}

/// As Python prints it, which is repaired.
fn repaired(message: &[u8]) -> Vec<u8> {
    message
        .iter()
        .map(|byte| if *byte == b'"' { b'\'' } else { *byte })
        .collect()
}

fn has_records(bytes: &[u8]) -> bool {
    // An escape may spell the word as well.
    let lower = bytes.to_ascii_lowercase();
    lower.windows(7).any(|window| window == b"records") || lower.contains(&b'\\')
}

fn decode(decoder: &Decoder, input: &[u8]) -> (Vec<Outcome>, Work) {
    let mut outcomes = Vec::new();
    let message = decoder.message(input, Some(TIME));
    let mut records = decoder.records(&message);
    while let Some(record) = records.next() {
        let told = |event: &Event<'_>| (event.time, format!("{:?}", event.values));
        outcomes.push(Outcome {
            index: record.index,
            bytes: record.bytes.to_vec(),
            event: record
                .outcome
                .map(Draft::whole)
                .map(told)
                .map_err(ToString::to_string),
        });
    }
    (outcomes, records.work())
}

fn reads_again(filter: &Filter, attributes: &mut Attributes) {
    let printed = filter.print(&|id| print::name(attributes, id));
    let again = Filter::parse(&printed, attributes);
    let again = again.unwrap_or_else(|error| panic!("{printed}: {error}"));
    assert_eq!(again.print(&|id| print::name(attributes, id)), printed);
}

fn counts_again(having: &Having, reads: &Reads, attributes: &mut Attributes) {
    let aggregates = &reads.aggregates;
    let printed = print::having(having, aggregates, &|id| print::name(attributes, id));
    let mut known = reads.clone();
    let again = Having::parse(&printed, &mut Names::Event(attributes), &mut known);
    assert_eq!(again.as_ref(), Ok(having), "{printed}");
    assert_eq!(known, *reads, "{printed}");
}

fn meta_row(state: &mut State) -> Vec<u8> {
    let mut rows = state.changes();
    let meta = rows.find(|(row, _)| row == State::META_ROW);
    meta.and_then(|(_, value)| value)
        .expect("always among the changes")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::Checks;

    #[test]
    fn nothing_is_found_in_the_corpora() {
        let checks = Checks::new();
        let mut inputs = checks.seeds();
        let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
        for target in ["decoder", "rule", "state"] {
            let before = inputs.len();
            for file in fs::read_dir(corpora.join(target)).unwrap() {
                inputs.push((target, fs::read(file.unwrap().path()).unwrap()));
            }
            assert!(inputs.len() > before, "no corpus of {target}");
        }
        for (target, input) in inputs {
            match target {
                "decoder" => checks.decoder(&input),
                "rule" => checks.rule(&input),
                _ => checks.state(&input),
            }
        }
    }
}
