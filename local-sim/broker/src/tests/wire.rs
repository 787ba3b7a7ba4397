//! A client that sends single requests.

use std::{net::SocketAddr, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::{
    messages::{
        ApiKey, ResponseHeader, fetch_response::PartitionData,
        produce_response::PartitionProduceResponse,
    },
    protocol::{Decodable, Request},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{TIMEOUT, samples};

/// One connection.
pub(super) struct Wire(TcpStream);

impl Wire {
    pub(super) async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    /// Sends a request and reads its response.
    pub(super) async fn call<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        self.send(version, request).await;
        self.receive::<R>(version).await
    }

    pub(super) async fn send<R: Request>(&mut self, version: i16, request: &R) {
        self.send_frame(&samples::encode(version, request)).await;
    }

    /// Reads the response to a request of this type, which must fill the frame.
    pub(super) async fn receive<R: Request>(&mut self, version: i16) -> R::Response {
        let mut frame = self
            .receive_frame()
            .await
            .expect("a response before the connection closes");
        let api = ApiKey::try_from(R::KEY).unwrap();
        let header =
            ResponseHeader::decode(&mut frame, api.response_header_version(version)).unwrap();
        assert_eq!(header.correlation_id, samples::CORRELATION_ID);
        let response = R::Response::decode(&mut frame, version).unwrap();
        assert!(frame.is_empty(), "{} bytes follow", frame.len());
        response
    }

    pub(super) async fn send_frame(&mut self, frame: &[u8]) {
        let mut bytes = BytesMut::new();
        bytes.put_i32(frame.len().try_into().unwrap());
        bytes.put(frame);
        self.send_bytes(&bytes).await;
    }

    pub(super) async fn send_bytes(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// Reads the next frame. `None` if the broker closed the connection.
    pub(super) async fn receive_frame(&mut self) -> Option<Bytes> {
        let read = async {
            let length = self.0.read_i32().await.ok()?;
            let mut frame = vec![0; length.try_into().unwrap()];
            self.0.read_exact(&mut frame).await.ok()?;
            Some(frame.into())
        };
        timeout(TIMEOUT, read)
            .await
            .expect("a frame or the end of the stream before the timeout")
    }

    /// Whether neither bytes nor the end of the stream arrive within [`SILENCE`].
    pub(super) async fn receives_nothing(&self) -> bool {
        timeout(SILENCE, self.0.peek(&mut [0])).await.is_err()
    }

    pub(super) async fn is_closed(&mut self) -> bool {
        self.receive_frame().await.is_none()
    }

    /// Produces to a partition of topic `t`.
    pub(super) async fn produce(
        &mut self,
        partition: i32,
        records: Bytes,
    ) -> PartitionProduceResponse {
        let request = samples::produce("t", partition, -1, records);
        self.call(9, &request)
            .await
            .responses
            .remove(0)
            .partition_responses
            .remove(0)
    }

    /// Fetches from a partition of topic `t` without waiting.
    pub(super) async fn fetch(&mut self, partition: i32, offset: i64) -> PartitionData {
        let request = samples::fetch(partition, offset);
        self.call(11, &request)
            .await
            .responses
            .remove(0)
            .partitions
            .remove(0)
    }

    /// Returns the offset for a timestamp in a partition of topic `t`.
    pub(super) async fn list_offset(&mut self, partition: i32, timestamp: i64) -> i64 {
        let request = samples::list_offsets("t", partition, timestamp);
        self.call(6, &request)
            .await
            .topics
            .remove(0)
            .partitions
            .remove(0)
            .offset
    }
}

/// Builds the bytes of a frame, without its length prefix.
pub(super) fn frame(parts: impl FnOnce(&mut BytesMut)) -> Bytes {
    let mut bytes = BytesMut::new();
    parts(&mut bytes);
    bytes.freeze()
}

/// Far longer than an immediate response takes.
const SILENCE: Duration = Duration::from_millis(200);
