//! Source partitions that become other logs, and what was read of each.

use std::collections::BTreeMap;
use std::sync::Arc;

use watchfire::bookmark::{self, Bookmark, Judgement, KnownBy, LogNow, Sign, There};
use watchfire::config::OnReplacedSource;
use watchfire::detect::read_to::{self, GoOn, ReadTo};
use watchfire::matches::MatchedRecord;
use watchfire::plan::epochs::{BeginAt, Epochs};
use watchfire::plan::noted::NotedEntry;
use watchfire::plan::{Plan, PlanEntry};
use watchfire::record::{Hash, Position};

use super::{DetectWorker, SourceMessage, TOPIC, World, place};

/// What is read of one log in one epoch.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub epoch: u32,
    /// Which of the partition's logs it is.
    pub generation: usize,
    pub start: i64,
    /// The next to be read, as far as that is committed.
    pub read: i64,
    /// The same, as far as what was found is in the matches logs.
    written: i64,
    /// Nothing before its start is as young as this.
    not_older: Option<i64>,
    /// What was deleted before it was read begins here.
    lost_from: Option<i64>,
    /// The log that it was begun in, and the first message that this had then.
    begun_in: (usize, i64),
}

/// One source partition beside the messages that it has now.
#[derive(Clone, Debug)]
pub struct SourceLog {
    /// The first message that it still has.
    pub low: i64,
    /// What stands beside its committed offset.
    pub read_to: ReadTo,
    /// The logs that it was before.
    pub before: Vec<Vec<SourceMessage>>,
    /// In the order in which they were read.
    pub spans: Vec<Span>,
    /// By what workers have told that it is another one.
    pub signs: Vec<Sign>,
}

impl Default for SourceLog {
    fn default() -> SourceLog {
        SourceLog {
            low: 0,
            read_to: ReadTo {
                epoch: 0,
                known_by: KnownBy::Beginning,
            },
            before: Vec::new(),
            spans: vec![Span {
                epoch: 0,
                generation: 0,
                start: 0,
                read: 0,
                written: 0,
                not_older: None,
                lost_from: None,
                begun_in: (0, 0),
            }],
            signs: Vec::new(),
        }
    }
}

impl SourceMessage {
    fn bookmark(&self, offset: i64) -> Bookmark {
        Bookmark::of(offset, Some(self.timestamp), &self.payload)
    }
}

impl SourceLog {
    /// Which log it is now.
    pub fn generation(&self) -> usize {
        self.before.len()
    }
}

impl World {
    /// Before anybody reads the partition, retention has taken all that was in it.
    pub fn empty(&mut self, partition: usize) {
        let end = self.sources[partition].len() as i64;
        self.read[partition] = end;
        let log = &mut self.source_logs[partition];
        log.low = end;
        for span in &mut log.spans {
            (span.start, span.read, span.written) = (end, end, end);
            span.begun_in = (0, end);
        }
    }

    /// The partition becomes another log, of which the messages from `low` on are there.
    pub fn replace(&mut self, partition: usize, messages: Vec<SourceMessage>, low: i64) {
        let old = std::mem::replace(&mut self.sources[partition], messages);
        let log = &mut self.source_logs[partition];
        log.before.push(old);
        log.low = low;
    }

    /// Its readers know the log that a partition is now, and have committed what they read of it.
    pub fn is_known(&self, partition: usize) -> bool {
        let log = &self.source_logs[partition];
        let span = log.spans.last().expect("one");
        let epoch = log.read_to.epoch;
        let is_committed = [span.epoch, self.newest_epoch(partition)] == [epoch; 2];
        is_committed && self.read[partition] == span.read && span.generation == log.generation()
    }

