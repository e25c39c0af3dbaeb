//! How brokers speak: Apache Kafka as it is, or less of it, as Event Hubs does.
//!
//! What Event Hubs offers was taken from what users saw and Microsoft's pages say; what only a
//! real namespace can show stands in docs/event-hubs.md.
//! - The versions of the requests: franz-go, issues 527 (2023) and 1312 (2026);
//!   azure-event-hubs-for-kafka, issues 69 and 209.
//! - Offsets committed four times a second for a partition, 1,024 bytes of metadata, group names
//!   of 256 characters: learn.microsoft.com, "Apache Kafka troubleshooting guide for Event Hubs".
//! - Sessions of 6 s to 300 s, connections that end when idle (after 240 s there): the same,
//!   "Recommended configurations for Apache Kafka clients".

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{ApiKey, ApiVersionsResponse, RequestKind};
use kafka_protocol::protocol::StrBytes;

use super::orders::Deed;
use super::wire::Request;

/// A request and the versions of it that are offered.
type Offer = (ApiKey, i16, i16);

/// What all tiers offer.
const BOTH: [Offer; 17] = [
    (ApiKey::Produce, 3, 7),
    (ApiKey::Fetch, 4, 6),
    (ApiKey::ListOffsets, 0, 7),
    (ApiKey::Metadata, 0, 9),
    (ApiKey::OffsetCommit, 0, 8),
    (ApiKey::OffsetFetch, 0, 8),
    (ApiKey::FindCoordinator, 0, 1),
    (ApiKey::JoinGroup, 0, 7),
    (ApiKey::Heartbeat, 0, 4),
    (ApiKey::LeaveGroup, 0, 4),
    (ApiKey::SyncGroup, 0, 5),
    (ApiKey::DescribeGroups, 0, 5),
    (ApiKey::ListGroups, 0, 2),
    (ApiKey::DeleteGroups, 0, 0),
    (ApiKey::SaslHandshake, 0, 1),
    (ApiKey::SaslAuthenticate, 0, 2),
    (ApiKey::ApiVersions, 0, 3),
];

/// What Premium offers besides. Topics and their properties can be asked for there, in vain.
const PREMIUM_ONLY: [Offer; 8] = [
    (ApiKey::InitProducerId, 0, 4),
    (ApiKey::AddPartitionsToTxn, 0, 3),
    (ApiKey::AddOffsetsToTxn, 0, 3),
    (ApiKey::EndTxn, 0, 3),
    (ApiKey::TxnOffsetCommit, 0, 3),
    (ApiKey::OffsetForLeaderEpoch, 0, 4),
    (ApiKey::CreateTopics, 0, 2),
    (ApiKey::DescribeConfigs, 0, 2),
];

/// Between two commits of one partition's offset.
const COMMIT_GAP: Duration = Duration::from_millis(250);
/// What an answer is held back for to a commit that comes too soon.
const HELD_BACK: Duration = Duration::from_millis(300);
/// After so long without a word a connection ends: a hundredth of what it is there.
const IDLE: Duration = Duration::from_millis(2400);

const METADATA_BYTES_MAX: usize = 1024;
const GROUP_CHARS_MAX: usize = 256;
const SESSION_MS: std::ops::RangeInclusive<i32> = 6_000..=300_000;

/// Who speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Speaker {
    #[default]
    Kafka,
    Standard,
    Premium,
}

/// How a broker speaks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dialect {
    pub speaker: Speaker,
    /// A connection ends when nothing was said on it for so long.
    pub idle: Option<Duration>,
}

/// When the offset of which partition was last committed, by group.
#[derive(Default)]
pub struct Limits {
    committed: BTreeMap<(String, String, i32), Instant>,
    too_soon: u32,
}

impl Dialect {
    /// How this one speaks.
    pub fn of(speaker: Speaker) -> Dialect {
        Dialect {
            speaker,
            idle: (speaker != Speaker::Kafka).then_some(IDLE),
        }
    }

