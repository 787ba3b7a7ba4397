//! The socket below a connection's codec, which knows when there is nothing in the codec that is worth keeping.
//!
//! The codec's buffers grow with the longest frame that comes or goes, and never shrink. So what goes by is followed
//! from frame to frame: between two messages, a codec that has grown can be thrown away for a new one.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::limits::READ_BUFFER_BYTES;

/// A socket of whose frames the length is known.
#[derive(Debug)]
pub(crate) struct Metered<S> {
    socket: S,
    received: Position,
    /// Something has gone by that is longer than a new codec's buffers.
    is_long: bool,
}

impl<S> Metered<S> {
    /// The socket of a new codec, which has `early` already.
    pub(crate) fn new(socket: S, early: &[u8]) -> Self {
        let mut metered = Self {
            socket,
            received: Position::default(),
            is_long: false,
        };
        metered.received(early);
        metered
    }

    /// Whether the codec has grown and, as far as it depends on what came, is empty.
    pub(crate) fn is_outgrown(&self) -> bool {
        self.is_long && self.received.is_between_messages()
    }

    /// The socket itself.
    pub(crate) fn into_inner(self) -> S {
        self.socket
    }

    fn received(&mut self, bytes: &[u8]) {
        self.is_long |= self.received.advance(bytes) > READ_BUFFER_BYTES as u64;
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(cx, buffer);
        if let Some(bytes) = buffer.filled().get(before..) {
            self.received(bytes);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.is_long |= bytes.len() > READ_BUFFER_BYTES;
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// Where in a stream of a client's frames one is. What is no frame is the codec's to find.
#[derive(Debug, Default)]
struct Position {
    /// The head of a frame, as far as it has come.
    head: [u8; HEAD_BYTES_MAX],
    length: usize,
    /// What is still to come of a frame's payload.
    payload: u64,
    /// A message is still to be continued.
    is_within_message: bool,
}

impl Position {
    fn is_between_messages(&self) -> bool {
        self.length == 0 && self.payload == 0 && !self.is_within_message
    }

    /// Goes on by so many bytes; gives the length of the longest payload that begins among them.
    fn advance(&mut self, mut bytes: &[u8]) -> u64 {
        let mut longest = 0;
        loop {
            let skipped =
                usize::try_from(self.payload).map_or(bytes.len(), |rest| rest.min(bytes.len()));
            self.payload -= skipped as u64;
            bytes = &bytes[skipped..];
            let [first, rest @ ..] = bytes else {
                return longest;
            };
            self.head[self.length] = *first;
            self.length += 1;
            bytes = rest;
            if let Some(payload) = self.whole_head() {
                self.payload = payload;
                self.length = 0;
                longest = longest.max(payload);
            }
        }
    }

    /// The length of the payload behind the head, once that is whole.
    fn whole_head(&mut self) -> Option<u64> {
        let [first, second, extended @ ..] = &self.head;
        if self.length < 2 {
            return None;
        }
        let bytes = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        if self.length < 2 + bytes + mask {
            return None;
        }
        let is_control = first & 0x08 != 0;
        if !is_control {
            self.is_within_message = first & 0x80 == 0;
        }
        Some(match bytes {
            0 => u64::from(second & 0x7f),
            _ => extended[..bytes]
                .iter()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        })
    }
}

/// The head of a frame at its longest: two bytes, eight of its length, and the mask.
const HEAD_BYTES_MAX: usize = 14;

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether these bytes end between two messages, and the longest payload, in whatever pieces they come.
    fn check(bytes: &[u8]) -> (bool, u64) {
        let found = [1, 3, usize::MAX].map(|size| {
            let mut position = Position::default();
            let longest = bytes.chunks(size).map(|piece| position.advance(piece));
            let longest = longest.max().unwrap_or_default();
            (position.is_between_messages(), longest)
        });
        assert!(found.iter().all(|other| *other == found[0]), "{found:?}");
        found[0]
    }

    fn frame(first: u8, bytes: usize) -> Vec<u8> {
        let mut frame = vec![first];
        match (u8::try_from(bytes), u16::try_from(bytes)) {
            (Ok(short @ ..126), _) => frame.push(0x80 | short),
            (_, Ok(medium)) => {
                frame.push(0x80 | 126);
                frame.extend(medium.to_be_bytes());
            }
            _ => {
                frame.push(0x80 | 127);
                frame.extend((bytes as u64).to_be_bytes());
            }
        }
        frame.extend(vec![0xff; 4 + bytes]);
        frame
    }

    #[test]
    fn a_whole_message_leaves_nothing() {
        for bytes in [0, 1, 125, 126, 65_535, 65_536] {
            let message = frame(0x81, bytes);
            assert_eq!(check(&message), (true, bytes as u64));
            for cut in [1, 2, 3, message.len() - 1] {
                assert!(!check(&message[..cut]).0, "{bytes} {cut}");
            }
        }
        assert_eq!(check(b""), (true, 0));
    }

    #[test]
    fn a_message_in_fragments_is_one_whatever_comes_between() {
        let (begun, more, ping, last) = (
            frame(0x01, 300),
            frame(0x00, 5),
            frame(0x89, 9),
            frame(0x80, 2),
        );
        let whole = [begun, more, ping, last].concat();
        assert_eq!(check(&whole), (true, 300));
        let last = frame(0x80, 2).len();
        assert_eq!(check(&whole[..whole.len() - last]), (false, 300));
    }

    #[test]
    fn what_is_no_frame_is_no_fault_here() {
        assert_eq!(check(b"\x81\x02hi"), (true, 2));
        assert_eq!(check(&[0xff; 40]), (false, u64::MAX));
    }

    #[tokio::test]
    async fn what_is_long_in_either_direction_makes_it_outgrown() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let long = frame(0x81, READ_BUFFER_BYTES + 1);
        let check = async |come: &[u8], go: usize| {
            let mut metered = Metered::new(socket(come), b"");
            metered.write_all(&vec![0; go]).await.unwrap();
            let mut all = vec![0; come.len()];
            metered.read_exact(&mut all).await.unwrap();
            metered.is_outgrown()
        };
        assert!(!check(&frame(0x81, READ_BUFFER_BYTES), READ_BUFFER_BYTES).await);
        assert!(check(&long, 0).await);
        assert!(!check(&long[..long.len() - 1], 0).await);
        assert!(check(b"", READ_BUFFER_BYTES + 1).await);
        assert!(Metered::new((), &long).is_outgrown());
    }

    /// A socket on which this comes, and that takes anything.
    fn socket(bytes: &[u8]) -> impl AsyncRead + AsyncWrite + Unpin {
        tokio::io::join(io::Cursor::new(bytes.to_vec()), tokio::io::sink())
    }
}