    /// If a partition became this log, workers would find out by what is committed, or what they
    /// have said of the log before would not differ from it. Otherwise nobody could know: a log is
    /// taken for the one that was read where it differs only behind what is committed, and workers
    /// had said more; be it that a note stands in for what was committed, or that they ended
    /// between saying and committing it.
    pub fn can_be_told(&self, partition: usize, messages: &[SourceMessage], low: i64) -> bool {
        let log = &self.source_logs[partition];
        let ReadTo { epoch, known_by } = log.read_to;
        let differs = match known_by {
            KnownBy::Message(Bookmark { offset, .. }) if offset < low => false,
            KnownBy::Message(bookmark) => {
                let there = messages.get(bookmark.offset as usize);
                let there = there.map(|there| there.bookmark(bookmark.offset));
                there != Some(bookmark)
            }
            KnownBy::Beginning | KnownBy::Nothing => low < self.read[partition],
        };
        let mut spans = log.spans.iter().filter(|span| span.epoch >= epoch);
        spans.all(|span| {
            let written = span.start.max(low)..span.read.max(span.written);
            let before = self.messages_of(partition, span.generation);
            let is_as_read = written
                .map(|offset| offset as usize)
                .all(|offset| messages.get(offset) == before.get(offset));
            is_as_read || span.epoch == epoch && differs
        })
    }

    /// Workers have said more of a partition than is committed.
    pub fn is_written_ahead(&self, partition: usize) -> bool {
        let span = self.source_logs[partition].spans.last().expect("one");
        span.written > span.read
    }

    fn newest_epoch(&self, partition: usize) -> u32 {
        let epochs = self.catalogue.epochs();
        let newest = epochs.source(TOPIC, partition as u32 + 1);
        newest.epoch_of(partition as u32)
    }

    /// The messages of one of the logs that a partition is or was.
    pub fn messages_of(&self, partition: usize, generation: usize) -> &[SourceMessage] {
        let before = self.source_logs[partition].before.get(generation);
        before.unwrap_or(&self.sources[partition])
    }

    /// What of a partition counts, also what is still to be read: epoch, log, and offsets.
    pub fn counted(&self, partition: usize) -> Vec<(u32, usize, std::ops::Range<i64>)> {
        let log = &self.source_logs[partition];
        let last = log.spans.len() - 1;
        let spans = log.spans.iter().enumerate().map(|(number, span)| {
            let goes_on = number == last && span.generation == log.generation();
            let next = log.spans.get(number + 1);
            let next = next.filter(|next| next.epoch == span.epoch);
            let written = span.read.max(span.written);
            let end = match goes_on {
                true => self.sources[partition].len() as i64,
                false => next.map_or(written, |next| written.min(next.start)),
            };
            (span.epoch, span.generation, span.start..end)
        });
        spans.collect()
    }

    /// Workers have committed how far they have read.
    pub fn commit_read(&mut self, partition: usize, next: i64, read_to: ReadTo) {
        self.read[partition] = next;
        let log = &mut self.source_logs[partition];
        log.read_to = read_to;
        let mut newest = log.spans.iter_mut().rev();
        if let Some(span) = newest.find(|span| span.epoch == read_to.epoch) {
            // A note may be older than what was committed, and written, before.
            span.written = span.written.max(span.read);
            span.read = next;
        }
    }

    /// What workers have found so far is in the matches logs, though nothing of that is committed.
    pub fn write_read(&mut self, partition: usize, next: i64, epoch: u32) {
        let mut newest = self.source_logs[partition].spans.iter_mut().rev();
        if let Some(span) = newest.find(|span| span.epoch == epoch) {
            span.written = span.written.max(next);
        }
    }

    /// How far a partition was read is noted where it was not in this epoch, and now and then.
    pub fn note(&mut self, partition: usize) {
        let read_to = self.source_logs[partition].read_to;
        let (epoch, offset) = (read_to.epoch, self.read[partition]);
        let noted = self.catalogue.noted(TOPIC, partition as u32);
        let is_known = |read_to: ReadTo| read_to.known_by.bookmark().is_some();
        let is_noted = noted.is_some_and(|one| {
            let noted = ReadTo::parse(&one.beside, one.epoch).expect("as it was written");
            let is_near = offset < one.offset + 4;
            one.epoch == epoch && is_near && is_known(noted) == is_known(read_to)
        });
        if is_noted {
            return;
        }
        let beside = read_to.to_text();
        let noted = NotedEntry {
            epoch,
            offset,
            beside,
        };
        self.write_entry(noted.entry(TOPIC, partition as u32));
    }

