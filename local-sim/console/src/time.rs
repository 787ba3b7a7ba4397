//! `/api/time`: the clock of the gateway's timers.

use std::time::Duration;

use local_sim_gateway::Clock;
use serde::Serialize;
use serde_json::Value;

use super::{
    answer::{self, Answer, Refusal},
    body::{Body, bad},
};

/// How far the clock has been moved, as JSON.
#[derive(Serialize)]
struct Time {
    /// Seconds.
    advanced: f64,
}

/// Says how far the clock has been moved in all.
pub(super) fn show(clock: &Clock) -> Answer {
    told(clock.advanced())
}

/// Moves the clock by as many seconds as `{"advance": …}` says.
///
/// # Errors
/// 400 where the body says something else.
pub(super) fn advance(clock: &Clock, body: &[u8]) -> Result<Answer, Refusal> {
    let by = parse(body)?;
    clock
        .advance(by)
        .map(told)
        .map_err(|error| bad(format!("advance: {error}")))
}

fn told(advanced: Duration) -> Answer {
    answer::ok(&Time {
        advanced: advanced.as_secs_f64(),
    })
}

fn parse(body: &[u8]) -> Result<Duration, Refusal> {
    let body = Body::read(body, r#"{"advance": seconds}"#)?;
    body.only(&["advance"])?;
    let expected = "a number of seconds, not less than 0";
    body.required("advance", seconds, expected)
}

fn seconds(value: &Value) -> Option<Duration> {
    Duration::try_from_secs_f64(value.as_f64()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str) -> Result<Duration, Refusal> {
        parse(body.as_bytes())
    }

    #[test]
    fn seconds_may_be_a_fraction() {
        assert_eq!(check(r#"{"advance": 660}"#), Ok(Duration::from_secs(660)));
        assert_eq!(check(r#"{"advance":0}"#), Ok(Duration::ZERO));
        assert_eq!(check(r#"{"advance":0.5}"#), Ok(Duration::from_millis(500)));
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        for (body, message) in [
            (
                r#"{"advance":-1}"#,
                "advance: found -1, expected a number of seconds, not less than 0",
            ),
            (
                r#"{"advance":"1"}"#,
                r#"advance: found "1", expected a number of seconds, not less than 0"#,
            ),
            (
                r#"{"advance":1e300}"#,
                "advance: found 1e+300, expected a number of seconds, not less than 0",
            ),
            (
                "{}",
                "advance: missing, expected a number of seconds, not less than 0",
            ),
            (
                r#"{"advance":1,"by":2}"#,
                "by: an unknown field, expected advance",
            ),
            (
                "[1]",
                r#"the body is no object, expected {"advance": seconds}"#,
            ),
        ] {
            assert_eq!(check(body), Err(bad(message.to_owned())), "{body}");
        }
        let refusal = format!("{:?}", check("advance").unwrap_err());
        assert!(refusal.contains("the body is no JSON"), "{refusal}");
    }

    #[test]
    fn a_clock_is_moved_no_further_than_it_goes() {
        let clock = Clock::default();
        let refusal = format!("{:?}", advance(&clock, br#"{"advance":1e12}"#).unwrap_err());
        assert!(
            refusal.contains("advance: the clock can be advanced by at most 366 days in total"),
            "{refusal}"
        );
        assert_eq!(clock.advanced(), Duration::ZERO);
    }
}
