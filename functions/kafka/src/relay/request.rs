//! Edits requests on their way from rskafka to the broker.

use std::ops::RangeInclusive;

use bytes::Buf;

use super::frame::{FrameError, LENGTH_BYTES};

pub(super) const PRODUCE: i16 = 0;
pub(super) const METADATA: i16 = 3;
pub(super) const SASL_HANDSHAKE: i16 = 17;
pub(super) const API_VERSIONS: i16 = 18;
pub(super) const SASL_AUTHENTICATE: i16 = 36;

/// The size of API key, version and correlation id, which follow the length.
const HEADER_BYTES: usize = 8;

/// The versions of Metadata whose requests end with `allow_auto_topic_creation`.
///
/// Lower versions lack it; in higher ones more fields follow. rskafka uses up to 4.
const AUTO_CREATION_LAST: RangeInclusive<i16> = 4..=7;

/// The parts of a request's header that are needed to parse the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) api: i16,
    pub(super) version: i16,
    pub(super) correlation_id: i32,
}

impl Request {
    fn read(frame: &[u8]) -> Option<Self> {
        let mut header = frame.get(LENGTH_BYTES..)?;
        Some(Self {
            api: header.try_get_i16().ok()?,
            version: header.try_get_i16().ok()?,
            correlation_id: header.try_get_i32().ok()?,
        })
    }

    /// Whether the request only sets up the connection.
    pub(super) fn is_handshake(&self) -> bool {
        matches!(self.api, API_VERSIONS | SASL_HANDSHAKE | SASL_AUTHENTICATE)
    }
}

/// Reads a request's header and sets `allow_auto_topic_creation` to false.
///
/// Looking up a topic must not create it: its name may be a typo, or the topic may just have been
/// deleted.
pub(super) fn edit(frame: &mut [u8]) -> Result<Request, FrameError> {
    let request = Request::read(frame).ok_or_else(|| FrameError::of_length(frame))?;
    if request.api == METADATA
        && AUTO_CREATION_LAST.contains(&request.version)
        && let Some(auto_creation) = frame[LENGTH_BYTES + HEADER_BYTES..].last_mut()
    {
        *auto_creation = 0;
    }
    Ok(request)
}