    /// The brokers forget what was committed of a partition, so that what is noted counts. False:
    /// nobody has noted anything in its epoch.
    pub fn forget_committed(&mut self, partition: usize) -> bool {
        let log = &mut self.source_logs[partition];
        let epoch = log.read_to.epoch;
        let noted = self.catalogue.noted(TOPIC, partition as u32);
        let is_there = |noted: &&NotedEntry| noted.epoch == epoch && noted.offset >= log.low;
        let Some(noted) = noted.filter(is_there) else {
            return false;
        };
        self.read[partition] = noted.offset;
        log.read_to = ReadTo::parse(&noted.beside, epoch).expect("as it was written");
        true
    }

    /// Takes an entry of the rules topic.
    pub fn write_entry(&mut self, entry: (String, Vec<u8>)) {
        let (key, value) = &entry;
        self.catalogue
            .read(key, Some(value))
            .expect("readable entry");
        self.entries.push(entry);
    }

    /// The plan with the epochs that the rules topic has now.
    pub fn with_epochs(&mut self, plan: &Arc<Plan>) -> Arc<Plan> {
        let partitions = plan.sources[0].partitions;
        let source = self.catalogue.epochs().source(TOPIC, partitions);
        if source == plan.sources[0] {
            return Arc::clone(plan);
        }
        let key = format!("plan/{}", plan.hash);
        let mut entries = self.entries.iter().rev();
        let (_, value) = entries.find(|(known, _)| *known == key).expect("written");
        let mut entry: PlanEntry = serde_json::from_slice(value).expect("a plan");
        entry.sources = vec![source];
        let value = serde_json::to_vec(&entry).expect("JSON");
        let hash = Hash::of(&value);
        self.write_entry((format!("plan/{hash}"), value));
        Arc::clone(self.catalogue.plan(hash).expect("plan was written"))
    }

    /// Every record of a source that matched, in the logs in which it counts: `each` has the
    /// partition, too.
    pub fn each_matched(&self, plan: &Arc<Plan>, each: &mut dyn FnMut(u32, MatchedRecord)) {
        let mut matcher = watchfire::detect::Matcher::new(plan);
        for partition in 0..self.sources.len() {
            for (epoch, generation, offsets) in self.counted(partition) {
                let messages = self.messages_of(partition, generation);
                for offset in offsets {
                    let message = &messages[offset as usize];
                    let timestamp = Some(message.timestamp);
                    let message = matcher.message(&message.payload, timestamp);
                    let mut records = matcher.records(&message);
                    while let Some(record) = records.next() {
                        let watchfire::detect::Found::Event {
                            matched: Some(found),
                            ..
                        } = record.outcome
                        else {
                            continue;
                        };
                        let position = Position {
                            epoch,
                            offset,
                            index: record.index,
                        };
                        each(partition as u32, MatchedRecord { position, ..found });
                    }
                }
            }
        }
    }

    /// Nothing of the logs that are there was passed over, but what was deleted before anybody had
    /// read it, and what is older than all that was read before.
    pub fn check_sources_are_read(&self) {
        for (partition, log) in self.source_logs.iter().enumerate() {
            let messages = &self.sources[partition];
            let span = log.spans.last().expect("one");
            assert_eq!(span.generation, log.generation(), "{partition} is not read");
            assert_eq!(span.read, messages.len() as i64, "{partition} is not read");
            let after_losses = log.spans.iter().rev();
            let after_losses = after_losses.take_while(|one| one.lost_from.is_some());
            let of_epoch = &log.spans[log.spans.len() - 1 - after_losses.count()..];
            for (one, next) in of_epoch.iter().zip(&of_epoch[1..]) {
                let is_said = next.lost_from.is_some_and(|lost| lost <= one.read);
                assert!(is_said, "{partition}: {:#?}", log.spans);
            }
            let first = of_epoch[0];
            let passed = messages[..first.start as usize].iter().enumerate();
            let mut passed = passed.filter(|(offset, message)| {
                let too_young = first.not_older;
                let too_young = too_young.is_none_or(|oldest| message.timestamp >= oldest);
                too_young && *offset as i64 >= log.low
            });
            let lost = passed.find(|(offset, _)| !self.was_deleted(partition, first, *offset));
            let lost = lost.map(|(offset, message)| (offset, message.timestamp));
            assert!(lost.is_none(), "{partition}: {lost:?}\n{:#?}", log.spans);
        }
    }

