//! From one event to one answer.
//!
//! ```text
//! event JSON ─parse▶ Event ─route▶ Record ─publish▶ Receipt ─render▶ Response
//! ```
//!
//! Two of these steps can fail. A failure is an answer, never a crash.

use std::time::{Duration, Instant};

use sluice_aws::{Log, time_for_work};
use sluice_contract::{Contract, Route};

use crate::{
    apigw_event::{self, Refused},
    event::Event,
    failure::{Code, Failure},
    record::Record,
    reply::{ReplyId, Response},
    sink::{Receipt, Sink},
    trace::traceparent,
};

/// Handles the events of one function.
#[derive(Debug)]
pub struct Handler<S> {
    contract: Contract,
    sink: S,
    log: Log,
}

/// One invocation, as Lambda describes it.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Lambda's request id, for the log.
    pub request_id: String,
    /// When it arrived.
    pub received: Instant,
    /// How long it may run from then on.
    pub time_left: Duration,
    /// The X-Ray trace header.
    pub trace: Option<String>,
}

impl<S: Sink> Handler<S> {
    /// A handler for the routes of `contract` that stores records in `sink`.
    pub fn new(contract: Contract, sink: S, log: Log) -> Self {
        Self {
            contract,
            sink,
            log,
        }
    }

    /// Answers one event.
    pub async fn handle(&self, json: &str, invocation: &Invocation) -> Response {
        let (route_key, reply_id, outcome) = match apigw_event::parse(json) {
            Ok(event) => (
                Some(event.route_key.clone()),
                ReplyId::of(&event),
                self.store(event, invocation).await,
            ),
            Err(Refused {
                failure,
                route_key,
                reply_id,
            }) => (route_key, reply_id, Err(failure)),
        };
        let route_key = route_key.as_deref();
        if let Err(failure) = &outcome {
            self.log.error(
                failure,
                &[
                    ("requestId", &invocation.request_id),
                    ("routeKey", route_key.unwrap_or_default()),
                ],
            );
        }
        Response::new(&outcome, self.has_frame(route_key).then_some(&reply_id))
    }

    async fn store(&self, event: Event, invocation: &Invocation) -> Result<Receipt, Failure> {
        let (route, topic) = self.route(&event.route_key)?;
        let record = Record::new(
            event,
            topic,
            route,
            &self.contract.credential_query_names(),
            invocation.trace.as_deref().and_then(traceparent),
        );
        // Answers before Lambda ends the invocation and before the gateway's timeout.
        let time = time_for_work(invocation.time_left.min(route.timeout));
        self.sink.publish(record, invocation.received + time).await
    }

    fn route(&self, key: &str) -> Result<(&Route, String), Failure> {
        let unknown = |what| Failure::new(Code::Internal, format!("route {key:?} {what}"));
        let route = self
            .contract
            .routes
            .get(key)
            .ok_or_else(|| unknown("is not in the contract"))?;
        let topic = route
            .topic
            .clone()
            .ok_or_else(|| unknown("has no topic in the contract"))?;
        Ok((route, topic))
    }

    /// Whether the client gets a frame: for a message, if its route has a response.
    ///
    /// A route that is missing in the contract may have a route response. If it has none, API
    /// Gateway drops the frame. If it has one, API Gateway would otherwise send an empty frame.
    fn has_frame(&self, route_key: Option<&str>) -> bool {
        match route_key {
            Some("$connect" | "$disconnect") => false,
            Some(key) => self
                .contract
                .routes
                .get(key)
                .is_none_or(|route| route.route_response),
            None => true,
        }
    }
}
