//! Responses that arrive after sending to the broker has failed, and lost connections.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex, join},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

use crate::relay::{error::LinkError, link, state::State};

const REQUEST: &[u8] = b"\0\0\0\x0c\0\0\0\x07\0\0\0\x01body";
const RESPONSE: &[u8] = b"\0\0\0\x0f\0\0\0\x01results\0\0\0\0";

/// Accepts one write and fails the next. Notifies about both.
struct WriteOnce {
    is_written: bool,
    written: Arc<Notify>,
    failed: Arc<Notify>,
}

impl AsyncWrite for WriteOnce {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_written {
            self.failed.notify_one();
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        self.is_written = true;
        self.written.notify_one();
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_response_is_forwarded_after_writing_to_the_broker_has_failed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (mut served, _) = listener.accept().await.unwrap();
    let (mut broker, from_broker) = duplex(1024);
    let (written, failed) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let to_broker = WriteOnce {
        is_written: false,
        written: Arc::clone(&written),
        failed: Arc::clone(&failed),
    };
    let state = State::default();
    let relaying = link::relay(&mut served, join(from_broker, to_broker), &state);
    let requesting = async {
        client.write_all(REQUEST).await.unwrap();
        written.notified().await;
        client.write_all(REQUEST).await.unwrap();
        failed.notified().await;
        // The response to the first request.
        broker.write_all(RESPONSE).await.unwrap();
        drop(broker);
        let mut response = vec![0; RESPONSE.len()];
        client.read_exact(&mut response).await.map(|_| response)
    };

    let (ended, response) = tokio::join!(relaying, requesting);

    assert_eq!(response.expect("a response"), RESPONSE);
    assert!(matches!(ended, Err(LinkError::Lost(_))), "{ended:?}");
}

/// An ApiVersions request, a Metadata request, and their responses.
const VERSIONS: &[u8] = b"\0\0\0\x08\0\x12\0\0\0\0\0\x01";
const VERSIONS_RESPONSE: &[u8] = b"\0\0\0\x0a\0\0\0\x01\0\0\0\0\0\0";
const TOPICS: &[u8] = b"\0\0\0\x08\0\x03\0\0\0\0\0\x02";
const TOPICS_RESPONSE: &[u8] = b"\0\0\0\x0c\0\0\0\x02\0\0\0\0\0\0\0\0";

/// Whether the connection counts as lost if the broker closes it after these exchanges, before
/// rskafka has finished connecting.
async fn is_lost_after(exchanges: &[(&[u8], &[u8])]) -> bool {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (mut served, _) = listener.accept().await.unwrap();
    let (mut broker, upstream) = duplex(1024);
    let state = State::collecting_topics();
    let exchanging = async {
        for (request, response) in exchanges {
            client.write_all(request).await.unwrap();
            broker
                .read_exact(&mut vec![0; request.len()])
                .await
                .unwrap();
            broker.write_all(response).await.unwrap();
            client
                .read_exact(&mut vec![0; response.len()])
                .await
                .unwrap();
        }
        drop(broker);
    };
    let (ended, ()) = tokio::join!(link::relay(&mut served, upstream, &state), exchanging);
    assert!(matches!(ended, Err(LinkError::Closed(0))), "{ended:?}");
    state.connected();
    state.is_connection_lost()
}

#[tokio::test]
async fn a_link_that_is_lost_after_the_metadata_response_counts_as_lost() {
    let exchanges = [(VERSIONS, VERSIONS_RESPONSE), (TOPICS, TOPICS_RESPONSE)];
    assert!(is_lost_after(&exchanges).await);
}

#[tokio::test]
async fn a_link_that_is_lost_during_the_handshake_does_not_count_as_lost() {
    assert!(!is_lost_after(&[]).await);
    assert!(!is_lost_after(&[(VERSIONS, VERSIONS_RESPONSE)]).await);
}