    /// Retention had deleted this very message when an epoch began. It is there again: the log
    /// was cut short, and what is left of it is a copy that still had the message.
    fn was_deleted(&self, partition: usize, epoch: Span, offset: usize) -> bool {
        let (generation, low) = epoch.begun_in;
        let before = self.messages_of(partition, generation).get(offset);
        (offset as i64) < low && before == self.sources[partition].get(offset)
    }

    /// All that stands in the matches logs was read where it says.
    pub fn check_positions(&self, text: &dyn Fn(Hash) -> Option<String>) {
        for matches in 0..self.logs.len() {
            for message in self.log(matches) {
                for section in &message.message.sections {
                    for record in &section.records {
                        self.check_position(section.partition, record, text);
                    }
                }
            }
        }
    }

    fn check_position(
        &self,
        partition: u32,
        record: &MatchedRecord,
        text: &dyn Fn(Hash) -> Option<String>,
    ) {
        let Position { epoch, offset, .. } = record.position;
        let Some(text) = text(record.hash) else {
            return;
        };
        let mut spans = self.source_logs[partition as usize].spans.iter();
        let stands_there = spans.any(|span| {
            let messages = self.messages_of(partition as usize, span.generation);
            let message = messages.get(offset as usize);
            let payload = message.map(|message| String::from_utf8_lossy(&message.payload));
            span.epoch == epoch && payload.is_some_and(|payload| payload.contains(&text))
        });
        assert!(
            stands_there,
            "{partition}: {:?} is not what was read there: {text}\n{:#?}",
            record.position, self.source_logs[partition as usize].spans
        );
    }
}

/// A source partition that a worker reads.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    pub next: i64,
    read_to: ReadTo,
    /// The log that it knows.
    generation: usize,
    /// The first message that this had when it began to read.
    low: i64,
}

impl Reading {
    /// It is read to the end of the log that it knows.
    pub fn is_at_end(&self, world: &World, partition: u32) -> bool {
        let log = &world.source_logs[partition as usize];
        let end = world.sources[partition as usize].len() as i64;
        self.generation == log.generation() && self.next == end
    }
}

/// Source partitions as far as a worker has read them.
pub type Progress = BTreeMap<u32, (i64, ReadTo)>;

impl DetectWorker {
    /// How far it has read.
    pub(super) fn progress(&self) -> Progress {
        let readings = self.readings.iter();
        readings
            .map(|(partition, reading)| (*partition, (reading.next, reading.read_to)))
            .collect()
    }

    /// Begins to read a partition where it was committed. One that is another log, or is in a
    /// later epoch than its plan knows, has to wait until [`DetectWorker::settle`].
    pub fn assign(&mut self, world: &World, partition: u32) {
        let log = &world.source_logs[partition as usize];
        let epoch = self.plan.sources[0].epoch_of(partition);
        let judged = judge(world, partition);
        let is_later = epoch < log.read_to.epoch;
        if is_later || log.read_to.epoch == epoch && is_another(judged) {
            self.doubted.insert(partition);
            return;
        }
        let (low, high) = bounds(world, partition);
        let begin_at = world.catalogue.epochs().begin_at(TOPIC, partition);
        let next = world.read[partition as usize];
        let start = read_to::go_on(next, log.read_to, epoch, begin_at, low, high);
        let offset = match start {
            GoOn::At(offset) | GoOn::Deleted { low: offset, .. } => offset,
            GoOn::NotOlder(timestamp) => first_not_older(world, partition, timestamp),
        };
        self.read_from(world, partition, offset, epoch);
        let known = log.spans.last().map(|span| (span.epoch, span.generation));
        let goes_on = start == GoOn::At(next) && known == Some((epoch, log.generation()));
        if let (false, Some(reading)) = (goes_on, self.readings.get(&partition)) {
            self.begun.insert(partition, (start, *reading));
        }
    }

