//! The settings for batching, retries and giving up.

use std::time::Duration;

use sluice_contract::Push;

/// The contract's settings, with Lambda's defaults.
#[derive(Debug, Clone)]
pub(in super::super) struct Policy {
    pub(in super::super) batch_size: usize,
    pub(in super::super) window: Duration,
    /// `None` retries forever.
    pub(in super::super) retries: Option<u32>,
    pub(in super::super) record_age: Option<Duration>,
    pub(in super::super) bisect: bool,
}

impl From<&Push> for Policy {
    fn from(push: &Push) -> Self {
        // With an on-failure destination, Lambda does not retry forever.
        let retries_max = push
            .dead_letter
            .as_ref()
            .map(|_| RETRIES_BEFORE_DEAD_LETTER);
        Self {
            batch_size: push.batch_size as usize,
            window: push.maximum_batching_window,
            retries: push.maximum_retry_attempts.or(retries_max),
            record_age: push.maximum_record_age,
            bisect: push.bisect_batch_on_function_error,
        }
    }
}

/// The default number of retries with a dead-letter topic.
/// <https://docs.aws.amazon.com/lambda/latest/dg/kafka-retry-configurations.html>
const RETRIES_BEFORE_DEAD_LETTER: u32 = 10;
