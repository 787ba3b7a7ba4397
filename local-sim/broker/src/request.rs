//! The way of a request: bytes → API and version → handler → bytes.

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
    cluster::{Cluster, Context, Ends},
    faults::Struck,
    shape::{self, ShapeError},
};

/// What this broker speaks. [`dispatch`] has a line for each.
///
/// The ranges are those that clients since 2017 share, Java's 4 and librdkafka's 2 among them. librdkafka compresses
/// with lz4 only where `FindCoordinator` is there. Those of groups end before static membership (KIP-345) begins.
pub(crate) const SERVED: [(ApiKey, RangeInclusive<i16>); 21] = [
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
    /// The broker is to be closed to this request.
    #[error("closed by a fault that is in force")]
    Closed,
    /// A response that its version of the API cannot express.
    #[error("cannot write the response to {api:?} version {version}")]
    Encode {
        api: ApiKey,
        version: i16,
        source: Box<dyn Error + Send + Sync>,
    },
    /// The fields do not fit the bytes.
    #[error("cannot read {api:?} version {version}")]
    Malformed {
        api: ApiKey,
        version: i16,
        source: Box<dyn Error + Send + Sync>,
    },
    /// An array is too long, or a field cut short.
    #[error("{api:?} version {version} is malformed")]
    Shape {
        api: ApiKey,
        version: i16,
        source: ShapeError,
    },
    /// Less than every request has.
    #[error("a request of {0} bytes, expected at least {ENVELOPE_BYTES}")]
    TooShort(usize),
    /// Records were not stored, and with `acks=0` this is the only way to say so.
    #[error("records without acknowledgement were not stored")]
    Unacknowledged,
    /// No API that this broker has.
    #[error("API key {0} is not served")]
    UnknownApi(i16),
    /// No version that this broker has announced.
    #[error("{api:?} version {found} is not served, expected {} to {}", expected.start(), expected.end())]
    UnsupportedVersion {
        api: ApiKey,
        found: i16,
        expected: RangeInclusive<i16>,
    },
}

/// What a client gets for a request.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The response with its length; `None` where the client wants none.
    pub(crate) response: Option<Bytes>,
    /// How long nothing more is read from the client, once it has the response.
    pub(crate) muted: Option<Pause>,
}

/// Answers one request.
///
/// Every request passes here, and nowhere else: a broker that is slow, silent or without leaders begins here.
pub(crate) async fn answer(
    cluster: &Cluster,
    ends: Ends,
    bytes: Bytes,
) -> Result<Answer, RequestError> {
    let parsed = Request::parse(bytes)?;
    let struck = cluster.faults.meet(parsed.api()).await;
    if struck.closed {
        return Err(RequestError::Closed);
    }
    let response = respond(cluster, ends, &struck, parsed).await?;
    if let Some(slow) = struck.slow
        && response.is_some()
    {
        slow.pass().await;
    }
    Ok(Answer {
        response,
        muted: struck.throttling,
    })
}

async fn respond(
    cluster: &Cluster,
    ends: Ends,
    struck: &Struck,
    parsed: Parsed,
) -> Result<Option<Bytes>, RequestError> {
    match parsed {
        Parsed::Request(request) => dispatch(cluster, ends, struck, request).await,
        Parsed::UnknownApiVersions { correlation_id } => {
            let oldest = Request {
                api: ApiKey::ApiVersions,
                version: 0,
                correlation_id,
                client_id: StrBytes::default(),
                body: Bytes::new(),
            };
            oldest.reply(&api_versions::unsupported(&SERVED))
        }
    }
}

/// A request whose fields are still bytes; they are known to fit the API.
struct Request {
    api: ApiKey,
    version: i16,
    correlation_id: i32,
    client_id: StrBytes,
    body: Bytes,
}

enum Parsed {
    Request(Request),
    /// A newer version of the one API whose versions a client cannot know; it will come back with an older one.
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
    ends: Ends,
    struck: &Struck,
    request: Request,
) -> Result<Option<Bytes>, RequestError> {
    let context = Context {
        cluster,
        ends,
        client_id: &request.client_id,
        version: request.version,
        leaderless: struck.leaderless,
        throttle_time_ms: struck.throttle_time_ms(),
    };
    match request.api {
        ApiKey::ApiVersions => request.reply(&api_versions::api_versions(&SERVED)),
        ApiKey::CreateTopics => request.reply(&topics::create_topics(context, request.read()?)),
        ApiKey::DeleteGroups => request.reply(&groups::delete_groups(context, request.read()?)),
        ApiKey::DeleteRecords => request.reply(&offsets::delete_records(context, request.read()?)),
        ApiKey::DeleteTopics => request.reply(&topics::delete_topics(context, request.read()?)),
        ApiKey::DescribeConfigs => {
            request.reply(&configs::describe_configs(context, request.read()?))
        }
        ApiKey::DescribeGroups => request.reply(&groups::describe_groups(context, request.read()?)),
        ApiKey::Fetch => request.reply(&fetch::fetch(context, request.read()?).await),
        ApiKey::FindCoordinator => {
            request.reply(&coordinator::find_coordinator(context, &request.read()?))
        }
        ApiKey::Heartbeat => request.reply(&members::heartbeat(context, &request.read()?)),
        ApiKey::InitProducerId => {
            request.reply(&coordinator::init_producer_id(context, &request.read()?))
        }
        ApiKey::JoinGroup => request.reply(&members::join_group(context, request.read()?).await),
        ApiKey::LeaveGroup => request.reply(&members::leave_group(context, &request.read()?)),
        ApiKey::ListGroups => request.reply(&groups::list_groups(context)),
        ApiKey::ListOffsets => request.reply(&offsets::list_offsets(context, request.read()?)),
        ApiKey::Metadata => request.reply(&metadata::metadata(context, &request.read()?)),
        ApiKey::OffsetCommit => request.reply(&committed::offset_commit(context, request.read()?)),
        ApiKey::OffsetFetch => request.reply(&committed::offset_fetch(context, request.read()?)),
        ApiKey::Produce => match produce::produce(context, request.read()?) {
            produce::Outcome::Acknowledge(response) => request.reply(&response),
            produce::Outcome::Silence => Ok(None),
            produce::Outcome::Disconnect => Err(RequestError::Unacknowledged),
        },
        ApiKey::SaslHandshake => request.reply(&sasl::sasl_handshake()),
        ApiKey::SyncGroup => request.reply(&members::sync_group(context, request.read()?).await),
        unserved => Err(RequestError::UnknownApi(unserved as i16)),
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
        let (api, versions) = SERVED
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

    /// The request's fields.
    fn read<T: Decodable>(&self) -> Result<T, RequestError> {
        let Self { api, version, .. } = *self;
        T::decode(&mut self.body.clone(), version).map_err(|source| RequestError::Malformed {
            api,
            version,
            source: source.into(),
        })
    }

    /// The response as it goes over the wire, its length in front.
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

/// The API's key, its version and the correlation id: every request begins with them.
const ENVELOPE_BYTES: usize = 8;
