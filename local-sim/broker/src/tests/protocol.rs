//! Framing, versions, and what happens to clients that do not keep to the protocol.

use bytes::{BufMut, Bytes};
use kafka_protocol::{
    ResponseError,
    messages::{
        ApiKey, ApiVersionsRequest, ApiVersionsResponse, FindCoordinatorRequest,
        InitProducerIdRequest, ListOffsetsRequest, MetadataRequest, ResponseHeader,
        SaslHandshakeRequest,
    },
    protocol::Decodable,
};
use proptest::{prelude::*, sample::Index};
use tokio::{runtime, time::timeout};

use super::{ANY_PORT, OPTIONS, PATIENCE, Running, samples, wire::frame};
use crate::{
    cluster::{Cluster, Ends},
    limits::REQUEST_BYTES_MAX,
    request::{self, RequestError, SERVED},
};

#[tokio::test]
async fn every_api_answers_in_every_version() {
    for (api, version, request) in samples::all() {
        let broker = Running::start().await;
        let mut client = broker.connect().await;
        client.send_frame(&request).await;
        let mut response = client
            .receive_frame()
            .await
            .unwrap_or_else(|| panic!("{api:?} version {version}: no response"));
        let header =
            ResponseHeader::decode(&mut response, api.response_header_version(version)).unwrap();
        assert_eq!(header.correlation_id, samples::CORRELATION_ID);
    }
}

#[tokio::test]
async fn api_versions_lists_what_is_served() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    for version in 0..=3 {
        let response = client.call(version, &samples::api_versions(version)).await;
        assert_eq!(response.error_code, 0);
        assert_eq!(listed(&response), served());
    }
}

#[tokio::test]
async fn a_newer_api_versions_request_is_answered_in_the_oldest_format() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    let request = frame(|bytes| {
        bytes.put_i16(ApiKey::ApiVersions as i16);
        bytes.put_i16(99);
        bytes.put_i32(samples::CORRELATION_ID);
        bytes.put_slice(b"whatever is to come");
    });
    client.send_frame(&request).await;
    let response = client.receive::<ApiVersionsRequest>(0).await;
    assert_eq!(
        response.error_code,
        ResponseError::UnsupportedVersion.code()
    );
    assert_eq!(listed(&response), served());
    assert_eq!(client.list_offset(0, -1).await, 0);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    client.send(6, &samples::list_offsets("t", 0, -1)).await;
    client.send(3, &samples::api_versions(3)).await;
    client.send(9, &samples::metadata(&["t"])).await;
    client.receive::<ListOffsetsRequest>(6).await;
    client.receive::<ApiVersionsRequest>(3).await;
    assert_eq!(client.receive::<MetadataRequest>(9).await.topics.len(), 1);
}

#[tokio::test]
async fn a_request_may_come_byte_by_byte() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    let request = samples::encode(6, &samples::list_offsets("t", 0, -1));
    let length = i32::try_from(request.len()).unwrap().to_be_bytes();
    for byte in length.iter().chain(&request) {
        client.send_bytes(&[*byte]).await;
    }
    client.receive::<ListOffsetsRequest>(6).await;
}

