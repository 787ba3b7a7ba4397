//! Checks that the lengths in a response fit its bytes.
//!
//! The decoder allocates memory for all elements that an array declares before it reads the first
//! one. A wrong number could exhaust memory and abort the process, so every response is checked
//! before it is decoded.

use bytes::Buf as _;
use kafka_protocol::messages::ApiKey;

use self::Field::{Array, Blob, Fixed, Text};

/// A field's layout. Consecutive fields of fixed size are merged into one.
enum Field {
    /// An array of structures with these fields.
    Array(&'static [Self]),
    Blob,
    Fixed(usize),
    Text,
}

/// Whether all lengths in the response fit its bytes.
///
/// Returns false for an API version that the mapping does not use.
pub(super) fn fits(api: ApiKey, version: i16, mut response: &[u8]) -> bool {
    fields(api, version).is_some_and(|fields| skip(&mut response, fields).is_some())
}

/// The fields of a response, from <https://kafka.apache.org/protocol>.
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

fn skip(response: &mut &[u8], fields: &[Field]) -> Option<()> {
    for field in fields {
        match field {
            // Each element takes at least one byte, so this loop ends with the response.
            Array(fields) => {
                for _ in 0..response.try_get_i32().ok()? {
                    skip(response, fields)?;
                }
            }
            Blob => {
                let length = response.try_get_i32().ok()?;
                skip_bytes(response, length)?;
            }
            Fixed(bytes) => *response = response.get(*bytes..)?,
            Text => {
                let length = response.try_get_i16().ok()?;
                skip_bytes(response, length.into())?;
            }
        }
    }
    Some(())
}

/// Skips `length` bytes, or none if the length is negative (null).
fn skip_bytes(response: &mut &[u8], length: i32) -> Option<()> {
    *response = response.get(length.max(0).try_into().ok()?..)?;
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

    fn encode(response: &impl Encodable, version: i16) -> Bytes {
        let mut bytes = BytesMut::new();
        response.encode(&mut bytes, version).unwrap();
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

    /// A response of each API, with elements in every array.
    fn responses() -> Vec<(ApiKey, i16, Bytes)> {
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
    fn a_whole_response_fits_and_a_truncated_one_does_not() {
        for (api, version, response) in responses() {
            let mut rest = &response[..];
            let skipped = skip(&mut rest, fields(api, version).unwrap());
            assert_eq!((skipped, rest.len()), (Some(()), 0), "{api:?}");
            for length in 0..response.len() {
                assert!(!fits(api, version, &response[..length]), "{api:?} {length}");
            }
        }
    }

    #[test]
    fn an_array_longer_than_the_response_does_not_fit() {
        let mut response = encode(&metadata(), 4).to_vec();
        // The number of brokers, which follows the throttle time.
        response[4..8].copy_from_slice(&i32::MAX.to_be_bytes());
        assert!(!fits(ApiKey::Metadata, 4, &response));
    }

    #[test]
    fn an_api_version_that_the_mapping_does_not_use_does_not_fit() {
        assert!(!fits(ApiKey::Metadata, 5, &[0; 100]));
        assert!(!fits(ApiKey::Heartbeat, 0, &[0; 100]));
    }
}
