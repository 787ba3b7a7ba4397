//! A write timeout for sockets whose peer stops reading.

use std::{
    io::{self, ErrorKind},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::AsyncWrite,
    time::{Sleep, sleep},
};

/// A writer that fails with [`ErrorKind::TimedOut`] if it makes no progress for a given time.
#[derive(Debug)]
pub struct Patience<W> {
    write: W,
    wait: Duration,
    /// Set while a write is pending.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<W> Patience<W> {
    /// Wraps a writer. `wait` limits each period without progress, not the whole write.
    pub fn new(write: W, wait: Duration) -> Self {
        Self {
            write,
            wait,
            deadline: None,
        }
    }

    /// Passes on the result of an operation, or fails if it has been pending for too long.
    fn with_timeout<T>(
        &mut self,
        result: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.deadline = None;
            return result;
        }
        let wait = self.wait;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(wait)));
        deadline.as_mut().poll(cx).map(|()| {
            let message = format!("write timed out: the client read nothing for {wait:?}");
            Err(io::Error::new(ErrorKind::TimedOut, message))
        })
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for Patience<W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.write).poll_write(cx, bytes);
        self.with_timeout(written, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.write).poll_flush(cx);
        self.with_timeout(flushed, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.write).poll_shutdown(cx);
        self.with_timeout(shut, cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn a_write_to_a_client_that_does_not_read_times_out() {
        let (write, _unread) = duplex(4);
        let mut patience = Patience::new(write, Duration::from_millis(50));
        let error = patience.write_all(b"12345").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let expected = "write timed out: the client read nothing for 50ms";
        assert_eq!(error.to_string(), expected);
    }

    #[tokio::test]
    async fn a_slow_reader_receives_everything() {
        let (write, mut read) = duplex(1);
        let mut patience = Patience::new(write, Duration::from_secs(60));
        let mut received = [0; 5];
        let (written, read) =
            tokio::join!(patience.write_all(b"12345"), read.read_exact(&mut received));
        assert!(written.is_ok() && read.is_ok(), "{written:?} {read:?}");
        assert_eq!(&received, b"12345");
    }
}