#[tokio::test]
async fn what_is_no_request_closes_its_connection_and_no_other() {
    let broker = Running::start().await;
    let mut bystander = broker.connect().await;
    let too_long = i32::try_from(REQUEST_BYTES_MAX + 1).unwrap();
    let length = |length: i32| Bytes::copy_from_slice(&length.to_be_bytes());
    let sent = [
        Bytes::from_static(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        Bytes::from_static(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        length(0),
        length(-1),
        length(too_long),
        Bytes::from_static(b"\0\0\0\x03abc"),
    ];
    for bytes in sent {
        let mut client = broker.connect().await;
        client.send_bytes(&bytes).await;
        assert!(client.is_closed().await, "{bytes:?}");
        assert_eq!(bystander.list_offset(0, -1).await, 0);
    }
}

#[tokio::test]
async fn clients_that_leave_in_the_middle_disturb_nobody() {
    let broker = Running::start().await;
    let mut bystander = broker.connect().await;
    for (_, _, request) in samples::all() {
        let mut client = broker.connect().await;
        client
            .send_bytes(&i32::try_from(request.len()).unwrap().to_be_bytes())
            .await;
        client.send_bytes(&request[..request.len() / 2]).await;
    }
    assert_eq!(bystander.list_offset(0, -1).await, 0);
}

#[tokio::test]
async fn a_client_that_wants_security_hears_that_there_is_none() {
    let broker = Running::start().await;
    let request = SaslHandshakeRequest::default().with_mechanism(samples::text("PLAIN"));
    let response = broker.connect().await.call(1, &request).await;
    assert_eq!(response.error_code, ResponseError::IllegalSaslState.code());
    assert!(response.mechanisms.is_empty());
}

#[tokio::test]
async fn the_one_node_coordinates_groups_and_transactions_are_refused() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    let mut check = async |version, key_type| {
        let request = FindCoordinatorRequest::default()
            .with_key(samples::text("x"))
            .with_key_type(key_type);
        let found = client.call(version, &request).await;
        let address = found.host.parse().map(|ip| (ip, found.port));
        (found.error_code, address.ok())
    };
    let here = Some((broker.address.ip(), i32::from(broker.address.port())));
    for version in 0..=3 {
        assert_eq!(check(version, 0).await, (0, here));
    }
    let refused = ResponseError::InvalidRequest.code();
    assert_eq!(check(2, 1).await, (refused, None));
    assert_eq!(check(2, 2).await, (refused, None));
    let request =
        InitProducerIdRequest::default().with_transactional_id(Some(samples::text("x").into()));
    assert_eq!(
        client.call(4, &request).await.error_code,
        ResponseError::InvalidRequest.code()
    );
}

#[tokio::test]
async fn unknown_apis_and_versions_are_refused() {
    let cluster = Cluster::new(OPTIONS);
    let check = async |api: i16, version: i16| {
        let request = frame(|bytes| {
            bytes.put_i16(api);
            bytes.put_i16(version);
            bytes.put_i32(1);
            bytes.put_i16(-1);
        });
        request::answer(&cluster, NOWHERE, request)
            .await
            .unwrap_err()
            .to_string()
    };
    assert_eq!(check(-1, 0).await, "API key -1 is not served");
    assert_eq!(check(12_345, 0).await, "API key 12345 is not served");
    assert_eq!(
        check(0, 2).await,
        "Produce version 2 is not served, expected 3 to 9"
    );
    assert_eq!(
        check(1, 12).await,
        "Fetch version 12 is not served, expected 4 to 11"
    );
    assert_eq!(
        check(1, -1).await,
        "Fetch version -1 is not served, expected 4 to 11"
    );
    assert_eq!(check(1, 11).await, "Fetch version 11 is malformed");
}

const NOWHERE: Ends = Ends {
    advertised: ANY_PORT,
    client: ANY_PORT,
};

fn listed(response: &ApiVersionsResponse) -> Vec<(i16, i16, i16)> {
    let versions = response.api_keys.iter();
    versions
        .map(|versions| (versions.api_key, versions.min_version, versions.max_version))
        .collect()
}

fn served() -> Vec<(i16, i16, i16)> {
    let versions = SERVED.iter();
    versions
        .map(|(api, versions)| (*api as i16, *versions.start(), *versions.end()))
        .collect()
}

/// Answers a request with nothing but a runtime around it. There is no topic that a fetch could wait for.
fn answer(request: Bytes) -> Result<Option<Bytes>, RequestError> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let cluster = Cluster::new(OPTIONS);
    runtime.block_on(async {
        let answered = request::answer(&cluster, NOWHERE, request);
        timeout(PATIENCE, answered)
            .await
            .expect("an answer in time")
            .map(|answer| answer.response)
    })
}

proptest! {
    #[test]
    fn no_bytes_bring_the_broker_down(
        served in any::<Index>(),
        version in any::<Index>(),
        rest in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let (api, versions) = served.get(&SERVED);
        let versions: Vec<i16> = versions.clone().collect();
        let request = frame(|bytes| {
            bytes.put_i16(*api as i16);
            bytes.put_i16(*version.get(&versions));
            bytes.put_slice(&rest);
        });
        let _ = answer(request);
    }

    #[test]
    fn no_damage_to_a_request_brings_the_broker_down(
        sample in any::<Index>(),
        damages in prop::collection::vec((any::<Index>(), any::<u8>()), 1..8),
    ) {
        let samples = samples::all();
        let mut request = sample.get(&samples).2.to_vec();
        for (at, byte) in damages {
            // Not the API and its version: another test has those.
            let at = 4 + at.index(request.len() - 4);
            request[at] = byte;
        }
        let _ = answer(request.into());
    }
}
