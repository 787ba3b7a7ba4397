//! Edits responses on their way from the broker to rskafka.

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

/// The size of the length and the correlation id.
const HEAD_BYTES: usize = LENGTH_BYTES + 4;

/// The versions of Produce whose responses end with `throttle_time_ms`.
///
/// Lower versions lack it; in higher ones tagged fields follow it. rskafka uses 3 to 7.
const THROTTLE_TIME_LAST: RangeInclusive<i16> = 1..=8;

/// The versions of Metadata whose responses begin with `throttle_time_ms`.
///
/// Lower versions lack it; in higher ones tagged fields precede it. rskafka uses up to 4.
const THROTTLE_TIME_FIRST: RangeInclusive<i16> = 3..=8;

/// Throttle times are capped at one minute.
///
/// Brokers request at most the length of their quota windows, 11 s by default. A wrong value must
/// not stop a function from sending.
const THROTTLE_MAX: Duration = Duration::from_mins(1);

/// The correlation id, which identifies the request that a response is for.
pub(super) fn correlation_id(frame: &[u8]) -> Result<i32, FrameError> {
    let mut head = frame.get(LENGTH_BYTES..).unwrap_or_default();
    head.try_get_i32().map_err(|_| FrameError::of_length(frame))
}

/// Sets `throttle_time_ms` to zero and stores what rskafka does not expose.
///
/// With a throttle time, rskafka would discard the response, wait and retry: it would send the
/// records of a Produce request twice.
pub(super) fn edit(frame: &mut [u8], request: Request, state: &State) -> Result<(), FrameError> {
    let body = frame.get_mut(HEAD_BYTES..).unwrap_or_default();
    if let Some(at) = throttle_time_ms(request, body)?
        && let Some(time) = body.get_mut(at..).and_then(<[u8]>::first_chunk_mut)
        && let Ok(time @ 1..) = u64::try_from(i32::from_be_bytes(std::mem::take(time)))
    {
        state.throttled(Duration::from_millis(time).min(THROTTLE_MAX));
    }
    match request.api {
        METADATA if state.wants_topics() => {
            state.set_topics(partition_counts(request.version, body)?);
        }
        SASL_HANDSHAKE | SASL_AUTHENTICATE => match sasl::outcome(request, body) {
            SaslOutcome::Refused(refusal) => state.refused(refusal),
            SaslOutcome::Authenticated(lifetime) => state.authenticated(lifetime),
            SaslOutcome::Other => {}
        },
        _ => {}
    }
    Ok(())
}

/// The position of `throttle_time_ms` in a response body, which starts after the correlation id.
fn throttle_time_ms(request: Request, body: &[u8]) -> Result<Option<usize>, FrameError> {
    Ok(match request.api {
        PRODUCE if THROTTLE_TIME_LAST.contains(&request.version) => body.len().checked_sub(4),
        PRODUCE => {
            return Err(FrameError::Version {
                api: request.api,
                version: request.version,
                supported: THROTTLE_TIME_LAST,
            });
        }
        METADATA => THROTTLE_TIME_FIRST.contains(&request.version).then_some(0),
        API_VERSIONS if api_versions::THROTTLE_TIME.contains(&request.version) => {
            throttle_time_at(request.version, body)
        }
        _ => None,
    })
}
