//! The shape of an answer: whether its arrays fit the bytes that are there.
//!
//! The decoder makes room for as many elements as an array announces before it reads the first one. A wrong number could
//! so ask for more memory than there is, which ends the process. Hence every answer is walked through first.

use bytes::Buf as _;
use kafka_protocol::messages::ApiKey;

use self::Field::{Array, Blob, Fixed, Text};

/// A field, as far as lengths go. Consecutive ones of fixed size are taken together.
enum Field {
    /// Structures of these fields.
    Array(&'static [Self]),
    Blob,
    Fixed(usize),
    Text,
}

/// Whether an answer is as long as its lengths say; not where the API is none that the mapping asks, in that version.
pub(super) fn fits(api: ApiKey, version: i16, mut answer: &[u8]) -> bool {
    fields(api, version).is_some_and(|fields| skip(&mut answer, fields).is_some())
}

/// The fields of an answer, from <https://kafka.apache.org/protocol>.
fn fields(api: ApiKey, version: i16) -> Option<&'static [Field]> {
    Some(match (api, version) {
        (ApiKey::Fetch, 4) => &[
            Fixed(4),
            Array(&[Text, Array(&[Fixed(22), Array(&[Fixed(16)]), Blob])]),
        ],
        (ApiKey::FindCoordinator, 1) => &[Fixed(6), Text, Fixed(4), Text, Fixed(4)],
        (ApiKey::ListOffsets, 1) => &[Array(&[Text, Array(&[Fixed(22)])])],
        (ApiKey::Metadata, 4) => &[
            Fixed(4),
            Array(&[Fixed(4), Text, Fixed(4), Text]),
            Text,
            Fixed(4),
            Array(&[
                Fixed(2),
                Text,
                Fixed(1),
                Array(&[Fixed(10), Array(&[Fixed(4)]), Array(&[Fixed(4)])]),
            ]),
        ],
        (ApiKey::OffsetCommit, 2) => &[Array(&[Text, Array(&[Fixed(6)])])],
        (ApiKey::OffsetFetch, 2) => &[
            Array(&[Text, Array(&[Fixed(12), Text, Fixed(2)])]),
            Fixed(2),
        ],
        (ApiKey::Produce, 3) => &[Array(&[Text, Array(&[Fixed(22)])]), Fixed(4)],
        _ => return None,
    })
}

fn skip(answer: &mut &[u8], fields: &[Field]) -> Option<()> {
    for field in fields {
        match field {
            // Each element has bytes of its own, so that this ends with the answer.
            Array(fields) => {
                for _ in 0..answer.try_get_i32().ok()? {
                    skip(answer, fields)?;
                }
            }
            Blob => {
                let length = answer.try_get_i32().ok()?;
                skip_bytes(answer, length)?;
            }
            Fixed(bytes) => *answer = answer.get(*bytes..)?,
            Text => {
                let length = answer.try_get_i16().ok()?;
                skip_bytes(answer, length.into())?;
            }
        }
    }
    Some(())
}

