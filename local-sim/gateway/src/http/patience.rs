//! A socket that is written to only as long as its reader takes something now and then.

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

/// Writes; where nothing is taken for a while, it fails.
#[derive(Debug)]
pub struct Patience<W> {
    write: W,
    wait: Duration,
    /// Set while something waits to be taken.
    over: Option<Pin<Box<Sleep>>>,
}

impl<W> Patience<W> {
    /// Waits for so long at most until some of what is written is taken.
    pub fn new(write: W, wait: Duration) -> Self {
        Self {
            write,
            wait,
            over: None,
        }
    }

    /// Passes on what has come of a write, unless it has been waited for too long.
    fn bounded<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.over = None;
            return written;
        }
        let wait = self.wait;
        let over = self.over.get_or_insert_with(|| Box::pin(sleep(wait)));
        over.as_mut().poll(cx).map(|()| {
            let why = format!("the client has taken nothing for {wait:?}");
            Err(io::Error::new(ErrorKind::TimedOut, why))
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
        self.bounded(written, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.write).poll_flush(cx);
        self.bounded(flushed, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.write).poll_shutdown(cx);
        self.bounded(shut, cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn who_takes_nothing_is_given_up() {
        let (write, _unread) = duplex(4);
        let mut patience = Patience::new(write, Duration::from_millis(50));
        let error = patience.write_all(b"12345").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(error.to_string(), "the client has taken nothing for 50ms");
    }

    #[tokio::test]
    async fn who_takes_little_at_a_time_gets_everything() {
        let (write, mut read) = duplex(1);
        let mut patience = Patience::new(write, Duration::from_secs(60));
        let mut taken = [0; 5];
        let (written, read) =
            tokio::join!(patience.write_all(b"12345"), read.read_exact(&mut taken));
        assert!(written.is_ok() && read.is_ok(), "{written:?} {read:?}");
        assert_eq!(&taken, b"12345");
    }
}
