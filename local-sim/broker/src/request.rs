//! Handles a request: bytes → API and version → handler → bytes.

use std::{error::Error, ops::RangeInclusive};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::{
    messages::{ApiKey, RequestHeader, ResponseHeader},
    protocol::{Decodable, Encodable, StrBytes},
};
use local_sim_faults::Pause;
use thiserror::Error;

use super::{
    api::{
        api_versions, committed, configs, coordinator, fetch, groups, members, metadata, offsets,
        produce, sasl, topics,
    },
    cluster::{Cluster, Context, Endpoints},
    faults::RequestFaults,
    shape::{self, ShapeError},
};

/// The supported APIs and versions. [`dispatch`] has a match arm for each.
///
/// Clients since 2017 share these ranges, among them Java's 4 and librdkafka's 2. librdkafka
/// compresses with lz4 only if `FindCoordinator` is supported. The group APIs end before the
/// versions with static membership (KIP-345).
pub(crate) const SUPPORTED: [(ApiKey, RangeInclusive<i16>); 21] = [
    (ApiKey::Produce, 3..=9),
    (ApiKey::Fetch, 4..=11),
    (ApiKey::ListOffsets, 1..=6),
    (ApiKey::Metadata, 0..=9),
    (ApiKey::OffsetCommit, 2..=6),
    (ApiKey::OffsetFetch, 1..=5),
    (ApiKey::FindCoordinator, 0..=3),
    (ApiKey::JoinGroup, 0..=4),
    (ApiKey::Heartbeat, 0..=2),
    (ApiKey::LeaveGroup, 0..=2),
    (ApiKey::SyncGroup, 0..=2),
    (ApiKey::DescribeGroups, 0..=4),
    (ApiKey::ListGroups, 0..=2),
    (ApiKey::SaslHandshake, 0..=1),
    (ApiKey::ApiVersions, 0..=3),
    (ApiKey::CreateTopics, 2..=5),
    (ApiKey::DeleteTopics, 1..=5),
    (ApiKey::DeleteRecords, 0..=2),
    (ApiKey::InitProducerId, 0..=4),
    (ApiKey::DescribeConfigs, 1..=4),
    (ApiKey::DeleteGroups, 0..=1),
];

/// Why a request is answered by closing the connection.
#[derive(Debug, Error)]
pub(crate) enum RequestError {
    /// A fault closes the connection.
    #[error("connection closed by a fault")]
    Closed,
    /// The API version cannot express the response.
    #[error("cannot encode the response to {api:?} version {version}")]
    Encode {
        api: ApiKey,
        version: i16,
        source: Box<dyn Error + Send + Sync>,
    },
    /// The bytes do not contain the fields of the API version.
    #[error("cannot decode {api:?} version {version}")]
    Malformed {
        api: ApiKey,
        version: i16,
        source: Box<dyn Error + Send + Sync>,
    },
    /// A length is out of range, or a field is cut short.
    #[error("{api:?} version {version} is malformed")]
    Shape {
        api: ApiKey,
        version: i16,
        source: ShapeError,
    },
    /// The request is shorter than the fields that every request begins with.
    #[error("request of {0} bytes is too short, must be at least {ENVELOPE_BYTES}")]
    TooShort(usize),
    /// Records sent with `acks=0` were not stored. Closing the connection reports the failure.
    #[error("records sent with acks=0 were not stored")]
    Unacknowledged,
    /// The broker does not support the API.
    #[error("unsupported API key {0}")]
    UnknownApi(i16),
    /// The broker does not support this version of the API.
    #[error("unsupported {api:?} version {found}, must be {} to {}", expected.start(), expected.end())]
    UnsupportedVersion {
        api: ApiKey,
        found: i16,
        expected: RangeInclusive<i16>,
    },
}

