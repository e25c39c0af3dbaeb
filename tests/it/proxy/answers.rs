//! Answers with errors of the proxy's own making, and changes of those that brokers give.

use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{
    AddOffsetsToTxnResponse, AddPartitionsToTxnResponse, CreateTopicsResponse,
    DescribeConfigsResponse, EndTxnResponse, FetchResponse, FindCoordinatorResponse,
    HeartbeatResponse, InitProducerIdResponse, JoinGroupResponse, LeaveGroupResponse,
    ListOffsetsResponse, OffsetCommitResponse, OffsetFetchResponse, ProduceResponse, RequestKind,
    ResponseKind, SyncGroupResponse, TxnOffsetCommitResponse,
    add_partitions_to_txn_response as added, create_topics_response as created,
    describe_configs_response as described, fetch_response as fetched,
    find_coordinator_response as coordinator, list_offsets_response as listed,
    offset_commit_response as committed, offset_fetch_response as offsets,
    produce_response as produced, txn_offset_commit_response as in_transaction,
};
use kafka_protocol::protocol::StrBytes;

/// An answer to a request that says this error of everything; `None`: such requests have none.
pub fn refusal(request: &RequestKind, error: ResponseError) -> Option<ResponseKind> {
    let code = error.code();
    Some(match request {
        RequestKind::EndTxn(_) => EndTxnResponse::default().with_error_code(code).into(),
        RequestKind::AddOffsetsToTxn(_) => {
            let answer = AddOffsetsToTxnResponse::default();
            answer.with_error_code(code).into()
        }
        RequestKind::InitProducerId(_) => {
            let answer = InitProducerIdResponse::default();
            let answer = answer.with_error_code(code).with_producer_id((-1).into());
            answer.with_producer_epoch(-1).into()
        }
        RequestKind::Heartbeat(_) => HeartbeatResponse::default().with_error_code(code).into(),
        RequestKind::SyncGroup(_) => SyncGroupResponse::default().with_error_code(code).into(),
        RequestKind::LeaveGroup(_) => LeaveGroupResponse::default().with_error_code(code).into(),
        RequestKind::JoinGroup(join) => {
            let answer = JoinGroupResponse::default().with_error_code(code);
            let name = Some(StrBytes::new());
            let answer = answer.with_protocol_name(name).with_generation_id(-1);
            answer.with_member_id(join.member_id.clone()).into()
        }
        RequestKind::AddPartitionsToTxn(_)
        | RequestKind::TxnOffsetCommit(_)
        | RequestKind::OffsetCommit(_)
        | RequestKind::OffsetFetch(_) => refused_offsets(request, code)?,
        RequestKind::Fetch(_) | RequestKind::Produce(_) | RequestKind::ListOffsets(_) => {
            refused_data(request, code)?
        }
        RequestKind::FindCoordinator(_)
        | RequestKind::CreateTopics(_)
        | RequestKind::DescribeConfigs(_) => refused_questions(request, code)?,
        _ => return None,
    })
}

