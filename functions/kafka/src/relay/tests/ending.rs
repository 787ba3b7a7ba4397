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

use crate::relay::{dial::LinkError, link, seen::Seen};

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
    let seen = Seen::default();
    let relaying = link::relay(&mut served, join(from_broker, to_broker), &seen);
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
