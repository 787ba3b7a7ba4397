//! Framing, versions, and clients that violate the protocol.

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

use super::{ANY_PORT, OPTIONS, Running, TIMEOUT, samples, wire::frame};
use crate::{
    cluster::{Cluster, Endpoints},
    limits::REQUEST_BYTES_MAX,
    request::{self, RequestError, SUPPORTED},
};

#[tokio::test]
async fn every_supported_api_and_version_gets_a_response() {
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
async fn api_versions_lists_all_supported_apis() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    for version in 0..=3 {
        let response = client.call(version, &samples::api_versions(version)).await;
        assert_eq!(response.error_code, 0);
        assert_eq!(listed(&response), supported());
    }
}

#[tokio::test]
async fn a_newer_api_versions_request_gets_a_version_0_response() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    let request = frame(|bytes| {
        bytes.put_i16(ApiKey::ApiVersions as i16);
        bytes.put_i16(99);
        bytes.put_i32(samples::CORRELATION_ID);
        bytes.put_slice(b"fields of a later version");
    });
    client.send_frame(&request).await;
    let response = client.receive::<ApiVersionsRequest>(0).await;
    assert_eq!(
        response.error_code,
        ResponseError::UnsupportedVersion.code()
    );
    assert_eq!(listed(&response), supported());
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
async fn a_request_may_arrive_byte_by_byte() {
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
async fn an_invalid_request_closes_only_its_own_connection() {
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
async fn a_disconnect_in_the_middle_of_a_request_does_not_affect_other_clients() {
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
async fn a_sasl_handshake_is_rejected() {
    let broker = Running::start().await;
    let request = SaslHandshakeRequest::default().with_mechanism(samples::text("PLAIN"));
    let response = broker.connect().await.call(1, &request).await;
    assert_eq!(response.error_code, ResponseError::IllegalSaslState.code());
    assert!(response.mechanisms.is_empty());
}

#[tokio::test]
async fn groups_have_a_coordinator_and_transactions_are_rejected() {
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
    let invalid = ResponseError::InvalidRequest.code();
    assert_eq!(check(2, 1).await, (invalid, None));
    assert_eq!(check(2, 2).await, (invalid, None));
    let request =
        InitProducerIdRequest::default().with_transactional_id(Some(samples::text("x").into()));
    assert_eq!(
        client.call(4, &request).await.error_code,
        ResponseError::InvalidRequest.code()
    );
}

#[tokio::test]
async fn unsupported_apis_and_versions_are_rejected() {
    let cluster = Cluster::new(OPTIONS);
    let check = async |api: i16, version: i16| {
        let request = frame(|bytes| {
            bytes.put_i16(api);
            bytes.put_i16(version);
            bytes.put_i32(1);
            bytes.put_i16(-1);
        });
        request::handle(&cluster, ENDPOINTS, request)
            .await
            .unwrap_err()
            .to_string()
    };
    assert_eq!(check(-1, 0).await, "unsupported API key -1");
    assert_eq!(check(12_345, 0).await, "unsupported API key 12345");
    assert_eq!(
        check(0, 2).await,
        "unsupported Produce version 2, must be 3 to 9"
    );
    assert_eq!(
        check(1, 12).await,
        "unsupported Fetch version 12, must be 4 to 11"
    );
    assert_eq!(
        check(1, -1).await,
        "unsupported Fetch version -1, must be 4 to 11"
    );
    assert_eq!(check(1, 11).await, "Fetch version 11 is malformed");
}

const ENDPOINTS: Endpoints = Endpoints {
    advertised: ANY_PORT,
    client: ANY_PORT,
};

fn listed(response: &ApiVersionsResponse) -> Vec<(i16, i16, i16)> {
    let versions = response.api_keys.iter();
    versions
        .map(|versions| (versions.api_key, versions.min_version, versions.max_version))
        .collect()
}

fn supported() -> Vec<(i16, i16, i16)> {
    let versions = SUPPORTED.iter();
    versions
        .map(|(api, versions)| (*api as i16, *versions.start(), *versions.end()))
        .collect()
}

/// Handles a request without a socket. The cluster has no topics, so a fetch does not wait.
fn handle(request: Bytes) -> Result<Option<Bytes>, RequestError> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let cluster = Cluster::new(OPTIONS);
    runtime.block_on(async {
        let handled = request::handle(&cluster, ENDPOINTS, request);
        timeout(TIMEOUT, handled)
            .await
            .expect("a response before the timeout")
            .map(|handled| handled.response)
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_not_panic(
        api in any::<Index>(),
        version in any::<Index>(),
        rest in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let (api, versions) = api.get(&SUPPORTED);
        let versions: Vec<i16> = versions.clone().collect();
        let request = frame(|bytes| {
            bytes.put_i16(*api as i16);
            bytes.put_i16(*version.get(&versions));
            bytes.put_slice(&rest);
        });
        let _ = handle(request);
    }

    #[test]
    fn corrupted_requests_do_not_panic(
        sample in any::<Index>(),
        damages in prop::collection::vec((any::<Index>(), any::<u8>()), 1..8),
    ) {
        let samples = samples::all();
        let mut request = sample.get(&samples).2.to_vec();
        for (at, byte) in damages {
            // The API and its version stay intact: another test covers them.
            let at = 4 + at.index(request.len() - 4);
            request[at] = byte;
        }
        let _ = handle(request.into());
    }
}
