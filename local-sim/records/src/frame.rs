//! An entry of a log: a batch, or a message of an older format.

use bytes::{Buf as _, Bytes};

use crate::batch_header::{BASE_OFFSET, BatchHeader, LENGTH, magic};

/// A whole batch or message as stored in a log: an offset, a length, and that many bytes.
///
/// The first 17 bytes have the same layout in all formats:
/// <https://kafka.apache.org/documentation/#messageset>.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The batch or the message, including its offset and its length.
    pub bytes: Bytes,
}

impl Frame {
    /// Splits the next frame off a log; `None` if it is truncated or its length is invalid.
    pub fn split_off(log: &mut Bytes) -> Option<Self> {
        let length = log.get(LENGTH)?.get_i32();
        let end = usize::try_from(length).ok()?.checked_add(LENGTH.end)?;
        (end <= log.len()).then(|| Self {
            bytes: log.split_to(end),
        })
    }

    /// The offset after its last record, or `None` if its offsets are invalid.
    ///
    /// No checksum covers the offset, so it may be wrong.
    pub fn next_offset(&self) -> Option<i64> {
        if !self.is_message() {
            return BatchHeader::read(&self.bytes).ok()?.next_offset();
        }
        // A compressed message contains others, and has the offset of the last one.
        let last = (&self.bytes[BASE_OFFSET]).get_i64();
        last.checked_add(1).filter(|_| last >= 0)
    }

    /// Whether it is a message of an older format.
    pub fn is_message(&self) -> bool {
        matches!(magic(&self.bytes), Some(0 | 1))
    }
}

#[cfg(test)]
mod tests {
    use bytes::{BufMut as _, BytesMut};
    use proptest::prelude::*;

    use super::*;

    fn frame(offset: i64, length: i32, bytes: &[u8]) -> BytesMut {
        let mut frame = BytesMut::new();
        frame.put_i64(offset);
        frame.put_i32(length);
        frame.put_slice(bytes);
        frame
    }

    #[test]
    fn frames_are_split_off_until_one_is_truncated() {
        let log = [frame(5, 3, b"abc"), frame(6, 0, b""), frame(7, 2, b"d")].concat();
        let mut log = Bytes::from(log);
        let first = Frame::split_off(&mut log).unwrap();
        assert_eq!(first.bytes, frame(5, 3, b"abc"));
        let second = Frame::split_off(&mut log).unwrap();
        assert_eq!(second.bytes, frame(6, 0, b""));
        assert_eq!(Frame::split_off(&mut log), None);
        assert_eq!(log.len(), 13);
    }

    #[test]
    fn an_invalid_length_gives_no_frame() {
        for length in [-1, i32::MIN, i32::MAX] {
            let mut log = frame(0, length, &[0; 100]).freeze();
            assert_eq!(Frame::split_off(&mut log), None);
        }
    }

    #[test]
    fn messages_are_recognized_by_their_magic() {
        let is_message = |magic: u8| {
            let mut log = frame(0, 5, &[0, 0, 0, 0, magic]).freeze();
            Frame::split_off(&mut log).unwrap().is_message()
        };
        assert!(is_message(0) && is_message(1));
        assert!(!is_message(2) && !is_message(255));
    }

    #[test]
    fn the_next_offset_depends_on_the_format() {
        let message = |offset| {
            let mut log = frame(offset, 5, &[0, 0, 0, 0, 1]).freeze();
            Frame::split_off(&mut log).unwrap().next_offset()
        };
        assert_eq!(message(5), Some(6));
        assert_eq!(message(i64::MAX), None);
        assert_eq!(message(-1), None);
        let header = BatchHeader {
            base_offset: 5,
            ..BatchHeader::plain(3, 0, 0)
        };
        let mut log = header.with_records(b"").unwrap();
        assert_eq!(Frame::split_off(&mut log).unwrap().next_offset(), Some(8));
        let mut log = frame(0, 5, &[0, 0, 0, 0, 2]).freeze();
        assert_eq!(Frame::split_off(&mut log).unwrap().next_offset(), None);
    }

    proptest! {
        #[test]
        fn random_bytes_cause_no_panic(noise in prop::collection::vec(any::<u8>(), 0..100)) {
            let mut log = Bytes::from(noise);
            while let Some(frame) = Frame::split_off(&mut log) {
                frame.next_offset();
                frame.is_message();
            }
        }
    }
}
