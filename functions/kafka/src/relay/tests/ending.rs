//! What becomes of answers when the way up has ended.

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
const ANSWER: &[u8] = b"\0\0\0\x0f\0\0\0\x01results\0\0\0\0";

/// Takes one write, and fails with the next; tells when it did.
struct Once {
    is_taken: bool,
    taken: Arc<Notify>,
    failed: Arc<Notify>,
}

impl AsyncWrite for Once {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_taken {
            self.failed.notify_one();
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        self.is_taken = true;
        self.taken.notify_one();
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
async fn a_broker_that_takes_no_more_is_heard_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (mut served, _) = listener.accept().await.unwrap();
    let (mut broker, from_broker) = duplex(1024);
    let (taken, failed) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let to_broker = Once {
        is_taken: false,
        taken: Arc::clone(&taken),
        failed: Arc::clone(&failed),
    };
    let state = State::default();
    let relaying = link::relay(&mut served, join(from_broker, to_broker), &state);
    let asking = async {
        client.write_all(REQUEST).await.unwrap();
        taken.notified().await;
        client.write_all(REQUEST).await.unwrap();
        failed.notified().await;
        // It was on its way.
        broker.write_all(ANSWER).await.unwrap();
        drop(broker);
        let mut answer = vec![0; ANSWER.len()];
        client.read_exact(&mut answer).await.map(|_| answer)
    };

    let (ended, answer) = tokio::join!(relaying, asking);

    assert_eq!(answer.expect("an answer"), ANSWER);
    assert!(matches!(ended, Err(LinkError::Lost(_))), "{ended:?}");
}

/// A request for the versions, one about topics, and their answers.
const VERSIONS: &[u8] = b"\0\0\0\x08\0\x12\0\0\0\0\0\x01";
const VERSIONS_ANSWER: &[u8] = b"\0\0\0\x0a\0\0\0\x01\0\0\0\0\0\0";
const TOPICS: &[u8] = b"\0\0\0\x08\0\x03\0\0\0\0\0\x02";
const TOPICS_ANSWER: &[u8] = b"\0\0\0\x0c\0\0\0\x02\0\0\0\0\0\0\0\0";

/// Whether a connection is said to be cut that a broker ends after these
/// exchanges, while rskafka has not been told yet that it is connected.
async fn is_cut_after(exchanges: &[(&[u8], &[u8])]) -> bool {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (mut served, _) = listener.accept().await.unwrap();
    let (mut broker, upstream) = duplex(1024);
    let state = State::listing();
    let talking = async {
        for (request, answer) in exchanges {
            client.write_all(request).await.unwrap();
            broker
                .read_exact(&mut vec![0; request.len()])
                .await
                .unwrap();
            broker.write_all(answer).await.unwrap();
            client.read_exact(&mut vec![0; answer.len()]).await.unwrap();
        }
        drop(broker);
    };
    let (ended, ()) = tokio::join!(link::relay(&mut served, upstream, &state), talking);
    assert!(matches!(ended, Err(LinkError::Closed(0))), "{ended:?}");
    state.connected();
    state.is_cut()
}

#[tokio::test]
async fn a_link_that_is_cut_while_the_client_connects_by_it_is_not_forgotten() {
    let exchanges = [(VERSIONS, VERSIONS_ANSWER), (TOPICS, TOPICS_ANSWER)];
    assert!(is_cut_after(&exchanges).await);
}

#[tokio::test]
async fn a_link_that_is_cut_before_it_is_of_use_does_not_end_the_connection() {
    assert!(!is_cut_after(&[]).await);
    assert!(!is_cut_after(&[(VERSIONS, VERSIONS_ANSWER)]).await);
}