    fn offers(self, api: ApiKey) -> Option<(i16, i16)> {
        let find = |offers: &[Offer]| {
            let offer = offers.iter().find(|offer| offer.0 == api)?;
            Some((offer.1, offer.2))
        };
        match self.speaker {
            Speaker::Kafka => Some((0, i16::MAX)),
            Speaker::Standard => find(&BOTH),
            Speaker::Premium => find(&BOTH).or_else(|| find(&PREMIUM_ONLY)),
        }
    }

    /// Has a broker's answer offer no more than the dialect, and than the proxy understands.
    pub fn offer(self, answer: &mut ApiVersionsResponse) {
        answer.api_keys.retain_mut(|offered| {
            let Ok(api) = ApiKey::try_from(offered.api_key) else {
                return self.speaker == Speaker::Kafka;
            };
            let Some((min, max)) = self.offers(api) else {
                return false;
            };
            let known = api.valid_versions().max;
            offered.min_version = offered.min_version.max(min);
            offered.max_version = offered.max_version.min(max).min(known);
            offered.min_version <= offered.max_version
        });
        if self.speaker != Speaker::Kafka {
            answer.supported_features.clear();
            answer.finalized_features.clear();
        }
    }

    /// What is done to a request that this broker does not take, or not yet.
    pub fn decide(self, limits: &mut Limits, request: &Request) -> Option<Deed> {
        if self.speaker == Speaker::Kafka {
            return None;
        }
        let error = match &request.kind {
            RequestKind::CreateTopics(_) | RequestKind::DescribeConfigs(_) => {
                ResponseError::InvalidRequest
            }
            RequestKind::JoinGroup(join) if !SESSION_MS.contains(&join.session_timeout_ms) => {
                ResponseError::InvalidSessionTimeout
            }
            RequestKind::JoinGroup(join) if join.group_id.chars().count() > GROUP_CHARS_MAX => {
                ResponseError::InvalidGroupId
            }
            RequestKind::OffsetCommit(commit) => {
                let partitions = commit.topics.iter().flat_map(|topic| &topic.partitions);
                if !has_large(partitions.map(|p| &p.committed_metadata)) {
                    let places = commit.topics.iter().flat_map(|topic| {
                        let numbers = topic.partitions.iter().map(|p| p.partition_index);
                        numbers.map(|number| (topic.name.to_string(), number))
                    });
                    return limits.commit(&commit.group_id, places);
                }
                ResponseError::OffsetMetadataTooLarge
            }
            RequestKind::TxnOffsetCommit(commit) => {
                let partitions = commit.topics.iter().flat_map(|topic| &topic.partitions);
                if !has_large(partitions.map(|p| &p.committed_metadata)) {
                    return None;
                }
                ResponseError::OffsetMetadataTooLarge
            }
            _ => return None,
        };
        Some(Deed::Refuse(error))
    }
}

/// Whether one of the notes at committed offsets is larger than this broker takes.
fn has_large<'n>(mut notes: impl Iterator<Item = &'n Option<StrBytes>>) -> bool {
    notes.any(|note| {
        note.as_ref()
            .is_some_and(|note| note.len() > METADATA_BYTES_MAX)
    })
}

impl Limits {
    /// Notes a commit; one that comes too soon is held back, or refused, in turns.
    fn commit(&mut self, group: &str, places: impl Iterator<Item = (String, i32)>) -> Option<Deed> {
        let (now, mut soon) = (Instant::now(), false);
        for (topic, partition) in places {
            let place = (group.to_owned(), topic, partition);
            let before = self.committed.insert(place, now);
            soon |= before.is_some_and(|before| now - before < COMMIT_GAP);
        }
        if !soon {
            return None;
        }
        self.too_soon += 1;
        Some(match self.too_soon.is_multiple_of(2) {
            true => Deed::Throttle(HELD_BACK),
            false => Deed::Refuse(ResponseError::ThrottlingQuotaExceeded),
        })
    }
}