fn refused_offsets(request: &RequestKind, code: i16) -> Option<ResponseKind> {
    Some(match request {
        RequestKind::AddPartitionsToTxn(request) => {
            let topics = request.v3_and_below_topics.iter().map(|topic| {
                let partitions = topic.partitions.iter().map(|partition| {
                    let result = added::AddPartitionsToTxnPartitionResult::default();
                    let result = result.with_partition_index(*partition);
                    result.with_partition_error_code(code)
                });
                added::AddPartitionsToTxnTopicResult::default()
                    .with_name(topic.name.clone())
                    .with_results_by_partition(partitions.collect())
            });
            AddPartitionsToTxnResponse::default()
                .with_results_by_topic_v3_and_below(topics.collect())
                .into()
        }
        RequestKind::TxnOffsetCommit(request) => {
            let topics = request.topics.iter().map(|topic| {
                let partitions = topic.partitions.iter().map(|partition| {
                    let answer = in_transaction::TxnOffsetCommitResponsePartition::default();
                    let answer = answer.with_partition_index(partition.partition_index);
                    answer.with_error_code(code)
                });
                in_transaction::TxnOffsetCommitResponseTopic::default()
                    .with_name(topic.name.clone())
                    .with_partitions(partitions.collect())
            });
            let answer = TxnOffsetCommitResponse::default();
            answer.with_topics(topics.collect()).into()
        }
        RequestKind::OffsetCommit(request) => {
            let topics = request.topics.iter().map(|topic| {
                let partitions = topic.partitions.iter().map(|partition| {
                    let answer = committed::OffsetCommitResponsePartition::default();
                    let answer = answer.with_partition_index(partition.partition_index);
                    answer.with_error_code(code)
                });
                committed::OffsetCommitResponseTopic::default()
                    .with_name(topic.name.clone())
                    .with_topic_id(topic.topic_id)
                    .with_partitions(partitions.collect())
            });
            let answer = OffsetCommitResponse::default();
            answer.with_topics(topics.collect()).into()
        }
        RequestKind::OffsetFetch(request) => {
            let groups = request.groups.iter().map(|group| {
                let answer = offsets::OffsetFetchResponseGroup::default();
                let answer = answer.with_group_id(group.group_id.clone());
                answer.with_error_code(code)
            });
            let groups: Vec<_> = groups.collect();
            let code = if groups.is_empty() { code } else { 0 };
            let answer = OffsetFetchResponse::default().with_error_code(code);
            answer.with_groups(groups).into()
        }
        _ => return None,
    })
}

fn refused_data(request: &RequestKind, code: i16) -> Option<ResponseKind> {
    Some(match request {
        RequestKind::Fetch(request) => {
            let topics = request.topics.iter().map(|topic| {
                let partitions = topic.partitions.iter().map(|partition| {
                    let answer = fetched::PartitionData::default().with_error_code(code);
                    let answer = answer.with_partition_index(partition.partition);
                    let answer = answer.with_high_watermark(-1).with_last_stable_offset(-1);
                    answer.with_records(Some(Default::default()))
                });
                fetched::FetchableTopicResponse::default()
                    .with_topic(topic.topic.clone())
                    .with_topic_id(topic.topic_id)
                    .with_partitions(partitions.collect())
            });
            let answer = FetchResponse::default();
            answer.with_responses(topics.collect()).into()
        }
        RequestKind::Produce(request) => {
            let topics = request.topic_data.iter().map(|topic| {
                let partitions = topic.partition_data.iter().map(|partition| {
                    let answer = produced::PartitionProduceResponse::default();
                    let answer = answer.with_index(partition.index).with_error_code(code);
                    answer.with_base_offset(-1)
                });
                produced::TopicProduceResponse::default()
                    .with_name(topic.name.clone())
                    .with_topic_id(topic.topic_id)
                    .with_partition_responses(partitions.collect())
            });
            let answer = ProduceResponse::default();
            answer.with_responses(topics.collect()).into()
        }
        RequestKind::ListOffsets(request) => {
            let topics = request.topics.iter().map(|topic| {
                let partitions = topic.partitions.iter().map(|partition| {
                    let answer = listed::ListOffsetsPartitionResponse::default();
                    let answer = answer.with_partition_index(partition.partition_index);
                    answer.with_error_code(code).with_offset(-1)
                });
                listed::ListOffsetsTopicResponse::default()
                    .with_name(topic.name.clone())
                    .with_partitions(partitions.collect())
            });
            let answer = ListOffsetsResponse::default();
            answer.with_topics(topics.collect()).into()
        }
        _ => return None,
    })
}

fn refused_questions(request: &RequestKind, code: i16) -> Option<ResponseKind> {
    Some(match request {
        RequestKind::FindCoordinator(request) => {
            let keys = request.coordinator_keys.iter().map(|key| {
                let answer = coordinator::Coordinator::default().with_key(key.clone());
                answer.with_error_code(code).with_node_id((-1).into())
            });
            let answer = FindCoordinatorResponse::default().with_error_code(code);
            let answer = answer.with_node_id((-1).into()).with_port(-1);
            answer.with_coordinators(keys.collect()).into()
        }
        RequestKind::CreateTopics(request) => {
            let topics = request.topics.iter().map(|topic| {
                let answer = created::CreatableTopicResult::default();
                answer.with_name(topic.name.clone()).with_error_code(code)
            });
            let answer = CreateTopicsResponse::default();
            answer.with_topics(topics.collect()).into()
        }
        RequestKind::DescribeConfigs(request) => {
            let results = request.resources.iter().map(|resource| {
                described::DescribeConfigsResult::default()
                    .with_error_code(code)
                    .with_resource_type(resource.resource_type)
                    .with_resource_name(resource.resource_name.clone())
            });
            let answer = DescribeConfigsResponse::default();
            answer.with_results(results.collect()).into()
        }
        _ => return None,
    })
}