    fn read_from(&mut self, world: &World, partition: u32, next: i64, epoch: u32) {
        let log = &world.source_logs[partition as usize];
        self.detector.assign(place(partition), next);
        let known_by = match bookmark_at(world, partition, next - 1) {
            _ if epoch == log.read_to.epoch => log.read_to.known_by,
            Some(bookmark) => KnownBy::Message(bookmark),
            None => KnownBy::Beginning,
        };
        let reading = Reading {
            next,
            read_to: ReadTo { epoch, known_by },
            generation: log.generation(),
            low: log.low,
        };
        self.readings.insert(partition, reading);
    }

    /// A commit is on its way.
    pub fn is_committing(&self) -> bool {
        self.on_its_way.is_some()
    }

    /// A partition has become another log, and it has not heard of that.
    pub(super) fn reads_what_is_gone(&self, world: &World) -> bool {
        let mut readings = self.readings.iter();
        readings.any(|(partition, reading)| {
            reading.generation != world.source_logs[*partition as usize].generation()
        })
    }

    /// Hears from the brokers of which partitions it does not know the log any more.
    pub fn look(&mut self, world: &World) {
        let changed = self.readings.iter().filter(|(partition, reading)| {
            let log = &world.source_logs[**partition as usize];
            let (low, _) = bounds(world, **partition);
            reading.generation != log.generation() || reading.next < low
        });
        self.doubted
            .extend(changed.map(|(partition, _)| *partition));
    }

    /// Reads the next message of a partition, if there is one, and its log is the one it knows.
    pub fn read(&mut self, world: &World, partition: u32) -> bool {
        self.look(world);
        if self.doubted.contains(&partition) {
            return false;
        }
        let Some(reading) = self.readings.get_mut(&partition) else {
            return false;
        };
        let Some(message) = world.sources[partition as usize].get(reading.next as usize) else {
            return false;
        };
        let timestamp = Some(message.timestamp);
        self.detector
            .read(place(partition), reading.next, timestamp, &message.payload);
        let bookmark = Bookmark::of(reading.next, timestamp, &message.payload);
        reading.read_to.known_by = KnownBy::Message(bookmark);
        reading.next += 1;
        true
    }

    /// Commits what was read, and compares the logs of which that is not known: those that are
    /// others begin in a new epoch, or wait for somebody. How many there were.
    pub fn settle(&mut self, world: &mut World, on_replaced: OnReplacedSource) -> usize {
        if self.doubted.is_empty() {
            return 0;
        }
        self.commit(world, true);
        let mut replaced = 0;
        for partition in std::mem::take(&mut self.doubted) {
            self.detector.revoke(place(partition));
            self.readings.remove(&partition);
            let log = &world.source_logs[partition as usize];
            let epoch = world.catalogue.epochs().source(TOPIC, partition + 1);
            let is_current = log.read_to.epoch == epoch.epoch_of(partition);
            let judged = judge(world, partition);
            if is_current && is_another(judged) {
                replaced += 1;
                if let Judgement::Another(sign) = judged {
                    world.source_logs[partition as usize].signs.push(sign);
                }
                if on_replaced == OnReplacedSource::Stop {
                    self.doubted.insert(partition);
                    continue;
                }
                let epoch = world.source_logs[partition as usize].read_to.epoch;
                let entry = Epochs::raise_partition(TOPIC, partition, epoch);
                world.write_entry(entry);
            }
            self.follow(world);
            self.assign(world, partition);
            self.note_begun(world);
        }
        replaced
    }

    /// Goes on with the plan of all epochs that are known: as a worker does that gets a newer one.
    fn follow(&mut self, world: &mut World) {
        let plan = world.with_epochs(&self.plan);
        if plan.hash == self.plan.hash {
            return;
        }
        self.commit(world, true);
        let before = std::mem::replace(self, DetectWorker::new(world, plan));
        self.doubted = before.doubted;
        self.begun = before.begun;
        for (partition, reading) in before.readings {
            let epoch = self.plan.sources[0].epoch_of(partition);
            if epoch == reading.read_to.epoch {
                self.detector.assign(place(partition), reading.next);
                self.readings.insert(partition, reading);
            } else {
                self.assign(world, partition);
            }
        }
    }

