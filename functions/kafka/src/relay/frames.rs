//! Kafka's framing, followed while the bytes go by.
//!
//! Nothing is collected here and nothing is held back: a frame of any size goes
//! through in whatever pieces it comes.

use std::ops::RangeInclusive;

use thiserror::Error;

/// A broker's answer may carry this many bytes: above the 6 MB that Lambda
/// takes in one batch of records, and far above the metadata of large clusters.
/// rskafka takes no larger one.
pub(crate) const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The length that stands before each frame, and does not count itself.
const LENGTH_BYTES: usize = 4;

/// Who is told of the frames of one direction. `HEAD` bytes, the length
/// included, are what they need to know a frame by.
pub(super) trait Observer<const HEAD: usize> {
    /// A frame has begun.
    fn begin(&mut self, head: [u8; HEAD]) -> Result<(), FrameError>;

    /// A part of its body goes by, and may be changed; `left` bytes of the
    /// frame come after it. The last part of a frame is the one with 0 left,
    /// and may be empty.
    fn part(&mut self, part: &mut [u8], left: usize) -> Result<(), FrameError>;
}

/// How far into a frame one direction is.
#[derive(Debug)]
pub(super) struct Frames<const HEAD: usize> {
    head: [u8; HEAD],
    /// How much of `head` is known.
    known: usize,
    /// How much of the body is to come.
    left: usize,
}

impl<const HEAD: usize> Frames<HEAD> {
    pub(super) fn new() -> Self {
        Self {
            head: [0; HEAD],
            known: 0,
            left: 0,
        }
    }

    /// Whether a frame has begun of which it is not known yet what it is.
    pub(super) fn is_in_head(&self) -> bool {
        (1..HEAD).contains(&self.known)
    }

    /// Tells `observer` what goes by in `chunk`, the bytes after the last chunk's.
    pub(super) fn follow(
        &mut self,
        mut chunk: &mut [u8],
        observer: &mut impl Observer<HEAD>,
    ) -> Result<(), FrameError> {
        while !chunk.is_empty() {
            if self.known < HEAD {
                let taken = chunk.len().min(HEAD - self.known);
                let (head, rest) = chunk.split_at_mut(taken);
                self.head[self.known..][..taken].copy_from_slice(head);
                self.known += taken;
                chunk = rest;
                if self.known < HEAD {
                    break;
                }
                self.left = body_len(&self.head)?;
                observer.begin(self.head)?;
            }
            let taken = chunk.len().min(self.left);
            let (part, rest) = chunk.split_at_mut(taken);
            self.left -= taken;
            chunk = rest;
            if taken > 0 || self.left == 0 {
                observer.part(part, self.left)?;
            }
            if self.left == 0 {
                self.known = 0;
            }
        }
        Ok(())
    }
}

/// How many bytes follow the head.
fn body_len<const HEAD: usize>(head: &[u8; HEAD]) -> Result<usize, FrameError> {
    let length = i32::from_be_bytes(field(head, 0));
    usize::try_from(length)
        .ok()
        .and_then(|length| (length + LENGTH_BYTES).checked_sub(HEAD))
        .ok_or(FrameError::Length(length))
}

/// The field at a place of a head, which is long enough for all that are read.
pub(super) fn field<const N: usize, const HEAD: usize>(head: &[u8; HEAD], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&head[at..at + N]);
    field
}

/// The first bytes of a frame's body, taken out: zero goes through in their place.
#[derive(Debug)]
pub(super) struct Start<const N: usize> {
    was: [u8; N],
    known: usize,
}

impl<const N: usize> Start<N> {
    pub(super) fn new() -> Self {
        Self {
            was: [0; N],
            known: 0,
        }
    }

    /// Takes out what `part`, which follows the part before, holds of the first
    /// `N` bytes. They are returned once, by the part that completes them.
    pub(super) fn take(&mut self, part: &mut [u8]) -> Option<[u8; N]> {
        let missing = N - self.known;
        let inside = missing.min(part.len());
        for (was, byte) in self.was[self.known..].iter_mut().zip(part) {
            *was = std::mem::take(byte);
        }
        self.known += inside;
        (missing > 0 && self.known == N).then_some(self.was)
    }
}

/// The last bytes of a frame, taken out: zero goes through in their place.
#[derive(Debug)]
pub(super) struct Tail<const N: usize> {
    was: [u8; N],
}

impl<const N: usize> Tail<N> {
    pub(super) fn new() -> Self {
        Self { was: [0; N] }
    }

    /// Takes out what `part` holds of the last `N` bytes. Once nothing is
    /// left, they are known.
    pub(super) fn take(&mut self, part: &mut [u8], left: usize) -> Option<[u8; N]> {
        let inside = N.saturating_sub(left).min(part.len());
        let start = part.len() - inside;
        for (at, byte) in part[start..].iter_mut().enumerate() {
            // Counted from the end: the last byte of the frame has 0 after it.
            let after = left + inside - 1 - at;
            self.was[N - 1 - after] = std::mem::take(byte);
        }
        (left == 0).then_some(self.was)
    }
}

/// What goes through is not what a Kafka client and a broker say to each other.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum FrameError {
    /// A frame's length that no frame has.
    #[error("a frame of {0} bytes")]
    Length(i32),
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
    /// A version in which the fields are elsewhere than they are looked for.
    #[error("version {version} of API {api}, expected one of {} to {}", .understood.start(), .understood.end())]
    Version {
        /// The request's API.
        api: i16,
        /// And its version.
        version: i16,
        /// Those in which it is known where they are.
        understood: RangeInclusive<i16>,
    },
    /// An answer about topics that is none.
    #[error("an answer about topics that cannot be read")]
    Topics,
    /// One that rskafka would not take.
    #[error("an answer about topics of {0} bytes, expected at most {ANSWER_BYTES_MAX}")]
    TooManyTopics(usize),
}
