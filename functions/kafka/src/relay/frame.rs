//! Kafka's frames: a four-byte length, followed by that many bytes.

use std::ops::RangeInclusive;

use bytes::BytesMut;
use thiserror::Error;
use tokio_util::codec::{Decoder, LengthDelimitedCodec};

/// The largest request or response, without its length.
///
/// It is above the 6 MB of one batch for a Lambda function, and far above the metadata of large
/// clusters. rskafka is given the same limit.
pub(crate) const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The size of the length before each frame.
pub(super) const LENGTH_BYTES: usize = 4;

/// The buffer's size before the length of a frame is known.
///
/// Most frames of the handshakes fit in it. The codec enlarges it for a longer frame.
const FIRST_BYTES: usize = 1024;

/// Splits the bytes of one direction into frames.
#[derive(Debug)]
pub(super) struct Frames {
    codec: LengthDelimitedCodec,
    buffer: BytesMut,
}

impl Frames {
    pub(super) fn new() -> Self {
        let mut builder = LengthDelimitedCodec::builder();
        builder.max_frame_length(FRAME_BYTES_MAX);
        // The frames keep their length field, so that they can be forwarded.
        builder.length_adjustment(4).num_skip(0);
        Self {
            codec: builder.new_codec(),
            buffer: BytesMut::new(),
        }
    }

    /// The next frame, including its length, once all of it has been read.
    pub(super) fn next(&mut self) -> Result<Option<BytesMut>, FrameError> {
        let frame = self.codec.decode(&mut self.buffer);
        frame.map_err(|_| FrameError::of_length(&self.buffer))
    }

    /// Whether part of a frame has been read.
    pub(super) fn is_in_frame(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// The buffer to read more bytes into.
    pub(super) fn buffer(&mut self) -> &mut BytesMut {
        if self.buffer.is_empty() {
            self.buffer.reserve(FIRST_BYTES);
        }
        &mut self.buffer
    }
}

/// The bytes are not a valid frame of Kafka's protocol.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum FrameError {
    /// A frame is too short for its header, or too long.
    #[error("invalid frame length {0} (the maximum is {FRAME_BYTES_MAX} bytes)")]
    Length(i32),
    /// A TLS record in the place of a frame's length.
    #[error("the broker expects TLS: set KAFKA_SECURITY_PROTOCOL to SSL or SASL_SSL")]
    Tls,
    /// Too many requests have no response yet.
    #[error("more than {0} requests in flight")]
    TooManyRequests(usize),
    /// A response that is not for the oldest request in flight.
    #[error("unexpected correlation id {found} in a response ({})", oldest(*.expected))]
    CorrelationId {
        /// The response's correlation id.
        found: i32,
        /// That of the oldest request in flight.
        expected: Option<i32>,
    },
    /// A version whose field positions are unknown.
    #[error(
        "version {version} of API {api} is not supported (supported: {} to {})",
        .supported.start(),
        .supported.end()
    )]
    Version {
        /// The request's API key.
        api: i16,
        /// The request's API version.
        version: i16,
        /// The versions whose field positions are known.
        supported: RangeInclusive<i16>,
    },
    /// A Metadata response cannot be parsed.
    #[error("malformed Metadata response")]
    Metadata,
}

fn oldest(expected: Option<i32>) -> String {
    match expected {
        Some(id) => format!("the oldest request in flight is {id}"),
        None => "no request is in flight".to_owned(),
    }
}

impl FrameError {
    /// The error for a frame with an invalid length.
    pub(super) fn of_length(frame: &[u8]) -> Self {
        match frame.first_chunk().copied().unwrap_or_default() {
            // An alert or a handshake of SSL 3 or TLS 1: RFC 8446, section 5.1.
            [21 | 22, 3, _, _] => Self::Tls,
            length => Self::Length(i32::from_be_bytes(length)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(length: i32, bytes: usize) -> Vec<u8> {
        [&length.to_be_bytes(), vec![7; bytes].as_slice()].concat()
    }

    #[test]
    fn a_frame_is_returned_whole_including_its_length() {
        let (first, second) = (frame(9, 9), frame(3_000, 3_000));
        for piece in [1, 3, 4, 1_000, 10_000] {
            let mut frames = Frames::new();
            let mut taken = Vec::new();
            for piece in [first.clone(), second.clone()].concat().chunks(piece) {
                frames.buffer().extend_from_slice(piece);
                while let Some(frame) = frames.next().unwrap() {
                    taken.push(frame.to_vec());
                }
            }
            assert_eq!(taken, [first.clone(), second.clone()], "{piece}");
            assert!(!frames.is_in_frame());
        }
    }

    #[test]
    fn a_frame_over_the_maximum_is_an_error_before_all_of_it_is_read() {
        let max = i32::try_from(FRAME_BYTES_MAX).unwrap();
        let check = |length| {
            let mut frames = Frames::new();
            frames.buffer().extend_from_slice(&frame(length, 10));
            frames.next().map(|frame| frame.is_some())
        };
        assert_eq!(check(max), Ok(false));
        for length in [max + 1, i32::MAX, -1, i32::MIN] {
            assert_eq!(check(length), Err(FrameError::Length(length)));
        }
        for alert in [0x1503_0300, 0x1503_0302, 0x1603_0100] {
            assert_eq!(check(alert), Err(FrameError::Tls));
        }
    }

    #[test]
    fn small_frames_need_only_the_first_buffer() {
        let mut frames = Frames::new();
        assert_eq!(frames.buffer.capacity(), 0);
        for _ in 0..100 {
            frames.buffer().extend_from_slice(&frame(200, 200));
            assert!(frames.next().unwrap().is_some());
            assert!(frames.buffer.capacity() <= FIRST_BYTES);
        }
    }

    #[test]
    fn the_memory_of_a_large_frame_is_freed() {
        let mut frames = Frames::new();
        let large = frame(4_000_000, 4_000_000);
        for piece in large.chunks(60_000) {
            frames.buffer().extend_from_slice(piece);
            while frames.next().unwrap().is_some() {}
        }
        assert!(frames.buffer().capacity() <= FIRST_BYTES * 2);
    }
}
