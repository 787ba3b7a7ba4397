//! Requests to one broker and their answers, one at a time.

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

use super::answer_shape;

/// A connection to a broker. After an error, or a call that was not awaited to its end, it is of no more use.
pub(super) struct BrokerConn {
    stream: BrokerStream,
    correlation_id: i32,
}

impl BrokerConn {
    /// Connects with the broker at `HOST:PORT`.
    pub(super) async fn connect(
        settings: &Settings,
        broker: &str,
    ) -> Result<Self, BrokerConnError> {
        let stream = settings.stream(broker, CLIENT_ID, CONNECT_MAX).await?;
        Ok(Self {
            stream,
            correlation_id: 0,
        })
    }

    /// Sends a request and waits for its answer, which the broker may hold back for as long as `held_back`.
    pub(super) async fn call<R: Request>(
        &mut self,
        version: i16,
        request: &R,
        held_back: Duration,
    ) -> Result<R::Response, BrokerConnError> {
        let within = ANSWER_MAX + held_back;
        timeout(within, self.exchange(version, request))
            .await
            .map_err(|_| BrokerConnError::Late(within))?
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
            .filter(|length| *length <= ANSWER_BYTES_MAX)
            .ok_or(BrokerConnError::Length(length))?;
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).await?;
        self.decode::<R>(version, answer.into())
    }

    fn encode<R: Request>(&self, version: i16, request: &R) -> Result<BytesMut, Fault> {
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
        mut answer: Bytes,
    ) -> Result<R::Response, BrokerConnError> {
        let malformed = BrokerConnError::Malformed;
        let header = ResponseHeader::decode(&mut answer, R::Response::header_version(version))
            .map_err(|error| malformed(error.into()))?;
        if header.correlation_id != self.correlation_id {
            return Err(malformed("an answer to another request".into()));
        }
        let api = api::<R>().map_err(malformed)?;
        if !answer_shape::fits(api, version, &answer) {
            return Err(malformed("its lengths do not fit its bytes".into()));
        }
        let response =
            R::Response::decode(&mut answer, version).map_err(|error| malformed(error.into()))?;
        if answer.has_remaining() {
            return Err(malformed("more than an answer".into()));
        }
        Ok(response)
    }
}

fn api<R: Request>() -> Result<ApiKey, Fault> {
    ApiKey::try_from(R::KEY).map_err(|()| "no such API".into())
}

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Why there is no answer.
#[derive(Debug, Error)]
pub(super) enum BrokerConnError {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A request that its version cannot express.
    #[error("cannot write a request")]
    Encode(#[source] Fault),
    /// The connection broke.
    #[error("the connection broke")]
    Io(#[from] io::Error),
    /// The broker says nothing.
    #[error("no answer within {} ms", .0.as_millis())]
    Late(Duration),
    /// The broker wants to say too much.
    #[error("an answer of {0} bytes, expected at most {ANSWER_BYTES_MAX}")]
    Length(i32),
    /// The broker cannot be understood.
    #[error("the answer cannot be read")]
    Malformed(#[source] Fault),
}

/// What the mapping calls itself in a broker's logs and metrics.
const CLIENT_ID: &str = "local-sim-push";
/// A broker is connected and authenticated with in this time.
const CONNECT_MAX: Duration = Duration::from_secs(3);
/// A broker answers in this time, on top of what it was allowed to wait.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// An answer has this many bytes: a fetch asks for at most 1 MiB, and gets one batch if that is larger.
const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::{
        super::{cluster::ClusterError, scripted_broker::ScriptedBroker},
        *,
    };

    #[tokio::test]
    async fn a_number_of_brokers_that_are_not_there_is_malformed() {
        let broker = ScriptedBroker::start(|_| {
            let mut answer = BytesMut::new();
            // Metadata: the throttle time, and the number of brokers.
            answer.put_i32(0);
            answer.put_i32(i32::MAX);
            answer.freeze()
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
