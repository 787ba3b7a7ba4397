//! What an answer to ApiVersions says, besides the versions.

use std::ops::RangeInclusive;

use bytes::Buf;

use super::fields::{count, skip_tagged, take, varint};

/// The versions whose answers have a `throttle_time_ms`, as far as they are
/// known. rskafka speaks up to 3.
pub(super) const THROTTLE_TIME: RangeInclusive<i16> = 1..=4;

/// Where `throttle_time_ms` is in an answer, behind the correlation id: after
/// the versions.
///
/// There is none in an answer with an error, which may be of an older version
/// than was asked for.
pub(super) fn throttle_time_at(version: i16, answer: &[u8]) -> Option<usize> {
    let bytes = &mut { answer };
    if bytes.try_get_i16().ok()? != 0 {
        return None;
    }
    let is_flexible = version >= 3;
    let count = if is_flexible {
        varint(bytes)?.checked_sub(1)?
    } else {
        count(bytes)?
    };
    for _ in 0..count {
        take(bytes, API_BYTES)?;
        if is_flexible {
            skip_tagged(bytes)?;
        }
    }
    Some(answer.len() - bytes.len())
}

/// An API and its lowest and highest version.
const API_BYTES: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    const PRODUCE: &[u8] = b"\0\0\0\x03\0\x07";
    const FETCH: &[u8] = b"\0\x01\0\x04\0\x0b";

    fn check(version: i16, parts: &[&[u8]]) -> Option<usize> {
        throttle_time_at(version, &parts.concat())
    }

    #[test]
    fn the_time_is_behind_the_versions() {
        assert_eq!(check(1, &[b"\0\0\0\0\0\0"]), Some(6));
        assert_eq!(check(2, &[b"\0\0\0\0\0\x02", PRODUCE, FETCH]), Some(18));
        assert_eq!(check(3, &[b"\0\0\x01"]), Some(3));
        let tagged = b"\x01\x05\x02ab";
        let answer = [b"\0\0\x03", PRODUCE, b"\0", FETCH, tagged];
        assert_eq!(check(3, &answer), Some(3 + 7 + 11));
        assert_eq!(check(3, &[&answer.concat(), b"more"]), Some(3 + 7 + 11));
    }

    #[test]
    fn the_time_is_nowhere_before_all_versions_are_there() {
        let answer = [b"\0\0\x03", PRODUCE, b"\0", FETCH, b"\0"].concat();
        for len in 0..answer.len() {
            assert_eq!(check(3, &[&answer[..len]]), None, "{len}");
        }
        assert_eq!(check(3, &[&answer]), Some(answer.len()));
    }

    #[test]
    fn an_error_has_no_time() {
        assert_eq!(check(3, &[b"\0\x23\0\0\0\x01\0\x12\0\0\0\x03"]), None);
    }
}
