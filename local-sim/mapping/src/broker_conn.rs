//! A connection to one broker, with one request at a time.

use std::{io, time::Duration};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use kafka_protocol::{
    messages::{ApiKey, RequestHeader, ResponseHeader},
    protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes},
};
use sluice_kafka::{BrokerStream, ConnectError, Settings};
use thiserror::Error;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

use super::response_shape;

/// A connection to a broker.
///
/// Drop it after an error, or if a call was cancelled: it may be out of step with the broker.
pub(super) struct BrokerConn {
    stream: BrokerStream,
    correlation_id: i32,
}

impl BrokerConn {
    /// Connects to the broker at `HOST:PORT`.
    pub(super) async fn connect(
        settings: &Settings,
        broker: &str,
    ) -> Result<Self, BrokerConnError> {
        let stream = settings.stream(broker, CLIENT_ID, CONNECT_TIMEOUT).await?;
        Ok(Self {
            stream,
            correlation_id: 0,
        })
    }

    /// Sends a request and waits for its response.
    ///
    /// `max_wait` is the time for which the broker may delay the response, in addition to
    /// [`RESPONSE_TIMEOUT`].
    pub(super) async fn call<R: Request>(
        &mut self,
        version: i16,
        request: &R,
        max_wait: Duration,
    ) -> Result<R::Response, BrokerConnError> {
        let limit = RESPONSE_TIMEOUT + max_wait;
        timeout(limit, self.exchange(version, request))
            .await
            .map_err(|_| BrokerConnError::Timeout(limit))?
    }

    async fn exchange<R: Request>(
        &mut self,
        version: i16,
        request: &R,
    ) -> Result<R::Response, BrokerConnError> {
        self.correlation_id = self.correlation_id.wrapping_add(1);
        let frame = self
            .encode(version, request)
            .map_err(BrokerConnError::Encode)?;
        self.stream.write_all(&frame).await?;
        self.stream.flush().await?;
        let length = self.stream.read_i32().await?;
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length <= RESPONSE_BYTES_MAX)
            .ok_or(BrokerConnError::Length(length))?;
        let mut response = vec![0; length];
        self.stream.read_exact(&mut response).await?;
        self.decode::<R>(version, response.into())
    }

    fn encode<R: Request>(&self, version: i16, request: &R) -> Result<BytesMut, BoxError> {
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation_id)
            .with_client_id(Some(StrBytes::from_static_str(CLIENT_ID)));
        let mut frame = BytesMut::new();
        frame.put_i32(0);
        let header_version = api::<R>()?.request_header_version(version);
        header.encode(&mut frame, header_version)?;
        request.encode(&mut frame, version)?;
        let length = i32::try_from(frame.len() - size_of::<i32>())?;
        frame[..size_of::<i32>()].copy_from_slice(&length.to_be_bytes());
        Ok(frame)
    }

    fn decode<R: Request>(
        &self,
        version: i16,
        mut bytes: Bytes,
    ) -> Result<R::Response, BrokerConnError> {
        let malformed = BrokerConnError::Malformed;
        let header = ResponseHeader::decode(&mut bytes, R::Response::header_version(version))
            .map_err(|error| malformed(error.into()))?;
        if header.correlation_id != self.correlation_id {
            return Err(malformed("unexpected correlation id".into()));
        }
        let api = api::<R>().map_err(malformed)?;
        if !response_shape::fits(api, version, &bytes) {
            return Err(malformed(
                "lengths do not fit the size of the response".into(),
            ));
        }
        let response =
            R::Response::decode(&mut bytes, version).map_err(|error| malformed(error.into()))?;
        if bytes.has_remaining() {
            return Err(malformed("trailing bytes after the response".into()));
        }
        Ok(response)
    }
}

fn api<R: Request>() -> Result<ApiKey, BoxError> {
    ApiKey::try_from(R::KEY).map_err(|()| "unknown API key".into())
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a request has no response.
#[derive(Debug, Error)]
pub(super) enum BrokerConnError {
    /// The connection could not be established.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The request cannot be encoded in this version.
    #[error("cannot encode the request")]
    Encode(#[source] BoxError),
    /// Reading from or writing to the connection failed.
    #[error("connection lost")]
    Io(#[from] io::Error),
    /// The broker did not respond in time.
    #[error("request timed out after {} ms", .0.as_millis())]
    Timeout(Duration),
    /// The response is too large, or its length is negative.
    #[error("response length {0} is invalid (the limit is {RESPONSE_BYTES_MAX} bytes)")]
    Length(i32),
    /// The response cannot be decoded.
    #[error("malformed response")]
    Malformed(#[source] BoxError),
}

/// The client id, which brokers show in logs and metrics.
const CLIENT_ID: &str = "local-sim-push";
/// The timeout for connecting and authenticating.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The timeout for a response, in addition to the time that the broker may delay it.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest response. A fetch requests at most 1 MiB, but a broker returns one batch even if it
/// is larger.
const RESPONSE_BYTES_MAX: usize = 32 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::{
        super::{cluster::ClusterError, scripted_broker::ScriptedBroker},
        *,
    };

    #[tokio::test]
    async fn a_response_with_a_wrong_array_length_is_malformed() {
        let broker = ScriptedBroker::start(|_| {
            let mut response = BytesMut::new();
            // The throttle time and the number of brokers of a metadata response.
            response.put_i32(0);
            response.put_i32(i32::MAX);
            response.freeze()
        })
        .await;
        let found = broker.cluster().partitions(["t"]).await;
        let malformed = |error: ClusterError| {
            matches!(
                error,
                ClusterError::Connection(BrokerConnError::Malformed(_))
            )
        };
        assert!(found.is_err_and(malformed));
    }
}
