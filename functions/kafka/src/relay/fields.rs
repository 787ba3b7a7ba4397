//! Reads the fields of a frame in Kafka's encoding.
//!
//! Each function removes its field from the front of the bytes, or returns `None` if the bytes end
//! too early. Plain numbers are read with [`bytes::Buf`].

use bytes::Buf;

pub(super) fn take<'a>(bytes: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    bytes.split_off(..len)
}

/// The length of an array or of bytes; `None` if it is null.
pub(super) fn count(bytes: &mut &[u8]) -> Option<usize> {
    usize::try_from(bytes.try_get_i32().ok()?).ok()
}

pub(super) fn string<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(bytes.try_get_i16().ok()?).ok()?;
    take(bytes, len)
}

/// A string; empty if it is null.
pub(super) fn nullable_string<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(bytes.try_get_i16().ok()?).unwrap_or(0);
    take(bytes, len)
}

/// A compact string or compact bytes: a varint of the length plus one (0 is null), then the bytes.
pub(super) fn compact<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = varint(bytes)?.checked_sub(1)?;
    take(bytes, len)
}

/// Skips all tagged fields.
pub(super) fn skip_tagged(bytes: &mut &[u8]) -> Option<()> {
    for _ in 0..varint(bytes)? {
        varint(bytes)?;
        let len = varint(bytes)?;
        take(bytes, len)?;
    }
    Some(())
}

/// An unsigned varint of up to 32 bits, seven in each byte.
pub(super) fn varint(bytes: &mut &[u8]) -> Option<usize> {
    let mut number = 0;
    for shift in (0..32).step_by(7) {
        let byte = bytes.try_get_u8().ok()?;
        number |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}
