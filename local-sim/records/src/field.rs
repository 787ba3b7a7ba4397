//! The fields of a record: varints, and bytes with a varint length.
//!
//! `kafka-protocol` does not export its varints. `integer-encoding`, which `rskafka` uses too,
//! encodes signed integers as zigzag.

use bytes::{BufMut as _, BytesMut};
use integer_encoding::VarInt;
use thiserror::Error;

/// The fields left to read. Reading a malformed or truncated field returns `None`.
#[derive(Debug, Clone)]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, left) = self.0.split_at_checked(length)?;
        self.0 = left;
        Some(taken)
    }

    /// Reads a varint: an `i32` or an `i64`.
    pub(crate) fn number<T: VarInt>(&mut self) -> Option<T> {
        let (number, length) = T::decode_var(self.0)?;
        self.take(length)?;
        Some(number)
    }

    /// Reads bytes with their length; `Some(None)` is null.
    pub(crate) fn nullable(&mut self) -> Option<Option<&'a [u8]>> {
        match self.number()? {
            NULL => Some(None),
            length => self.take(length.try_into().ok()?).map(Some),
        }
    }
}

/// A part of a batch is longer than 2 GiB, the maximum of its length field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a part of the record batch has more than {} bytes", i32::MAX)]
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

/// The length of a null value.
const NULL: i32 = -1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_zigzag_varints() {
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
    fn a_length_below_minus_one_is_malformed() {
        assert_eq!(Fields(&[1]).nullable(), Some(None));
        assert_eq!(Fields(&[0]).nullable(), Some(Some(&[][..])));
        assert_eq!(Fields(&[2, 7]).nullable(), Some(Some(&[7][..])));
        assert_eq!(Fields(&[3, 7]).nullable(), None);
        assert_eq!(Fields(&[4, 7]).nullable(), None);
    }

    proptest! {
        #[test]
        fn numbers_survive_a_round_trip(any in any::<i64>(), small in -300..300_i64, int in any::<i32>()) {
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
        fn random_bytes_cause_no_panic(noise in prop::collection::vec(any::<u8>(), 0..60)) {
            Fields(&noise).number::<i64>();
            Fields(&noise).number::<i32>();
            Fields(&noise).nullable();
        }
    }
}
