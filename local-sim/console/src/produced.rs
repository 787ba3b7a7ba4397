//! Finds the records that invocations produced, by the id that Sluice's functions give them.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use local_sim_broker::{Control, Place};
use local_sim_lambda::Record;
use serde::Deserialize;

/// The positions of the records that some invocations produced, by record id.
#[derive(Debug, Default)]
pub(super) struct Produced(BTreeMap<String, Place>);

impl Produced {
    /// Searches the embedded broker, if it runs, for the records of these invocations. Blocking.
    pub(super) fn find(invocations: &[Arc<Record>], broker: Option<&Control>) -> Self {
        let Some(broker) = broker else {
            return Self::default();
        };
        let ids = invocations.iter().filter_map(|it| id(it));
        let ids: BTreeSet<String> = ids.collect();
        Self(if ids.is_empty() {
            BTreeMap::new()
        } else {
            broker.find(&ids)
        })
    }

    /// The position of the record of this invocation.
    pub(super) fn of(&self, invocation: &Record) -> Option<&Place> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get(&id(invocation)?)
    }
}

/// The `ce_id` of the record that Sluice's functions produce; `None` if they produce none.
fn id(invocation: &Record) -> Option<String> {
    id_of_event(&invocation.event)
}

fn id_of_event(event: &[u8]) -> Option<String> {
    let event: GatewayEvent<'_> = serde_json::from_slice(event).ok()?;
    let context = event.request_context;
    let connection_id = context.connection_id;
    match &*context.event_type {
        "CONNECT" => Some(format!("{connection_id}:connect")),
        "DISCONNECT" => Some(format!("{connection_id}:disconnect")),
        "MESSAGE" => context.message_id.map(Cow::into_owned),
        _ => None,
    }
}

/// The part of API Gateway's event that determines the id.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GatewayEvent<'a> {
    #[serde(borrow)]
    request_context: RequestContext<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    #[serde(borrow)]
    event_type: Cow<'a, str>,
    #[serde(borrow)]
    connection_id: Cow<'a, str>,
    #[serde(borrow)]
    message_id: Option<Cow<'a, str>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(event: &str) -> Option<String> {
        id_of_event(event.as_bytes())
    }

    #[test]
    fn the_id_matches_the_one_that_the_functions_set() {
        let event = |kind: &str| {
            format!(
                r#"{{"requestContext":{{"eventType":"{kind}","connectionId":"c=","messageId":"m=","x":1}},"body":""}}"#
            )
        };
        assert_eq!(check(&event("CONNECT")).as_deref(), Some("c=:connect"));
        assert_eq!(check(&event("MESSAGE")).as_deref(), Some("m="));
        assert_eq!(
            check(&event("DISCONNECT")).as_deref(),
            Some("c=:disconnect")
        );
        assert_eq!(check(&event("OTHER")), None);
        assert_eq!(check(r#"{"eventSource":"SelfManagedKafka"}"#), None);
        assert_eq!(check("not JSON"), None);
    }
}
