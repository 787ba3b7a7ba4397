//! What a document says of the faults, and how it is shown.

use std::{collections::BTreeMap, time::Duration};

use local_sim_faults::Trigger;
use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeStruct as _},
};

/// What is said of the faults: some begin, others end, and of the rest nothing is said.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Faults {
    /// Of all choices by chance; they begin anew with it.
    pub(crate) seed: Option<u32>,
    /// Of each function that anything is said of.
    pub(crate) functions: BTreeMap<String, OfFunction>,
    pub(crate) gateway: OfGateway,
    pub(crate) kafka: OfKafka,
}

/// What is said of a function's invocations.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OfFunction {
    /// They are throttled.
    #[serde(skip_serializing_if = "Said::is_nothing", serialize_with = "plain")]
    pub(crate) throttle: Said<Trigger>,
    /// They start an environment each.
    #[serde(skip_serializing_if = "Said::is_nothing", serialize_with = "plain")]
    pub(crate) cold_start: Said<Trigger>,
    /// They wait before they get to an environment.
    #[serde(skip_serializing_if = "Said::is_nothing")]
    pub(crate) latency: Said<Timed>,
}

/// What is said of connections.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OfGateway {
    /// Messages overtake each other.
    #[serde(skip_serializing_if = "Said::is_nothing")]
    pub(crate) reorder: Said<Timed>,
    /// A `$disconnect` does not run.
    #[serde(skip_serializing_if = "Said::is_nothing", serialize_with = "plain")]
    pub(crate) drop_disconnect: Said<Trigger>,
}

/// What is said of the embedded broker.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OfKafka {
    /// Answers come late.
    #[serde(skip_serializing_if = "Said::is_nothing")]
    pub(crate) slow: Said<Timed>,
    /// Requests are not answered.
    #[serde(skip_serializing_if = "Said::is_nothing", serialize_with = "plain")]
    pub(crate) silent: Said<Trigger>,
    /// Connections are closed.
    #[serde(skip_serializing_if = "Said::is_nothing", serialize_with = "plain")]
    pub(crate) closed: Said<Trigger>,
    /// Clients are told to wait.
    #[serde(skip_serializing_if = "Said::is_nothing")]
    pub(crate) throttling: Said<Timed>,
    /// No partition has a leader.
    #[serde(skip_serializing_if = "Said::is_nothing", serialize_with = "plain")]
    pub(crate) leaderless: Said<Trigger>,
}

/// What is said of one fault.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) enum Said<T> {
    /// Nothing: it stays as it is.
    #[default]
    Nothing,
    /// It is over.
    Over,
    /// It is in force like this.
    InForce(T),
}

/// A fault that lasts a while each time that it strikes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Timed {
    pub(crate) time: Duration,
    pub(crate) trigger: Trigger,
}

impl<T> Said<T> {
    fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }
}

impl<T> From<Option<T>> for Said<T> {
    /// What is shown of a fault: nothing, where it is not in force.
    fn from(in_force: Option<T>) -> Self {
        in_force.map_or(Self::Nothing, Self::InForce)
    }
}

impl Serialize for Faults {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut shown = serializer.serialize_struct("Faults", 4)?;
        if let Some(seed) = self.seed {
            shown.serialize_field("seed", &seed)?;
        }
        if !self.functions.is_empty() {
            shown.serialize_field("functions", &self.functions)?;
        }
        if self.gateway != OfGateway::default() {
            shown.serialize_field("gateway", &self.gateway)?;
        }
        if self.kafka != OfKafka::default() {
            shown.serialize_field("kafka", &self.kafka)?;
        }
        shown.end()
    }
}

impl<T: Serialize> Serialize for Said<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nothing | Self::Over => serializer.serialize_none(),
            Self::InForce(fault) => fault.serialize(serializer),
        }
    }
}

/// A fault that takes no time of its own.
fn plain<S: Serializer>(said: &Said<Trigger>, serializer: S) -> Result<S::Ok, S::Error> {
    let Said::InForce(trigger) = said else {
        return serializer.serialize_none();
    };
    let mut map = serializer.serialize_map(None)?;
    add(&mut map, *trigger)?;
    map.end()
}

impl Serialize for Timed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let millis = u64::try_from(self.time.as_millis()).unwrap_or(u64::MAX);
        map.serialize_entry("millis", &millis)?;
        add(&mut map, self.trigger)?;
        map.end()
    }
}

fn add<M: SerializeMap>(map: &mut M, trigger: Trigger) -> Result<(), M::Error> {
    match trigger {
        Trigger::Always => Ok(()),
        Trigger::Next(count) => map.serialize_entry("next", &count),
        Trigger::Share(share) => map.serialize_entry("share", &share),
    }
}
