//! Kafka's frames: a length, which does not count itself, and so many bytes.

use std::ops::RangeInclusive;

use bytes::BytesMut;
use thiserror::Error;
use tokio_util::codec::{Decoder, LengthDelimitedCodec};

/// A request or an answer may have this many bytes behind its length.
///
/// That is above the 6 MB that Lambda takes in one batch of records, and far
/// above the metadata of large clusters. rskafka takes no larger answer.
pub(crate) const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The bytes of the length that stands before each frame.
pub(super) const LENGTH_BYTES: usize = 4;

/// Room for the start of a frame. Most of what goes by before there are records
/// fits in it; for the rest of a longer frame there is room once its length is
/// known.
const FIRST_BYTES: usize = 1024;

/// The frames of one direction, as they come in.
#[derive(Debug)]
pub(super) struct Frames {
    codec: LengthDelimitedCodec,
    buffer: BytesMut,
}

impl Frames {
    pub(super) fn new() -> Self {
        let mut builder = LengthDelimitedCodec::builder();
        builder.max_frame_length(FRAME_BYTES_MAX);
        // A frame keeps its length, so that it goes on as it is.
        builder.length_adjustment(4).num_skip(0);
        Self {
            codec: builder.new_codec(),
            buffer: BytesMut::new(),
        }
    }

    /// The next frame with its length, once all of it was read.
    pub(super) fn next(&mut self) -> Result<Option<BytesMut>, FrameError> {
        let frame = self.codec.decode(&mut self.buffer);
        frame.map_err(|_| FrameError::of_length(&self.buffer))
    }

    /// Whether a part of a frame was read.
    pub(super) fn is_in_frame(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Where to read more bytes into.
    pub(super) fn buffer(&mut self) -> &mut BytesMut {
        if self.buffer.is_empty() {
            self.buffer.reserve(FIRST_BYTES);
        }
        &mut self.buffer
    }
}

/// The bytes are not what a Kafka client and a broker say to each other.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum FrameError {
    /// A frame is too short for its header, or too long.
    #[error("a frame of {0} bytes, at most {FRAME_BYTES_MAX} are taken")]
    Length(i32),
    /// A TLS record, where the length of a frame should be.
    #[error("the broker expects TLS: set KAFKA_SECURITY_PROTOCOL to SSL or SASL_SSL")]
    Tls,
    /// More requests wait for their answers than may.
    #[error("more than {0} requests without an answer")]
    TooManyRequests(usize),
    /// An answer to nothing, or to another request than the oldest.
    #[error("an answer to request {found}, expected one to {expected:?}")]
    Answer {
        /// The answer's correlation id.
        found: i32,
        /// That of the oldest request without an answer.
        expected: Option<i32>,
    },
    /// A version in which the fields are elsewhere than we look for them.
    #[error("version {version} of API {api}, expected one of {} to {}", .understood.start(), .understood.end())]
    Version {
        /// The request's API.
        api: i16,
        /// And its version.
        version: i16,
        /// Those in which we know where the fields are.
        understood: RangeInclusive<i16>,
    },
    /// An answer that should list topics does not.
    #[error("an answer about topics that cannot be read")]
    Topics,
}

impl FrameError {
    /// For a frame that cannot be of the length that it begins with.
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
    fn a_frame_comes_whole_and_with_its_length() {
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
    fn a_frame_over_the_bound_is_refused_before_it_is_there() {
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
    fn little_memory_is_taken_before_there_are_records() {
        let mut frames = Frames::new();
        assert_eq!(frames.buffer.capacity(), 0);
        for _ in 0..100 {
            frames.buffer().extend_from_slice(&frame(200, 200));
            assert!(frames.next().unwrap().is_some());
            assert!(frames.buffer.capacity() <= FIRST_BYTES);
        }
    }

    #[test]
    fn the_memory_of_a_large_frame_is_given_back() {
        let mut frames = Frames::new();
        let large = frame(4_000_000, 4_000_000);
        for piece in large.chunks(60_000) {
            frames.buffer().extend_from_slice(piece);
            while frames.next().unwrap().is_some() {}
        }
        assert!(frames.buffer().capacity() <= FIRST_BYTES * 2);
    }
}
