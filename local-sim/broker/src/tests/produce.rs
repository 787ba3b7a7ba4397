//! Produce: errors, acks and idempotent producers.

use bytes::Bytes;
use kafka_protocol::{
    ResponseError,
    messages::{
        InitProducerIdRequest, ListOffsetsRequest, produce_response::PartitionProduceResponse,
    },
};

use super::{Running, samples, wire::Wire};
use crate::{
    limits::MESSAGE_BYTES_MAX,
    store::sample::{Sample, records},
};

/// Returns the error code and the offset of the first record.
fn outcome(response: &PartitionProduceResponse) -> (i16, i64) {
    (response.error_code, response.base_offset)
}

#[tokio::test]
async fn each_partition_assigns_consecutive_offsets() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    assert_eq!(
        outcome(&client.produce(0, records(3).bytes()).await),
        (0, 0)
    );
    assert_eq!(
        outcome(&client.produce(0, records(1).bytes()).await),
        (0, 3)
    );
    assert_eq!(
        outcome(&client.produce(1, records(1).bytes()).await),
        (0, 0)
    );
    assert_eq!(client.list_offset(0, -1).await, 4);
    assert_eq!(client.list_offset(1, -1).await, 1);
}

#[tokio::test]
async fn a_rejected_batch_gets_an_error_message_and_is_not_stored() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    let mut check = async |partition, records: Bytes| {
        let response = client.produce(partition, records).await;
        assert_eq!(response.base_offset, -1);
        assert!(
            response
                .error_message
                .is_some_and(|message| !message.is_empty())
        );
        ResponseError::try_from_code(response.error_code)
    };
    let mut corrupt = records(1).bytes().to_vec();
    *corrupt.last_mut().unwrap() ^= 1;
    assert_eq!(
        check(0, corrupt.into()).await,
        Some(ResponseError::CorruptMessage)
    );
    assert_eq!(
        check(0, Bytes::new()).await,
        Some(ResponseError::CorruptMessage)
    );
    let old = Sample {
        magic: 1,
        ..records(1)
    };
    assert_eq!(
        check(0, old.bytes()).await,
        Some(ResponseError::UnsupportedForMessageFormat)
    );
    let large = Sample {
        payload_len: MESSAGE_BYTES_MAX,
        ..records(1)
    };
    assert_eq!(
        check(0, large.bytes()).await,
        Some(ResponseError::MessageTooLarge)
    );
    let odd = Sample {
        count: 2,
        ..records(1)
    };
    assert_eq!(
        check(0, odd.bytes()).await,
        Some(ResponseError::InvalidRecord)
    );
    let codec = Sample {
        attributes: 5,
        ..records(1)
    };
    assert_eq!(
        check(0, codec.bytes()).await,
        Some(ResponseError::UnsupportedCompressionType)
    );
    let transactional = Sample {
        attributes: 16,
        ..records(1)
    };
    assert_eq!(
        check(0, transactional.bytes()).await,
        Some(ResponseError::InvalidTxnState)
    );
    assert_eq!(
        check(2, records(1).bytes()).await,
        Some(ResponseError::UnknownTopicOrPartition)
    );
    assert_eq!(
        check(-1, records(1).bytes()).await,
        Some(ResponseError::UnknownTopicOrPartition)
    );
    assert_eq!(client.list_offset(0, -1).await, 0);
}

#[tokio::test]
async fn producing_to_an_unknown_topic_does_not_create_it() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    let response = client
        .call(9, &samples::produce("u", 0, -1, records(1).bytes()))
        .await;
    let error_code = response.responses[0].partition_responses[0].error_code;
    assert_eq!(error_code, ResponseError::UnknownTopicOrPartition.code());
    let metadata = client
        .call(
            9,
            &samples::metadata(&["u"]).with_allow_auto_topic_creation(false),
        )
        .await;
    assert_eq!(
        metadata.topics[0].error_code,
        ResponseError::UnknownTopicOrPartition.code()
    );
}

#[tokio::test]
async fn acks_must_be_0_1_or_all() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    let mut check = async |acks| {
        let response = client
            .call(9, &samples::produce("t", 0, acks, records(1).bytes()))
            .await;
        outcome(&response.responses[0].partition_responses[0])
    };
    assert_eq!(check(1).await, (0, 0));
    assert_eq!(check(-1).await, (0, 1));
    assert_eq!(
        check(2).await,
        (ResponseError::InvalidRequiredAcks.code(), -1)
    );
    assert_eq!(
        check(-2).await,
        (ResponseError::InvalidRequiredAcks.code(), -1)
    );
}

#[tokio::test]
async fn acks_0_gets_no_response_and_a_failure_closes_the_connection() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    client
        .send(9, &samples::produce("t", 0, 0, records(2).bytes()))
        .await;
    client.send(6, &samples::list_offsets("t", 0, -1)).await;
    let response = client.receive::<ListOffsetsRequest>(6).await;
    assert_eq!(response.topics[0].partitions[0].offset, 2);
    client
        .send(9, &samples::produce("u", 0, 0, records(2).bytes()))
        .await;
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_batch_resent_by_an_idempotent_producer_is_stored_once() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    let producer_id = new_producer(&mut client).await;
    assert_ne!(new_producer(&mut client).await, producer_id);
    let batch = |count, sequence| {
        records(count)
            .with_producer(producer_id, 0, sequence)
            .bytes()
    };
    assert_eq!(outcome(&client.produce(0, batch(2, 0)).await), (0, 0));
    assert_eq!(outcome(&client.produce(0, batch(1, 2)).await), (0, 2));
    assert_eq!(outcome(&client.produce(0, batch(2, 0)).await), (0, 0));
    assert_eq!(outcome(&client.produce(0, batch(1, 2)).await), (0, 2));
    assert_eq!(client.list_offset(0, -1).await, 3);
    let gap = client.produce(0, batch(1, 4)).await;
    assert_eq!(
        outcome(&gap),
        (ResponseError::OutOfOrderSequenceNumber.code(), -1)
    );
    assert_eq!(outcome(&client.produce(1, batch(1, 0)).await), (0, 0));
}

async fn new_producer(client: &mut Wire) -> i64 {
    let request = InitProducerIdRequest::default().with_transactional_id(None);
    let response = client.call(4, &request).await;
    assert_eq!((response.error_code, response.producer_epoch), (0, 0));
    response.producer_id.0
}
