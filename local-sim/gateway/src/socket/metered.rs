//! A socket wrapper that detects when the codec above it can be replaced to free memory.
//!
//! The codec's buffers grow with the longest frame in either direction and never shrink. The
//! wrapper tracks frame boundaries. Between two messages, a codec that has grown can be replaced by
//! a new one.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::limits::READ_BUFFER_BYTES;

/// A socket that tracks the boundaries and lengths of its frames.
#[derive(Debug)]
pub(crate) struct Metered<S> {
    socket: S,
    received: Position,
    /// Whether a frame was longer than the buffers of a new codec.
    is_long: bool,
}

impl<S> Metered<S> {
    /// Wraps the socket of a new codec that has already received `early`.
    pub(crate) fn new(socket: S, early: &[u8]) -> Self {
        let mut metered = Self {
            socket,
            received: Position::default(),
            is_long: false,
        };
        metered.received(early);
        metered
    }

    /// Whether the codec has grown and holds no received bytes.
    pub(crate) fn is_outgrown(&self) -> bool {
        self.is_long && self.received.is_between_messages()
    }

    /// Unwraps the socket.
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

/// The position in a client's stream of frames. The codec, not this, rejects malformed frames.
#[derive(Debug, Default)]
struct Position {
    /// The bytes of the current frame's head that have arrived.
    head: [u8; HEAD_BYTES_MAX],
    /// The number of bytes in `head`.
    length: usize,
    /// The remaining bytes of the current frame's payload.
    payload: u64,
    /// Whether the current message has further fragments.
    is_within_message: bool,
}

impl Position {
    fn is_between_messages(&self) -> bool {
        self.length == 0 && self.payload == 0 && !self.is_within_message
    }

    /// Advances over `bytes`; returns the length of the longest payload that starts in them.
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
            if let Some(payload) = self.complete_head() {
                self.payload = payload;
                self.length = 0;
                longest = longest.max(payload);
            }
        }
    }

    /// The payload length that the head states, once the head is complete.
    fn complete_head(&mut self) -> Option<u64> {
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

/// The maximum length of a frame's head: two bytes, eight bytes of length, and the mask.
const HEAD_BYTES_MAX: usize = 14;

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the bytes end between two messages, and the longest payload.
    ///
    /// Checks that the result is the same for several piece sizes.
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
    fn a_complete_message_ends_between_messages() {
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
    fn a_ping_between_fragments_does_not_end_the_message() {
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
    fn malformed_frames_do_not_panic() {
        assert_eq!(check(b"\x81\x02hi"), (true, 2));
        assert_eq!(check(&[0xff; 40]), (false, u64::MAX));
    }

    #[tokio::test]
    async fn a_long_frame_in_either_direction_makes_the_codec_outgrown() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let long = frame(0x81, READ_BUFFER_BYTES + 1);
        let check = async |received: &[u8], sent: usize| {
            let mut metered = Metered::new(socket(received), b"");
            metered.write_all(&vec![0; sent]).await.unwrap();
            let mut all = vec![0; received.len()];
            metered.read_exact(&mut all).await.unwrap();
            metered.is_outgrown()
        };
        assert!(!check(&frame(0x81, READ_BUFFER_BYTES), READ_BUFFER_BYTES).await);
        assert!(check(&long, 0).await);
        assert!(!check(&long[..long.len() - 1], 0).await);
        assert!(check(b"", READ_BUFFER_BYTES + 1).await);
        assert!(Metered::new((), &long).is_outgrown());
    }

    /// A socket that yields these bytes and discards what is written.
    fn socket(bytes: &[u8]) -> impl AsyncRead + AsyncWrite + Unpin {
        tokio::io::join(io::Cursor::new(bytes.to_vec()), tokio::io::sink())
    }
}