/// The result of handling a request.
#[derive(Debug)]
pub(crate) struct Handled {
    /// The response with its length prefix. `None` if the client requested none.
    pub(crate) response: Option<Bytes>,
    /// How long to wait, after the response, before reading the next request.
    pub(crate) throttle: Option<Pause>,
}

/// Handles one request and applies the faults that it triggers.
///
/// # Errors
/// Fails if the connection must be closed instead of answering.
pub(crate) async fn handle(
    cluster: &Cluster,
    endpoints: Endpoints,
    bytes: Bytes,
) -> Result<Handled, RequestError> {
    let parsed = Request::parse(bytes)?;
    let faults = cluster.faults.on_request(parsed.api()).await;
    if faults.closed {
        return Err(RequestError::Closed);
    }
    let response = respond(cluster, endpoints, &faults, parsed).await?;
    if let Some(slow) = faults.slow
        && response.is_some()
    {
        slow.pass().await;
    }
    Ok(Handled {
        response,
        throttle: faults.throttling,
    })
}

async fn respond(
    cluster: &Cluster,
    endpoints: Endpoints,
    faults: &RequestFaults,
    parsed: Parsed,
) -> Result<Option<Bytes>, RequestError> {
    match parsed {
        Parsed::Request(request) => dispatch(cluster, endpoints, faults, request).await,
        Parsed::UnknownApiVersions { correlation_id } => {
            let oldest = Request {
                api: ApiKey::ApiVersions,
                version: 0,
                correlation_id,
                client_id: StrBytes::default(),
                body: Bytes::new(),
            };
            oldest.reply(&api_versions::unsupported(&SUPPORTED))
        }
    }
}

/// A request with an undecoded body whose lengths are already checked.
struct Request {
    api: ApiKey,
    version: i16,
    correlation_id: i32,
    client_id: StrBytes,
    body: Bytes,
}

enum Parsed {
    Request(Request),
    /// An unsupported version of `ApiVersions`. The client retries with an older version.
    UnknownApiVersions {
        correlation_id: i32,
    },
}

impl Parsed {
    fn api(&self) -> ApiKey {
        match self {
            Self::Request(request) => request.api,
            Self::UnknownApiVersions { .. } => ApiKey::ApiVersions,
        }
    }
}

async fn dispatch(
    cluster: &Cluster,
    endpoints: Endpoints,
    faults: &RequestFaults,
    request: Request,
) -> Result<Option<Bytes>, RequestError> {
    let context = Context {
        cluster,
        endpoints,
        client_id: &request.client_id,
        version: request.version,
        leaderless: faults.leaderless,
        throttle_time_ms: faults.throttle_time_ms(),
    };
    match request.api {
        ApiKey::ApiVersions => request.reply(&api_versions::api_versions(&SUPPORTED)),
        ApiKey::CreateTopics => request.reply(&topics::create_topics(context, request.decode()?)),
        ApiKey::DeleteGroups => request.reply(&groups::delete_groups(context, request.decode()?)),
        ApiKey::DeleteRecords => {
            request.reply(&offsets::delete_records(context, request.decode()?))
        }
        ApiKey::DeleteTopics => request.reply(&topics::delete_topics(context, request.decode()?)),
        ApiKey::DescribeConfigs => {
            request.reply(&configs::describe_configs(context, request.decode()?))
        }
        ApiKey::DescribeGroups => {
            request.reply(&groups::describe_groups(context, request.decode()?))
        }
        ApiKey::Fetch => request.reply(&fetch::fetch(context, request.decode()?).await),
        ApiKey::FindCoordinator => {
            request.reply(&coordinator::find_coordinator(context, &request.decode()?))
        }
        ApiKey::Heartbeat => request.reply(&members::heartbeat(context, &request.decode()?)),
        ApiKey::InitProducerId => {
            request.reply(&coordinator::init_producer_id(context, &request.decode()?))
        }
        ApiKey::JoinGroup => request.reply(&members::join_group(context, request.decode()?).await),
        ApiKey::LeaveGroup => request.reply(&members::leave_group(context, &request.decode()?)),
        ApiKey::ListGroups => request.reply(&groups::list_groups(context)),
        ApiKey::ListOffsets => request.reply(&offsets::list_offsets(context, request.decode()?)),
        ApiKey::Metadata => request.reply(&metadata::metadata(context, &request.decode()?)),
        ApiKey::OffsetCommit => {
            request.reply(&committed::offset_commit(context, request.decode()?))
        }
        ApiKey::OffsetFetch => request.reply(&committed::offset_fetch(context, request.decode()?)),
        ApiKey::Produce => match produce::produce(context, request.decode()?) {
            produce::Outcome::Acknowledge(response) => request.reply(&response),
            produce::Outcome::Silence => Ok(None),
            produce::Outcome::Disconnect => Err(RequestError::Unacknowledged),
        },
        ApiKey::SaslHandshake => request.reply(&sasl::sasl_handshake()),
        ApiKey::SyncGroup => request.reply(&members::sync_group(context, request.decode()?).await),
        unsupported => Err(RequestError::UnknownApi(unsupported as i16)),
    }
}

