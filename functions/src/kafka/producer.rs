//! Stores records: attempt after attempt until the deadline.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant, SystemTime},
};

use sluice_aws::Log;
use sluice_kafka::{Remedy, Settings};
use thiserror::Error;
use tokio::time::{sleep_until, timeout};

use super::{
    attempt::Attempts,
    error::{AttemptError, Step},
    missing_topic::MissingTopic,
    topics::ABSENT_FOR,
    verdict::{Stored, Verdict, verdict},
};
use crate::{
    failure::{Code, Failure},
    record::Record,
    sink::{Receipt, Sink},
};

/// The time to connect before the first event. Init is the cheapest time to connect, but an
/// unreachable broker must not prevent a start.
const INIT_MAX: Duration = Duration::from_secs(2);

/// The timeout of the first confirmation: short, since the connection may have gone silent. It
/// doubles with each attempt, since the broker may only be slow, and a record that is sent again
/// may be stored twice.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest timeout. API Gateway waits for 29 s in all.
const PATIENCE_MAX: Duration = Duration::from_secs(16);

/// The pause after the first attempt. It doubles each time, and is shortened at random by up to
/// half, so that functions do not retry in step.
const PAUSE: Duration = Duration::from_millis(20);
/// The longest pause. A leader election takes about a second.
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// The pause after refused credentials that may be accepted later, less the same random part. With
/// shorter pauses, each new connection would be one of those that Amazon MSK refuses for being too
/// many.
const PAUSE_REFUSED: Duration = Duration::from_secs(1);

/// Stores records in Kafka, many at a time, and connects when it must.
#[derive(Debug)]
pub struct Producer {
    attempts: Attempts,
    log: Log,
}

impl Producer {
    /// Creates a producer without connecting. Brokers see `client_id`. `log` gets each record that
    /// may be stored twice.
    pub fn new(settings: Settings, client_id: String, log: Log) -> Self {
        Self {
            attempts: Attempts::new(settings, client_id),
            log,
        }
    }

    /// Connects ahead of the first record, to one partition of one of `topics`, unless credentials
    /// are available during invocations only.
    ///
    /// # Errors
    /// The cluster was not reached in time. Records will try again.
    pub async fn warm_up(&self, topics: &BTreeSet<String>) -> Result<(), AttemptError> {
        if self.attempts.security().needs_invocation() {
            return Ok(());
        }
        let now = SystemTime::now();
        let shared = self.attempts.shared_session(now);
        let warming = async { shared.outcome().await?.warm_up(topics, now).await };
        let warmed = timeout(INIT_MAX, warming)
            .await
            .unwrap_or_else(|_| Err(AttemptError::Late(Step::Connecting, Default::default())));
        if let Err(error) = &warmed {
            self.attempts.part_with(&shared, error);
        }
        warmed
    }

    /// Logs that a record is sent again although it may be stored already.
    fn warn(&self, record: &Record, error: AttemptError) -> AttemptError {
        let error = SentAgain(error);
        let ce_id = record.headers.get("ce_id").map_or("", String::as_str);
        self.log
            .warn(&error, &[("ce_id", ce_id), ("topic", &record.topic)]);
        error.0
    }
}

impl Sink for Producer {
    async fn publish(&self, record: Record, deadline: Instant) -> Result<Receipt, Failure> {
        let mut pause = PAUSE;
        let mut patience = PATIENCE;
        let mut was_refused = false;
        let mut may_be_stored = false;
        let mut missing = MissingTopic::default();
        let mut told = None;
        loop {
            let began = Instant::now();
            let error = match self.attempts.attempt(&record, deadline, patience).await {
                Ok(receipt) => return Ok(receipt),
                Err(error) => error,
            };
            let verdict = verdict(&error);
            let now = Instant::now();
            let pausing = match verdict {
                Verdict::Refused => {
                    pause_of_refused(self.attempts.security().remedy(), was_refused, pause)
                }
                _ => Some(pause),
            };
            let mut again = now + jittered(pausing.unwrap_or_default());
            if verdict == Verdict::Absent {
                // Before that, the topic would not be looked for.
                again += ABSENT_FOR;
            } else {
                missing = MissingTopic::default();
            }
            let is_last = again >= deadline;
            let end = match verdict {
                // The last attempt failed for good, but an earlier one may not have.
                Verdict::Final(_) if may_be_stored => Some(Code::Unavailable),
                Verdict::Final(code) => Some(code),
                // What an earlier attempt may have stored is there if the topic
                // is hidden for a moment only.
                Verdict::Absent if missing.is_certain(began, now, is_last) => {
                    Some(if may_be_stored {
                        Code::Unavailable
                    } else {
                        Code::NoTopic
                    })
                }
                Verdict::Refused if pausing.is_none() => Some(Code::Unavailable),
                Verdict::Absent | Verdict::Refused | Verdict::Retry(_) => {
                    is_last.then_some(Code::Unavailable)
                }
            };
            if let Some(code) = end {
                return Err(failure(code).because(more_telling(told, error)));
            }
            was_refused |= verdict == Verdict::Refused;
            let error = match verdict {
                Verdict::Retry(Stored::Maybe) => {
                    may_be_stored = true;
                    patience = doubled(patience, PATIENCE_MAX);
                    self.warn(&record, error)
                }
                Verdict::Retry(Stored::No)
                | Verdict::Absent
                | Verdict::Refused
                | Verdict::Final(_) => error,
            };
            told = Some(more_telling(told, error));
            sleep_until(again.into()).await;
            pause = doubled(pause, PAUSE_MAX);
        }
    }
}

/// An earlier error says more than a timeout after it.
fn more_telling(told: Option<AttemptError>, error: AttemptError) -> AttemptError {
    match told {
        Some(told) if error.is_late() => told,
        _ => error,
    }
}

/// The log line for a record that may be stored twice.
#[derive(Debug, Error)]
#[error("sent again, may be stored twice")]
struct SentAgain(#[source] AttemptError);

/// The failure for the client. The cause, with topics and brokers by name, is for the log.
fn failure(code: Code) -> Failure {
    Failure::new(
        code,
        match code {
            Code::BadRequest => "Kafka cannot use the message",
            Code::TooLarge => "the message is larger than its topic takes",
            Code::Forbidden => "the function may not write to the route's topic",
            Code::NoTopic => "the route's topic does not exist, or the function may not see it",
            Code::Internal => "the function and Kafka do not understand each other",
            Code::Unavailable => {
                "not confirmed by Kafka in time; the message may have been stored all the same"
            }
        },
    )
}

/// The pause before a retry after refused credentials, if one can help.
fn pause_of_refused(remedy: Remedy, was_refused: bool, pause: Duration) -> Option<Duration> {
    match remedy {
        Remedy::None => None,
        // Only once, since brokers lock out clients that retry.
        Remedy::Fetch => (!was_refused).then_some(pause),
        Remedy::Time => Some(PAUSE_REFUSED),
    }
}

fn doubled(time: Duration, max: Duration) -> Duration {
    time.saturating_mul(2).min(max)
}

/// A random time from half of a pause to all of it.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + fastrand::f64() / 2.0)
}

#[cfg(test)]
pub(super) mod tests;
