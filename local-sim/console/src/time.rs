//! `/api/time`: shows and advances the clock of the gateway's timers.

use std::time::Duration;

use local_sim_gateway::Clock;
use serde::Serialize;
use serde_json::Value;

use super::{
    body::{Body, bad},
    response::{self, ApiError, ApiResponse},
};

/// How far the clock has been advanced, as JSON.
#[derive(Serialize)]
struct Time {
    /// Seconds.
    advanced: f64,
}

/// Shows how far the clock has been advanced in total.
pub(super) fn show(clock: &Clock) -> ApiResponse {
    response(clock.advanced())
}

/// Advances the clock by the seconds in `{"advance": …}`.
///
/// # Errors
/// 400 if the body is invalid or the clock cannot be advanced so far.
pub(super) fn advance(clock: &Clock, body: &[u8]) -> Result<ApiResponse, ApiError> {
    let by = parse(body)?;
    clock
        .advance(by)
        .map(response)
        .map_err(|error| bad(format!("advance: {error}")))
}

fn response(advanced: Duration) -> ApiResponse {
    response::ok(&Time {
        advanced: advanced.as_secs_f64(),
    })
}

fn parse(body: &[u8]) -> Result<Duration, ApiError> {
    let body = Body::read(body, r#"{"advance": seconds}"#)?;
    body.only(&["advance"])?;
    let expected = "a number of seconds, 0 or more";
    body.required("advance", seconds, expected)
}

fn seconds(value: &Value) -> Option<Duration> {
    Duration::try_from_secs_f64(value.as_f64()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str) -> Result<Duration, ApiError> {
        parse(body.as_bytes())
    }

    #[test]
    fn seconds_may_be_a_fraction() {
        assert_eq!(check(r#"{"advance": 660}"#), Ok(Duration::from_secs(660)));
        assert_eq!(check(r#"{"advance":0}"#), Ok(Duration::ZERO));
        assert_eq!(check(r#"{"advance":0.5}"#), Ok(Duration::from_millis(500)));
    }

    #[test]
    fn an_invalid_body_is_refused_with_the_name_of_the_field() {
        for (body, message) in [
            (
                r#"{"advance":-1}"#,
                "advance: invalid value -1 (expected a number of seconds, 0 or more)",
            ),
            (
                r#"{"advance":"1"}"#,
                r#"advance: invalid value "1" (expected a number of seconds, 0 or more)"#,
            ),
            (
                r#"{"advance":1e300}"#,
                "advance: invalid value 1e+300 (expected a number of seconds, 0 or more)",
            ),
            (
                "{}",
                "advance: missing (expected a number of seconds, 0 or more)",
            ),
            (
                r#"{"advance":1,"by":2}"#,
                "by: unknown field (expected advance)",
            ),
            (
                "[1]",
                r#"the body is not a JSON object (expected {"advance": seconds})"#,
            ),
        ] {
            assert_eq!(check(body), Err(bad(message.to_owned())), "{body}");
        }
        let error = format!("{:?}", check("advance").unwrap_err());
        assert!(error.contains("the body is not valid JSON"), "{error}");
    }

    #[test]
    fn advancing_beyond_the_limit_is_refused() {
        let clock = Clock::default();
        let error = format!("{:?}", advance(&clock, br#"{"advance":1e12}"#).unwrap_err());
        assert!(
            error.contains("advance: the clock can be advanced by at most 366 days in total"),
            "{error}"
        );
        assert_eq!(clock.advanced(), Duration::ZERO);
    }
}
