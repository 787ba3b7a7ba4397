//! Finds the throttle time in ApiVersions responses.

use std::ops::RangeInclusive;

use bytes::Buf;

use super::fields::{count, skip_tagged, take, varint};

/// The known versions whose responses have a `throttle_time_ms`. rskafka uses up to 3.
pub(super) const THROTTLE_TIME: RangeInclusive<i16> = 1..=4;

/// The position of `throttle_time_ms` in a response body, after the list of versions.
///
/// `None` for an error response, whose version may be lower than that of the request.
pub(super) fn throttle_time_at(version: i16, response: &[u8]) -> Option<usize> {
    let bytes = &mut { response };
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
    Some(response.len() - bytes.len())
}

/// The size of an API key with its lowest and highest version.
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
    fn the_throttle_time_follows_the_versions() {
        assert_eq!(check(1, &[b"\0\0\0\0\0\0"]), Some(6));
        assert_eq!(check(2, &[b"\0\0\0\0\0\x02", PRODUCE, FETCH]), Some(18));
        assert_eq!(check(3, &[b"\0\0\x01"]), Some(3));
        let tagged = b"\x01\x05\x02ab";
        let response = [b"\0\0\x03", PRODUCE, b"\0", FETCH, tagged];
        assert_eq!(check(3, &response), Some(3 + 7 + 11));
        assert_eq!(check(3, &[&response.concat(), b"more"]), Some(3 + 7 + 11));
    }

    #[test]
    fn a_truncated_list_of_versions_has_no_throttle_time() {
        let response = [b"\0\0\x03", PRODUCE, b"\0", FETCH, b"\0"].concat();
        for len in 0..response.len() {
            assert_eq!(check(3, &[&response[..len]]), None, "{len}");
        }
        assert_eq!(check(3, &[&response]), Some(response.len()));
    }

    #[test]
    fn an_error_response_has_no_throttle_time() {
        assert_eq!(check(3, &[b"\0\x23\0\0\0\x01\0\x12\0\0\0\x03"]), None);
    }
}
