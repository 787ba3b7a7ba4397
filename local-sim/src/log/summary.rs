//! What has happened in all: messages, answers, cold starts and latencies.

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;
use local_sim_gateway::{Event, Kind};

use super::answer::Answer;

/// The counts of a simulator from its start to its end.
#[derive(Debug)]
pub(super) struct Summary {
    pub(super) messages: u64,
    pub(super) acknowledged: u64,
    /// By error code, or by the gateway's text.
    pub(super) refused: BTreeMap<String, u64>,
    pub(super) cold_starts: u64,
    /// From the message until the function's reply, in microseconds.
    latencies: Histogram<u32>,
}

impl Default for Summary {
    fn default() -> Self {
        let latencies = Histogram::new_with_bounds(1, LATENCY_MAX_MICROS, SIGNIFICANT_DIGITS);
        Self {
            messages: 0,
            acknowledged: 0,
            refused: BTreeMap::new(),
            cold_starts: 0,
            latencies: latencies.expect("constant bounds"),
        }
    }
}

impl Summary {
    pub(super) fn count(&mut self, event: &Event<'_>, answer: &Answer<'_>) {
        if event.invocation.is_some_and(|it| it.is_cold) {
            self.cold_starts += 1;
        }
        if !matches!(event.kind, Kind::Message { .. }) {
            return;
        }
        self.messages += 1;
        match answer {
            Answer::Ack => self.acknowledged += 1,
            Answer::Code(code) => self.refuse(code),
            Answer::Error(error) => self.refuse(error),
            Answer::Close(..) | Answer::None | Answer::Status(_) => {}
        }
        if let Some(invocation) = event.invocation {
            let micros = u64::try_from(invocation.duration.as_micros()).unwrap_or(u64::MAX);
            self.latencies.saturating_record(micros);
        }
    }

    fn refuse(&mut self, why: &str) {
        // A function of the user's may answer with any number of codes.
        let is_known = self.refused.contains_key(why);
        let why = if is_known || self.refused.len() < CODES_MAX {
            why
        } else {
            "other"
        };
        *self.refused.entry(why.to_owned()).or_default() += 1;
    }

    /// The median and the 99th percentile; `None` if no function was invoked with a message.
    pub(super) fn latencies(&self) -> Option<[Duration; 2]> {
        let at = |quantile| Duration::from_micros(self.latencies.value_at_quantile(quantile));
        (!self.latencies.is_empty()).then(|| [at(0.5), at(0.99)])
    }
}

/// An integration's timeout is at most 29 s.
const LATENCY_MAX_MICROS: u64 = 60_000_000;
const SIGNIFICANT_DIGITS: u8 = 2;
const CODES_MAX: usize = 32;