impl Request {
    fn parse(mut bytes: Bytes) -> Result<Parsed, RequestError> {
        if bytes.len() < ENVELOPE_BYTES {
            return Err(RequestError::TooShort(bytes.len()));
        }
        let mut envelope = &bytes[..ENVELOPE_BYTES];
        let key = envelope.get_i16();
        let version = envelope.get_i16();
        let correlation_id = envelope.get_i32();
        let (api, versions) = SUPPORTED
            .into_iter()
            .find(|(api, _)| *api as i16 == key)
            .ok_or(RequestError::UnknownApi(key))?;
        if !versions.contains(&version) {
            return match api {
                ApiKey::ApiVersions => Ok(Parsed::UnknownApiVersions { correlation_id }),
                _ => Err(RequestError::UnsupportedVersion {
                    api,
                    found: version,
                    expected: versions,
                }),
            };
        }
        shape::check(api, version, &bytes).map_err(|source| RequestError::Shape {
            api,
            version,
            source,
        })?;
        let header = RequestHeader::decode(&mut bytes, api.request_header_version(version))
            .map_err(|source| RequestError::Malformed {
                api,
                version,
                source: source.into(),
            })?;
        Ok(Parsed::Request(Self {
            api,
            version,
            correlation_id,
            client_id: header.client_id.unwrap_or_default(),
            body: bytes,
        }))
    }

    /// Decodes the request's body.
    fn decode<T: Decodable>(&self) -> Result<T, RequestError> {
        let Self { api, version, .. } = *self;
        T::decode(&mut self.body.clone(), version).map_err(|source| RequestError::Malformed {
            api,
            version,
            source: source.into(),
        })
    }

    /// Encodes the response with its header and length prefix.
    fn reply(&self, response: &impl Encodable) -> Result<Option<Bytes>, RequestError> {
        let Self {
            api,
            version,
            correlation_id,
            ..
        } = *self;
        let failed = |source| RequestError::Encode {
            api,
            version,
            source,
        };
        let header = ResponseHeader::default().with_correlation_id(correlation_id);
        let header_version = api.response_header_version(version);
        let size = header
            .compute_size(header_version)
            .and_then(|header| response.compute_size(version).map(|body| header + body));
        let size = size.map_err(|source| failed(source.into()))?;
        let length = i32::try_from(size).map_err(|source| failed(source.into()))?;
        let mut frame = BytesMut::with_capacity(size_of_val(&length) + size);
        frame.put_i32(length);
        header
            .encode(&mut frame, header_version)
            .and_then(|()| response.encode(&mut frame, version))
            .map_err(|source| failed(source.into()))?;
        Ok(Some(frame.freeze()))
    }
}

/// The size of the API key, API version and correlation id, with which every request begins.
const ENVELOPE_BYTES: usize = 8;