/// Has an answer name the port `port` where it names the broker's; whether it did.
pub fn readdress(answer: &mut ResponseKind, target: u16, port: u16) -> bool {
    let (target, mut changed) = (i32::from(target), false);
    let mut change = |named: &mut i32| {
        if *named == target {
            (*named, changed) = (i32::from(port), true);
        }
    };
    match answer {
        ResponseKind::Metadata(answer) => {
            answer.brokers.iter_mut().for_each(|b| change(&mut b.port));
        }
        ResponseKind::FindCoordinator(answer) => {
            change(&mut answer.port);
            let coordinators = answer.coordinators.iter_mut();
            coordinators.for_each(|c| change(&mut c.port));
        }
        _ => (),
    }
    changed
}

/// Has an answer say that it was held back for so long; whether such answers can.
pub fn throttle(answer: &mut ResponseKind, time: Duration) -> bool {
    let said = match answer {
        ResponseKind::Produce(answer) => &mut answer.throttle_time_ms,
        ResponseKind::Fetch(answer) => &mut answer.throttle_time_ms,
        ResponseKind::ListOffsets(answer) => &mut answer.throttle_time_ms,
        ResponseKind::Metadata(answer) => &mut answer.throttle_time_ms,
        ResponseKind::OffsetCommit(answer) => &mut answer.throttle_time_ms,
        ResponseKind::OffsetFetch(answer) => &mut answer.throttle_time_ms,
        ResponseKind::FindCoordinator(answer) => &mut answer.throttle_time_ms,
        ResponseKind::JoinGroup(answer) => &mut answer.throttle_time_ms,
        ResponseKind::Heartbeat(answer) => &mut answer.throttle_time_ms,
        ResponseKind::SyncGroup(answer) => &mut answer.throttle_time_ms,
        ResponseKind::InitProducerId(answer) => &mut answer.throttle_time_ms,
        ResponseKind::AddPartitionsToTxn(answer) => &mut answer.throttle_time_ms,
        ResponseKind::AddOffsetsToTxn(answer) => &mut answer.throttle_time_ms,
        ResponseKind::TxnOffsetCommit(answer) => &mut answer.throttle_time_ms,
        ResponseKind::EndTxn(answer) => &mut answer.throttle_time_ms,
        _ => return false,
    };
    *said = i32::try_from(time.as_millis()).unwrap();
    true
}

/// Takes the messages out of the answer to a fetch.
pub fn empty(answer: &mut ResponseKind) -> bool {
    let ResponseKind::Fetch(answer) = answer else {
        return false;
    };
    let partitions = answer.responses.iter_mut().flat_map(|t| &mut t.partitions);
    partitions.for_each(|partition| {
        partition.records = Some(Default::default());
        partition.aborted_transactions = None;
    });
    true
}

/// Takes the offsets out of an answer about committed offsets.
pub fn forget(answer: &mut ResponseKind) -> bool {
    let ResponseKind::OffsetFetch(answer) = answer else {
        return false;
    };
    let partitions = answer.topics.iter_mut().flat_map(|t| &mut t.partitions);
    partitions.for_each(|partition| {
        partition.committed_offset = -1;
        partition.metadata = Some(StrBytes::new());
    });
    let topics = answer.groups.iter_mut().flat_map(|group| &mut group.topics);
    let partitions = topics.flat_map(|topic| &mut topic.partitions);
    partitions.for_each(|partition| {
        partition.committed_offset = -1;
        partition.metadata = Some(StrBytes::new());
    });
    true
}
