//! A document of faults: changes to make, or the faults in force.

use std::{collections::BTreeMap, time::Duration};

use local_sim_faults::Trigger;
use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeStruct as _},
};

/// Changes to the faults of all parts.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Faults {
    /// The seed of all random choices, which it restarts.
    pub(crate) seed: Option<u32>,
    /// By function name.
    pub(crate) functions: BTreeMap<String, OfFunction>,
    pub(crate) gateway: OfGateway,
    pub(crate) kafka: OfKafka,
}

/// Changes to the faults of a function's invocations.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OfFunction {
    /// Invocations are throttled.
    #[serde(skip_serializing_if = "Change::is_none", serialize_with = "plain")]
    pub(crate) throttle: Change<Trigger>,
    /// Each invocation starts an environment.
    #[serde(skip_serializing_if = "Change::is_none", serialize_with = "plain")]
    pub(crate) cold_start: Change<Trigger>,
    /// Invocations wait before they reach an environment.
    #[serde(skip_serializing_if = "Change::is_none")]
    pub(crate) latency: Change<Timed>,
}

/// Changes to the faults of connections.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OfGateway {
    /// Messages overtake each other.
    #[serde(skip_serializing_if = "Change::is_none")]
    pub(crate) reorder: Change<Timed>,
    /// A `$disconnect` does not run.
    #[serde(skip_serializing_if = "Change::is_none", serialize_with = "plain")]
    pub(crate) drop_disconnect: Change<Trigger>,
}

/// Changes to the faults of the embedded broker.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OfKafka {
    /// Responses are delayed.
    #[serde(skip_serializing_if = "Change::is_none")]
    pub(crate) slow: Change<Timed>,
    /// Requests are not answered.
    #[serde(skip_serializing_if = "Change::is_none", serialize_with = "plain")]
    pub(crate) silent: Change<Trigger>,
    /// Connections are closed.
    #[serde(skip_serializing_if = "Change::is_none", serialize_with = "plain")]
    pub(crate) closed: Change<Trigger>,
    /// Clients are throttled.
    #[serde(skip_serializing_if = "Change::is_none")]
    pub(crate) throttling: Change<Timed>,
    /// No partition has a leader.
    #[serde(skip_serializing_if = "Change::is_none", serialize_with = "plain")]
    pub(crate) leaderless: Change<Trigger>,
}

/// A change to one fault.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) enum Change<T> {
    /// The fault stays as it is.
    #[default]
    None,
    /// The fault ends.
    End,
    /// The fault is replaced by this one.
    Set(T),
}

/// A fault that lasts for a while each time it strikes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Timed {
    pub(crate) time: Duration,
    pub(crate) trigger: Trigger,
}

impl<T> Change<T> {
    fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }
}

impl<T> From<Option<T>> for Change<T> {
    /// A fault in force, as the document shows it.
    fn from(in_force: Option<T>) -> Self {
        in_force.map_or(Self::None, Self::Set)
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

impl<T: Serialize> Serialize for Change<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None | Self::End => serializer.serialize_none(),
            Self::Set(fault) => fault.serialize(serializer),
        }
    }
}

/// A fault without a duration.
fn plain<S: Serializer>(change: &Change<Trigger>, serializer: S) -> Result<S::Ok, S::Error> {
    let Change::Set(trigger) = change else {
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
