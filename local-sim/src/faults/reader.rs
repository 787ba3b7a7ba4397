//! Reads faults from a file in YAML or a request body in JSON.

use std::{collections::BTreeMap, path::Path, time::Duration};

use local_sim_broker::FAULT_WAIT_MAX;
use local_sim_faults::Trigger;
use local_sim_gateway::REORDER_MAX;
use local_sim_lambda::LATENCY_MAX;
use serde_json::value::RawValue;
use sluice_contract::{Document, DocumentError, Fields, FileError, Node};
use thiserror::Error;

use super::document::{Change, Faults, OfFunction, OfGateway, OfKafka, Timed};

/// The faults that are possible in this simulator.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    /// The contract's functions.
    pub(crate) functions: Vec<String>,
    /// Whether there is an embedded broker.
    pub(crate) has_broker: bool,
}

impl Faults {
    /// Reads a file.
    ///
    /// # Errors
    /// The first mistake, with its file, line and field, and what was expected.
    pub(crate) fn load(path: &Path, scope: &Scope) -> Result<Self, FileError> {
        FAULTS.load(path, |root| Self::read(root, scope))
    }

    /// Reads a request's body.
    ///
    /// # Errors
    /// The same without the line, or the body is not JSON.
    pub(crate) fn parse(body: &[u8], scope: &Scope) -> Result<Self, ParseError> {
        let json: &RawValue = serde_json::from_slice(body).map_err(ParseError::NoJson)?;
        let read = FAULTS.parse(json.get(), |root| Self::read(root, scope));
        read.map_err(|refusal| match refusal.is_not_yaml() {
            true => ParseError::Unread,
            false => ParseError::Refused(refusal),
        })
    }

    fn read(root: &Node, scope: &Scope) -> Result<Self, DocumentError> {
        let fields = root.fields(&["seed", "functions", "gateway", "kafka"])?;
        let functions = fields.optional("functions", |node| functions(node, scope))?;
        let gateway = fields.optional("gateway", OfGateway::read)?;
        let kafka = fields.optional("kafka", |node| OfKafka::read(node, scope))?;
        Ok(Self {
            seed: fields.optional("seed", |node| node.whole(0..=u32::MAX, "a whole number"))?,
            functions: functions.unwrap_or_default(),
            gateway: gateway.unwrap_or_default(),
            kafka: kafka.unwrap_or_default(),
        })
    }
}

fn functions(node: &Node, scope: &Scope) -> Result<BTreeMap<String, OfFunction>, DocumentError> {
    let entries = node.entries("a mapping of functions' names to their faults")?;
    let read = entries.iter().map(|(name, node)| {
        if !scope.functions.contains(name) {
            let expected = format!("one of {}", scope.functions.join(", "));
            return Err(node.refuse("a function that the contract does not have", &expected));
        }
        Ok((name.clone(), OfFunction::read(node)?))
    });
    read.collect()
}

impl OfFunction {
    fn read(node: &Node) -> Result<Self, DocumentError> {
        let fields = node.fields(&["throttle", "coldStart", "latency"])?;
        Ok(Self {
            throttle: change(fields, "throttle", plain)?,
            cold_start: change(fields, "coldStart", plain)?,
            latency: change(fields, "latency", |node| timed(node, LATENCY_MAX))?,
        })
    }
}

impl OfGateway {
    fn read(node: &Node) -> Result<Self, DocumentError> {
        let fields = node.fields(&["reorder", "dropDisconnect"])?;
        Ok(Self {
            reorder: change(fields, "reorder", |node| timed(node, REORDER_MAX))?,
            drop_disconnect: change(fields, "dropDisconnect", plain)?,
        })
    }
}

impl OfKafka {
    fn read(node: &Node, scope: &Scope) -> Result<Self, DocumentError> {
        if !scope.has_broker {
            let expected = "none: with `--kafka` there is no embedded broker";
            return Err(node.refuse("faults of the embedded broker", expected));
        }
        let fields = node.fields(&["slow", "silent", "closed", "throttling", "leaderless"])?;
        Ok(Self {
            slow: change(fields, "slow", |node| timed(node, FAULT_WAIT_MAX))?,
            silent: change(fields, "silent", plain)?,
            closed: change(fields, "closed", plain)?,
            throttling: change(fields, "throttling", |node| timed(node, FAULT_WAIT_MAX))?,
            leaderless: change(fields, "leaderless", plain)?,
        })
    }
}

/// The change that a field makes to a fault.
fn change<T>(
    fields: Fields<'_>,
    name: &str,
    read: impl FnOnce(&Node) -> Result<T, DocumentError>,
) -> Result<Change<T>, DocumentError> {
    match fields.find(name) {
        None => Ok(Change::None),
        Some(node) if node.is_null() => Ok(Change::End),
        Some(node) => read(node).map(Change::Set),
    }
}

fn plain(node: &Node) -> Result<Trigger, DocumentError> {
    node.entries("`{}`, which is always, or a mapping of next, share")?;
    trigger(node.fields(&["next", "share"])?)
}

fn timed(node: &Node, max: Duration) -> Result<Timed, DocumentError> {
    let fields = node.fields(&["millis", "next", "share"])?;
    let max = u32::try_from(max.as_millis()).unwrap_or(u32::MAX);
    let millis = fields.required(
        "millis",
        |node| node.whole(1..=max, MILLIS),
        &format!("{MILLIS} from 1 to {max}"),
    )?;
    Ok(Timed {
        time: Duration::from_millis(millis.into()),
        trigger: trigger(fields)?,
    })
}

fn trigger(fields: Fields<'_>) -> Result<Trigger, DocumentError> {
    match (fields.find("next"), fields.find("share")) {
        (None, None) => Ok(Trigger::Always),
        (Some(next), None) => {
            let count = next.whole(0..=u32::MAX, "a whole number of times")?;
            Ok(Trigger::Next(count.into()))
        }
        (None, Some(share)) => share
            .decimal(1.0, SHARE)
            .ok()
            .filter(|share| *share > 0.0)
            .map(Trigger::Share)
            .ok_or_else(|| share.unlike(SHARE)),
        (Some(_), Some(share)) => Err(share.refuse("`share` beside `next`", "one of the two")),
    }
}

/// Why a request body is invalid.
#[derive(Debug, Error)]
pub(crate) enum ParseError {
    /// It is not JSON.
    #[error("the body is not JSON: {0} (expected faults)")]
    NoJson(serde_json::Error),
    /// It is JSON that the YAML parser does not read.
    #[error(
        "the body has a string that is too long, or a character written as two escapes such as `\\ud83d\\ude00` \
         (expected short names in plain characters)"
    )]
    Unread,
    /// A field is invalid.
    #[error("{0}")]
    Refused(DocumentError),
}

const FAULTS: Document = Document {
    file: "faults",
    content: "faults",
};
const MILLIS: &str = "a whole number of milliseconds";
const SHARE: &str = "a number above 0, at most 1";

#[cfg(test)]
mod tests;
