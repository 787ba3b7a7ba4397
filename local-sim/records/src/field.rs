//! The fields of a record: numbers of variable length, and bytes that such a number measures.
//!
//! `kafka-protocol` keeps its numbers to itself; these are those of `rskafka`, which are zigzag where they are signed.

use bytes::{BufMut as _, BytesMut};
use integer_encoding::VarInt;
use thiserror::Error;

/// The fields that are left to read. A read yields `None` where a field is malformed or cut short.
#[derive(Debug, Clone)]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, left) = self.0.split_at_checked(length)?;
        self.0 = left;
        Some(taken)
    }

    /// An `i32` or an `i64`.
    pub(crate) fn number<T: VarInt>(&mut self) -> Option<T> {
        let (number, length) = T::decode_var(self.0)?;
        self.take(length)?;
        Some(number)
    }

    /// Bytes after their length; `Some(None)` is null.
    pub(crate) fn nullable(&mut self) -> Option<Option<&'a [u8]>> {
        match self.number()? {
            NULL => Some(None),
            length => self.take(length.try_into().ok()?).map(Some),
        }
    }
}

/// Something has more bytes than its length can say: 2 GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a part of a record batch has more than {} bytes", i32::MAX)]
pub struct TooLong;

pub(crate) fn put_number(to: &mut BytesMut, number: impl VarInt) {
    to.put_slice(&number.encode_var_vec());
}

pub(crate) fn put_length(to: &mut BytesMut, length: usize) -> Result<(), TooLong> {
    put_number(to, i32::try_from(length).map_err(|_| TooLong)?);
    Ok(())
}

pub(crate) fn put_nullable(to: &mut BytesMut, part: Option<&[u8]>) -> Result<(), TooLong> {
    match part {
        Some(part) => {
            put_length(to, part.len())?;
            to.put_slice(part);
        }
        None => put_number(to, NULL),
    }
    Ok(())
}

/// The length of what is null.
const NULL: i32 = -1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_zigzag() {
        let long = |bytes: &[u8]| Fields(bytes).number::<i64>();
        assert_eq!(long(&[0]), Some(0));
        assert_eq!(long(&[1]), Some(-1));
        assert_eq!(long(&[0xac, 0x02]), Some(150));
        let smallest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        assert_eq!(long(&smallest), Some(i64::MIN));
        assert_eq!(long(&[0x80]), None);
        assert_eq!(long(&[0x80; 11]), None);
        assert_eq!(long(&[]), None);
    }

    #[test]
    fn a_length_of_more_than_four_bytes_is_malformed() {
        let int = |bytes: &[u8]| Fields(bytes).number::<i32>();
        assert_eq!(int(&[0xff, 0xff, 0xff, 0xff, 0x0f]), Some(i32::MIN));
        assert_eq!(int(&[0x80, 0x80, 0x80, 0x80, 0x10]), None);
    }

    #[test]
    fn a_length_below_that_of_null_is_malformed() {
        assert_eq!(Fields(&[1]).nullable(), Some(None));
        assert_eq!(Fields(&[0]).nullable(), Some(Some(&[][..])));
        assert_eq!(Fields(&[2, 7]).nullable(), Some(Some(&[7][..])));
        assert_eq!(Fields(&[3, 7]).nullable(), None);
        assert_eq!(Fields(&[4, 7]).nullable(), None);
    }

    proptest! {
        #[test]
        fn numbers_come_back(any in any::<i64>(), small in -300..300_i64, int in any::<i32>()) {
            for value in [any, small, int.into(), i64::MIN, i64::MAX] {
                let mut bytes = BytesMut::new();
                put_number(&mut bytes, value);
                prop_assert_eq!(Fields(&bytes).number(), Some(value));
            }
            for value in [int, i32::MIN, i32::MAX] {
                let mut bytes = BytesMut::new();
                put_number(&mut bytes, value);
                prop_assert_eq!(Fields(&bytes).number(), Some(value));
            }
        }

        #[test]
        fn noise_does_no_harm(noise in prop::collection::vec(any::<u8>(), 0..60)) {
            Fields(&noise).number::<i64>();
            Fields(&noise).number::<i32>();
            Fields(&noise).nullable();
        }
    }
}
