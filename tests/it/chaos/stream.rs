//! The known stream: written while faults go on, by a producer that nothing is done to.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::{
    BaseRecord, NoCustomPartitioner, Producer as _, ProducerContext, ThreadedProducer,
};
use watchfire::time::rfc3339;

use crate::kafka::until;
use crate::rng::Rng;
use crate::worker::setup::{UPN, now};

/// Partitions of the source topic at the beginning.
pub const PARTITIONS: usize = 12;

/// Between two messages.
const PAUSE: Duration = Duration::from_millis(40);
/// How far events of a partition are out of order.
const DISORDER_MS: u64 = 4_000;
/// How many people there are; the events of each lie in all partitions.
const USERS: u64 = 16;

/// What rules look for, and last what none does.
const OPERATIONS: [&str; 7] = [
    "VIRTUALMACHINES/RUNCOMMAND/ACTION",
    "VIRTUALMACHINES/READ",
    "VIRTUALMACHINES/WRITE",
    "VIRTUALMACHINES/DELETE",
    "VIRTUALMACHINES/STOP/ACTION",
    "VIRTUALMACHINES/START/ACTION",
    "DISKS/LISTKEYS/ACTION",
];

/// The longest that it takes at the end until the brokers have all.
const FLUSH: Duration = Duration::from_secs(120);

/// What was written.
#[derive(Clone, Default)]
pub struct Sent {
    /// By partition, the values in their order.
    pub values: Vec<Vec<Vec<u8>>>,
    /// By partition, the offsets that the brokers gave them, or the one before.
    pub offsets: Vec<Vec<i64>>,
    pub records: usize,
    /// Records that a rule looks for, whichever rules are in use.
    pub matching: usize,
    /// Records that cannot be read.
    pub broken: usize,
}

/// A partition, and the place of a value among those that were sent to it.
type Place = (usize, usize);

/// Notes what the brokers say to what was sent.
#[derive(Default)]
struct Receipts {
    offsets: Mutex<BTreeMap<Place, i64>>,
    /// What was refused: a broker that has just come back may know nothing of a topic.
    failed: Mutex<Vec<Place>>,
}

impl ClientContext for Receipts {}

impl ProducerContext<NoCustomPartitioner> for Receipts {
    type DeliveryOpaque = Box<Place>;

    fn delivery(&self, result: &DeliveryResult<'_>, place: Box<Place>) {
        match result {
            Ok(message) => {
                self.offsets
                    .lock()
                    .unwrap()
                    .insert(*place, message.offset());
            }
            Err((error, _)) => {
                println!("message {place:?} of the stream is sent again: {error}");
                self.failed.lock().unwrap().push(*place);
            }
        }
    }
}

/// A producer at work.
pub struct Stream {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Sent>,
}

impl Stream {
    /// Writes to so many partitions of the topic until it is ended.
    pub fn start(bootstrap: &str, topic: &str, seed: u64, partitions: Arc<AtomicUsize>) -> Stream {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", bootstrap)
            .set("client.id", "stream")
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("message.timeout.ms", "0")
            // New partitions are known soon.
            .set("topic.metadata.refresh.interval.ms", "1000");
        let receipts = Receipts::default();
        let producer = ThreadedProducer::from_config_and_context(&config, receipts).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (topic, stopped) = (topic.to_owned(), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let mut sent = Sent::default();
            let mut random = Rng::new(seed);
            while !stopped.load(Ordering::Relaxed) {
                sent.values
                    .resize(partitions.load(Ordering::Relaxed), Vec::new());
                let partition = random.index(sent.values.len());
                let value = envelope(&mut random, now(), &mut sent);
                let values = &mut sent.values[partition];
                values.push(value);
                let place = (partition, values.len() - 1);
                send(&producer, &topic, place, &sent.values);
                send_again(&producer, &topic, &sent.values);
                std::thread::sleep(PAUSE);
            }
            producer.flush(FLUSH).unwrap();
            while send_again(&producer, &topic, &sent.values) {
                producer.flush(FLUSH).unwrap();
            }
            sent.take_offsets(&producer.context().offsets.lock().unwrap());
            sent
        });
        Stream { stop, thread }
    }

    /// Ends the stream. No event has a later time than this gives.
    pub fn end(&self) -> i64 {
        self.stop.store(true, Ordering::Relaxed);
        // The last message may be on its way.
        now() + 1000
    }

    /// Waits until the brokers have all of it.
    pub fn finish(self) -> Sent {
        self.thread.join().unwrap()
    }
}

type StreamProducer = ThreadedProducer<Receipts, NoCustomPartitioner>;

/// Sends the value at a place.
fn send(producer: &StreamProducer, topic: &str, place: Place, values: &[Vec<Vec<u8>>]) {
    let record = || {
        BaseRecord::<[u8], [u8], _>::with_opaque_to(topic, Box::new(place))
            .partition(i32::try_from(place.0).unwrap())
            .timestamp(now())
            .payload(values[place.0][place.1].as_slice())
    };
    until("the producer knows the partition", || {
        match producer.send(record()) {
            Ok(()) => true,
            Err((KafkaError::MessageProduction(Code::UnknownPartition), _)) => false,
            Err((error, _)) => panic!("{error}"),
        }
    });
}

/// Sends what was refused again; whether there was any.
fn send_again(producer: &StreamProducer, topic: &str, values: &[Vec<Vec<u8>>]) -> bool {
    let failed = std::mem::take(&mut *producer.context().failed.lock().unwrap());
    for place in &failed {
        send(producer, topic, *place, values);
    }
    !failed.is_empty()
}

impl Sent {
    /// Puts the values in the order of the offsets that the brokers gave them. Of a value that was
    /// there already when it was sent once more they give none: it stands behind the one before it.
    fn take_offsets(&mut self, offsets: &BTreeMap<Place, i64>) {
        self.offsets.clear();
        for (partition, values) in self.values.iter_mut().enumerate() {
            let places = std::mem::take(values).into_iter().enumerate();
            let mut before = -1;
            let mut placed: Vec<(i64, Vec<u8>)> = places
                .map(|(place, value)| {
                    let given = offsets[&(partition, place)];
                    before = if given < 0 { before } else { given };
                    (before, value)
                })
                .collect();
            placed.sort_by_key(|(offset, _)| *offset);
            let (offsets, ordered) = placed.into_iter().unzip();
            self.offsets.push(offsets);
            *values = ordered;
        }
    }
}

/// One to four records, and now and then one that cannot be read among them.
pub fn envelope(random: &mut Rng, clock: i64, sent: &mut Sent) -> Vec<u8> {
    let count = 1 + random.index(4);
    let records: Vec<String> = (0..count)
        .map(|_| {
            sent.records += 1;
            if random.one_in(40) {
                sent.broken += 1;
                return random.below(1000).to_string();
            }
            let operation = random.index(OPERATIONS.len());
            sent.matching += usize::from(operation + 1 < OPERATIONS.len());
            record(random, clock, OPERATIONS[operation])
        })
        .collect();
    format!(r#"{{"records":[{}]}}"#, records.join(",")).into_bytes()
}

fn record(random: &mut Rng, clock: i64, operation: &str) -> String {
    let time = clock - random.below(DISORDER_MS).cast_signed();
    let user = format!("User{}@example.com", random.below(USERS));
    let record = serde_json::json!({
        "time": rfc3339(time),
        "operationName": format!("MICROSOFT.COMPUTE/{operation}"),
        "callerIpAddress": format!("10.0.0.{}", random.below(4)),
        "correlationId": format!("{:x}", random.next()),
        "identity": { "claims": { UPN: user } },
    });
    record.to_string()
}
