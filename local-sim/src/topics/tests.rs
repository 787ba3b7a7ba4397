//! Topics that are created while others do so too, and while the controller changes.

use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::{
    ResponseError,
    messages::{
        ApiKey, ApiVersionsResponse, BrokerId, CreateTopicsRequest, CreateTopicsResponse,
        MetadataResponse, RequestHeader, ResponseHeader, api_versions_response::ApiVersion,
        create_topics_response::CreatableTopicResult, metadata_response::MetadataResponseBroker,
    },
    protocol::{Decodable, Encodable},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::*;

/// The versions that this cluster speaks.
const SERVED: [(ApiKey, i16); 3] = [
    (ApiKey::ApiVersions, 3),
    (ApiKey::Metadata, 4),
    (ApiKey::CreateTopics, 4),
];
const NODE: i32 = 1;

/// A cluster without topics, on which their creation ends with one of these errors after the other, 0 being none.
async fn cluster(mut errors: Vec<i16>) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    errors.reverse();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let (tell, mut asked) = tokio::sync::mpsc::channel::<(Bytes, TcpStream)>(1);
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    connections.spawn(read(accepted.unwrap().0, tell.clone()));
                }
                Some((request, mut client)) = asked.recv() => {
                    let answer = answer(request, address, &mut errors);
                    if client.write_all(&answer).await.is_ok() {
                        connections.spawn(read(client, tell.clone()));
                    }
                }
            }
        }
    });
    (address.to_string(), serving)
}

/// Reads one request, and hands it in with the connection to answer on.
async fn read(mut client: TcpStream, tell: tokio::sync::mpsc::Sender<(Bytes, TcpStream)>) {
    let Ok(length) = client.read_u32().await else {
        return;
    };
    let mut request = vec![0; length.try_into().unwrap()];
    client.read_exact(&mut request).await.unwrap();
    tell.send((request.into(), client)).await.unwrap();
}

fn answer(mut request: Bytes, address: SocketAddr, errors: &mut Vec<i16>) -> Bytes {
    let api = ApiKey::try_from(i16::from_be_bytes([request[0], request[1]])).unwrap();
    let version = i16::from_be_bytes([request[2], request[3]]);
    let header_version = api.request_header_version(version);
    let header = RequestHeader::decode(&mut request, header_version).unwrap();
    let mut answer = BytesMut::new();
    ResponseHeader::default()
        .with_correlation_id(header.correlation_id)
        .encode(&mut answer, api.response_header_version(version))
        .unwrap();
    match api {
        ApiKey::ApiVersions => {
            let served = SERVED.map(|(api, version)| {
                ApiVersion::default()
                    .with_api_key(api as i16)
                    .with_min_version(version)
                    .with_max_version(version)
            });
            ApiVersionsResponse::default()
                .with_api_keys(served.into())
                .encode(&mut answer, version)
        }
        ApiKey::Metadata => {
            let node = MetadataResponseBroker::default()
                .with_node_id(BrokerId(NODE))
                .with_host(address.ip().to_string().into())
                .with_port(address.port().into());
            MetadataResponse::default()
                .with_brokers(vec![node])
                .with_controller_id(BrokerId(NODE))
                .encode(&mut answer, version)
        }
        _ => {
            let asked = CreateTopicsRequest::decode(&mut request, version).unwrap();
            let topic = CreatableTopicResult::default()
                .with_name(asked.topics[0].name.clone())
                .with_error_code(errors.pop().expect("no more topics are created"));
            CreateTopicsResponse::default()
                .with_topics(vec![topic])
                .encode(&mut answer, version)
        }
    }
    .unwrap();
    let mut frame = BytesMut::new();
    frame.put_u32(answer.len().try_into().unwrap());
    frame.put(answer);
    frame.freeze()
}

/// What comes of creating the topic `t` when that ends so.
async fn check(errors: &[ResponseError], then: i16) -> Result<(), String> {
    let errors = errors.iter().map(ResponseError::code);
    let (address, _serving) = cluster(errors.chain([then]).collect()).await;
    let lookup = |name: &str| (name == "KAFKA_BROKERS").then(|| address.clone());
    let ensured = ensure(&address, lookup, &["t"].into(), Some(3)).await;
    ensured.map_err(|error| {
        let cause = error.source().expect("a cause").to_string();
        format!("{error}: {cause}").replace(&address, "HOST:PORT")
    })
}

#[tokio::test]
async fn a_topic_that_somebody_else_just_created_is_there() {
    assert_eq!(check(&[], 0).await, Ok(()));
    assert_eq!(
        check(&[], ResponseError::TopicAlreadyExists.code()).await,
        Ok(())
    );
}

#[tokio::test]
async fn a_controller_that_is_none_any_more_is_looked_for_again() {
    assert_eq!(check(&[ResponseError::NotController; 2], 0).await, Ok(()));
    let both = [
        ResponseError::NotController,
        ResponseError::TopicAlreadyExists,
    ];
    assert_eq!(check(&both[..1], both[1].code()).await, Ok(()));
}

#[tokio::test]
async fn a_cluster_without_a_controller_is_given_up() {
    let never = [ResponseError::NotController; 100];
    let error = check(&never, 0).await;
    let error = error.expect_err("no controller");
    assert!(error.contains("cannot create topic t: "), "{error}");
    assert!(error.contains("NotController"), "{error}");
}

#[tokio::test]
async fn a_topic_that_may_not_be_created_is_not_tried_again() {
    let refused = ResponseError::TopicAuthorizationFailed.code();
    let error = check(&[], refused).await.expect_err("not allowed");
    assert!(
        error.starts_with("--kafka HOST:PORT: the cluster answers, but cannot create topic t: "),
        "{error}"
    );
    assert!(error.contains("TopicAuthorizationFailed"), "{error}");
}