/// Skips so many bytes; a negative length is that of null.
fn skip_bytes(answer: &mut &[u8], length: i32) -> Option<()> {
    *answer = answer.get(length.max(0).try_into().ok()?..)?;
    Some(())
}

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};
    use kafka_protocol::{
        messages::{
            BrokerId, FetchResponse, FindCoordinatorResponse, ListOffsetsResponse,
            MetadataResponse, OffsetCommitResponse, OffsetFetchResponse, ProduceResponse,
            TopicName, fetch_response, list_offsets_response, metadata_response,
            offset_commit_response, offset_fetch_response, produce_response,
        },
        protocol::{Encodable, StrBytes},
    };

    use super::*;

    fn encode(answer: &impl Encodable, version: i16) -> Bytes {
        let mut bytes = BytesMut::new();
        answer.encode(&mut bytes, version).unwrap();
        bytes.freeze()
    }

    fn text() -> StrBytes {
        StrBytes::from_static_str("text")
    }

    fn metadata() -> MetadataResponse {
        let broker = metadata_response::MetadataResponseBroker::default()
            .with_host(text())
            .with_rack(Some(text()));
        let partition = metadata_response::MetadataResponsePartition::default()
            .with_replica_nodes(vec![BrokerId(1); 3])
            .with_isr_nodes(vec![BrokerId(1); 2]);
        let topic = metadata_response::MetadataResponseTopic::default()
            .with_name(Some(TopicName(text())))
            .with_partitions(vec![partition; 2]);
        MetadataResponse::default()
            .with_brokers(vec![broker; 2])
            .with_cluster_id(Some(text()))
            .with_topics(vec![topic; 2])
    }

    fn fetch() -> FetchResponse {
        let aborted = fetch_response::AbortedTransaction::default();
        let partition = fetch_response::PartitionData::default()
            .with_aborted_transactions(Some(vec![aborted; 2]))
            .with_records(Some("records".into()));
        let none = fetch_response::PartitionData::default().with_aborted_transactions(None);
        let topic = fetch_response::FetchableTopicResponse::default()
            .with_topic(TopicName(text()))
            .with_partitions(vec![partition, none]);
        FetchResponse::default().with_responses(vec![topic; 2])
    }

    /// An answer of each API, with something in every array.
    fn answers() -> Vec<(ApiKey, i16, Bytes)> {
        let coordinator = FindCoordinatorResponse::default().with_host(text());
        let listed = list_offsets_response::ListOffsetsTopicResponse::default()
            .with_name(TopicName(text()))
            .with_partitions(vec![Default::default(); 2]);
        let listed = ListOffsetsResponse::default().with_topics(vec![listed; 2]);
        let committed = offset_commit_response::OffsetCommitResponseTopic::default()
            .with_name(TopicName(text()))
            .with_partitions(vec![Default::default(); 2]);
        let committed = OffsetCommitResponse::default().with_topics(vec![committed; 2]);
        let found = offset_fetch_response::OffsetFetchResponsePartition::default()
            .with_metadata(Some(text()));
        let found = offset_fetch_response::OffsetFetchResponseTopic::default()
            .with_name(TopicName(text()))
            .with_partitions(vec![found; 2]);
        let found = OffsetFetchResponse::default().with_topics(vec![found; 2]);
        let produced = produce_response::TopicProduceResponse::default()
            .with_name(TopicName(text()))
            .with_partition_responses(vec![Default::default(); 2]);
        let produced = ProduceResponse::default().with_responses(vec![produced; 2]);
        vec![
            (ApiKey::Fetch, 4, encode(&fetch(), 4)),
            (ApiKey::FindCoordinator, 1, encode(&coordinator, 1)),
            (ApiKey::ListOffsets, 1, encode(&listed, 1)),
            (ApiKey::Metadata, 4, encode(&metadata(), 4)),
            (ApiKey::OffsetCommit, 2, encode(&committed, 2)),
            (ApiKey::OffsetFetch, 2, encode(&found, 2)),
            (ApiKey::Produce, 3, encode(&produced, 3)),
        ]
    }

    #[test]
    fn an_answer_fits_and_one_that_is_cut_short_does_not() {
        for (api, version, answer) in answers() {
            let mut rest = &answer[..];
            let skipped = skip(&mut rest, fields(api, version).unwrap());
            assert_eq!((skipped, rest.len()), (Some(()), 0), "{api:?}");
            for length in 0..answer.len() {
                assert!(!fits(api, version, &answer[..length]), "{api:?} {length}");
            }
        }
    }

    #[test]
    fn a_number_of_elements_that_are_not_there_does_not_fit() {
        let mut answer = encode(&metadata(), 4).to_vec();
        // That of the brokers, behind the throttle time.
        answer[4..8].copy_from_slice(&i32::MAX.to_be_bytes());
        assert!(!fits(ApiKey::Metadata, 4, &answer));
    }

    #[test]
    fn what_the_mapping_does_not_ask_does_not_fit() {
        assert!(!fits(ApiKey::Metadata, 5, &[0; 100]));
        assert!(!fits(ApiKey::Heartbeat, 0, &[0; 100]));
    }
}