    /// The world learns what is read anew.
    pub(super) fn note_begun(&mut self, world: &mut World) {
        for (partition, (start, reading)) in std::mem::take(&mut self.begun) {
            let log = &mut world.source_logs[partition as usize];
            let last = log.spans.last().copied();
            let lost_from = match start {
                GoOn::Deleted { low, lost } => Some(low - lost),
                GoOn::At(_) | GoOn::NotOlder(_) => None,
            };
            if last.is_some_and(|last| last.epoch > reading.read_to.epoch) {
                // Another worker has begun a later one, and this one's commits are refused.
                continue;
            }
            let last = last.filter(|last| last.epoch == reading.read_to.epoch);
            if let (Some(last), None) = (last, lost_from) {
                log.spans.pop();
                let is_read = last.read > last.start;
                let is_elsewhere = last.generation != reading.generation;
                if last.read == reading.next || is_read && is_elsewhere {
                    // The same log, though not in the same place; perhaps by what was noted.
                    let generation = reading.generation;
                    log.spans.push(Span { generation, ..last });
                    continue;
                }
                if is_read {
                    // Another worker has begun it, too, and has committed what it read.
                    log.spans.push(last);
                    continue;
                }
            }
            let written = last.filter(|last| last.written > last.start);
            let written = written.map_or(0, |last| last.written);
            log.spans.push(Span {
                epoch: reading.read_to.epoch,
                generation: reading.generation,
                start: reading.next,
                read: reading.next,
                written: written.max(reading.next),
                not_older: match start {
                    GoOn::NotOlder(timestamp) => Some(timestamp),
                    GoOn::At(_) | GoOn::Deleted { .. } => None,
                },
                lost_from,
                begun_in: (reading.generation, reading.low),
            });
        }
    }
}

fn bounds(world: &World, partition: u32) -> (i64, i64) {
    let low = world.source_logs[partition as usize].low;
    let end = world.sources[partition as usize].len() as i64;
    (low.min(end), end)
}

fn judge(world: &World, partition: u32) -> Judgement {
    let (low, high) = bounds(world, partition);
    let known_by = world.source_logs[partition as usize].read_to.known_by;
    let offset = known_by.bookmark().map_or(-1, |bookmark| bookmark.offset);
    let there = bookmark_at(world, partition, offset).map_or(There::Unknown, There::Message);
    let found = LogNow { low, high, there };
    bookmark::judge(world.read[partition as usize], known_by, found)
}

/// That of the message at an offset, if it is there.
fn bookmark_at(world: &World, partition: u32, offset: i64) -> Option<Bookmark> {
    let (low, _) = bounds(world, partition);
    let place = usize::try_from(offset.max(-1)).ok();
    let place = place.filter(|_| offset >= low)?;
    let message = world.sources[partition as usize].get(place)?;
    Some(message.bookmark(offset))
}

/// An end too low stays so in this world.
fn is_another(judgement: Judgement) -> bool {
    match judgement {
        Judgement::Another(_) | Judgement::EndTooLow => true,
        Judgement::Same | Judgement::Incomparable(_) => false,
    }
}

fn first_not_older(world: &World, partition: u32, timestamp: i64) -> i64 {
    let (low, _) = bounds(world, partition);
    let messages = (0_i64..).zip(&world.sources[partition as usize]);
    let mut there = messages.filter(|(offset, _)| *offset >= low);
    let first = there.find(|(_, message)| message.timestamp >= timestamp);
    first.map_or(low, |(offset, _)| offset)
}

/// All partitions of the source begin in a new epoch, as `topics reset` has them.
pub fn reset(world: &mut World, begin_at: BeginAt) {
    let entry = world.catalogue.epochs().raise_topic(TOPIC, begin_at);
    world.write_entry(entry);
}
