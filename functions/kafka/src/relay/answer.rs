//! The way down: what a broker answers, and what rskafka is told instead.

use std::{ops::RangeInclusive, time::Duration};

use bytes::Buf;

use super::{
    api_versions::{self, throttle_time_at},
    frame::{FrameError, LENGTH_BYTES},
    metadata::partition_counts,
    request::{API_VERSIONS, METADATA, PRODUCE, Request, SASL_AUTHENTICATE, SASL_HANDSHAKE},
    sasl::{self, SaslOutcome},
    state::State,
};

/// The bytes of length and correlation id.
const HEAD_BYTES: usize = LENGTH_BYTES + 4;

/// The versions of Produce whose answers end with `throttle_time_ms`: before
/// them it is missing, after them tagged fields follow. rskafka speaks 3 to 7.
const THROTTLE_TIME_LAST: RangeInclusive<i16> = 1..=8;

/// The versions of Metadata whose answers begin with `throttle_time_ms`: before
/// them it is missing, after them tagged fields precede. rskafka speaks up to 4.
const THROTTLE_TIME_FIRST: RangeInclusive<i16> = 3..=8;

/// Throttle times are capped at one minute. Brokers ask for at most the span of
/// their quota windows, 11 s by default; a wrong number must not silence a
/// function.
const THROTTLE_MAX: Duration = Duration::from_mins(1);

/// Which request an answer is for.
pub(super) fn correlation_id(frame: &[u8]) -> Result<i32, FrameError> {
    let mut head = frame.get(LENGTH_BYTES..).unwrap_or_default();
    head.try_get_i32().map_err(|_| FrameError::of_length(frame))
}

/// Takes `throttle_time_ms` out of the answer to a request, and notes what
/// rskafka would keep to itself.
///
/// With zero in its place rskafka takes an answer for what it is. Otherwise it
/// would send the records of a produce again, or throw away the topics or
/// versions, wait, and ask again.
pub(super) fn edit(frame: &mut [u8], request: Request, state: &State) -> Result<(), FrameError> {
    let body = frame.get_mut(HEAD_BYTES..).unwrap_or_default();
    if let Some(at) = throttle_time_ms(request, body)?
        && let Some(time) = body.get_mut(at..).and_then(<[u8]>::first_chunk_mut)
        && let Ok(time @ 1..) = u64::try_from(i32::from_be_bytes(std::mem::take(time)))
    {
        state.throttled(Duration::from_millis(time).min(THROTTLE_MAX));
    }
    match request.api {
        METADATA if state.is_listing() => state.listed(partition_counts(request.version, body)?),
        SASL_HANDSHAKE | SASL_AUTHENTICATE => match sasl::outcome(request, body) {
            SaslOutcome::Refused(refusal) => state.refused(refusal),
            SaslOutcome::Authenticated(lifetime) => state.authenticated(lifetime),
            SaslOutcome::Other => {}
        },
        _ => {}
    }
    Ok(())
}

/// Where `throttle_time_ms` is in an answer, behind its correlation id.
fn throttle_time_ms(request: Request, body: &[u8]) -> Result<Option<usize>, FrameError> {
    Ok(match request.api {
        PRODUCE if THROTTLE_TIME_LAST.contains(&request.version) => body.len().checked_sub(4),
        PRODUCE => {
            return Err(FrameError::Version {
                api: request.api,
                version: request.version,
                understood: THROTTLE_TIME_LAST,
            });
        }
        METADATA => THROTTLE_TIME_FIRST.contains(&request.version).then_some(0),
        API_VERSIONS if api_versions::THROTTLE_TIME.contains(&request.version) => {
            throttle_time_at(request.version, body)
        }
        _ => None,
    })
}
