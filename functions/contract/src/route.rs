//! `routes`: what a message of a route does.

use std::time::Duration;

use crate::{
    error::DocumentError,
    expression::Expression,
    name,
    node::{Fields, Node},
    stage::Throttling,
};

/// What happens to the events of one route.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// The function that is invoked.
    pub function: String,
    /// The topic that the function stores in; the functions that come with the contract need one.
    pub topic: Option<String>,
    /// The record's key; the connection id where there is none or it selects nothing.
    pub key: Option<Expression>,
    /// Whether the function's answer goes to the client. Never on `$connect` and `$disconnect`.
    pub route_response: bool,
    /// The integration's timeout, after which the client is told that nothing came in time.
    pub timeout: Duration,
    /// The route's own limits, within the stage's.
    pub throttling: Throttling,
    /// Whether the record's value is null, for a compacted topic. Only on `$disconnect`.
    pub tombstone: bool,
}

impl Route {
    pub(crate) fn read(route_key: &str, node: &Node) -> Result<Self, DocumentError> {
        if !name::is_route_key(route_key) {
            let found = match route_key {
                "" => "an empty route key",
                _ => "a reserved route key",
            };
            return Err(node.refuse(found, name::ROUTE_KEY));
        }
        let fields = node.fields(&[
            "function",
            "topic",
            "key",
            "routeResponse",
            "timeoutInMillis",
            "throttlingRateLimit",
            "throttlingBurstLimit",
            "tombstone",
        ])?;
        refuse_misplaced(route_key, fields)?;
        Ok(Self {
            function: fields.required("function", name::function, name::FUNCTION)?,
            topic: fields.optional("topic", name::topic)?,
            key: fields.optional("key", |node| key(route_key, node))?,
            route_response: fields
                .optional("routeResponse", Node::boolean)?
                .unwrap_or_default(),
            timeout: fields
                .optional("timeoutInMillis", timeout)?
                .unwrap_or(TIMEOUT_MAX),
            throttling: Throttling::read(fields)?,
            tombstone: fields
                .optional("tombstone", Node::boolean)?
                .unwrap_or_default(),
        })
    }
}

/// Refuses the fields that mean nothing on this route.
fn refuse_misplaced(route_key: &str, fields: Fields<'_>) -> Result<(), DocumentError> {
    if let Some(node) = fields
        .find("routeResponse")
        .filter(|_| has_no_body(route_key))
    {
        let found = "a field without meaning here";
        return Err(node.refuse(found, "it on a route of messages: no message, no answer"));
    }
    if let Some(node) = fields
        .find("tombstone")
        .filter(|_| route_key != name::DISCONNECT)
    {
        return Err(node.refuse("a field without meaning here", "it on `$disconnect` only"));
    }
    for field in ["throttlingRateLimit", "throttlingBurstLimit"] {
        if let Some(node) = fields.find(field).filter(|_| route_key == name::DISCONNECT) {
            let expected = "it on another route: what has ended cannot be throttled";
            return Err(node.refuse("a field without meaning here", expected));
        }
    }
    Ok(())
}

fn key(route_key: &str, node: &Node) -> Result<Expression, DocumentError> {
    let expression = expression(node)?;
    if expression.reads_body() && has_no_body(route_key) {
        let expected = format!("no `$request.body`: {route_key} has no body");
        return Err(node.unlike(&expected));
    }
    Ok(expression)
}

/// Reads a selection expression.
pub(crate) fn expression(node: &Node) -> Result<Expression, DocumentError> {
    let source = node.text("a selection expression such as `$request.body.action`")?;
    Expression::parse(source).map_err(|err| DocumentError::new(node.line, &node.path, err))
}

fn timeout(node: &Node) -> Result<Duration, DocumentError> {
    let millis = node.whole(
        TIMEOUT_MILLIS_MIN..=TIMEOUT_MILLIS_MAX,
        "a whole number of milliseconds",
    )?;
    Ok(Duration::from_millis(millis.into()))
}

fn has_no_body(route_key: &str) -> bool {
    matches!(route_key, name::CONNECT | name::DISCONNECT)
}

/// API Gateway's bounds of an integration's timeout; the upper one is the default.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>
const TIMEOUT_MILLIS_MIN: u32 = 50;
const TIMEOUT_MILLIS_MAX: u32 = 29_000;
const TIMEOUT_MAX: Duration = Duration::from_millis(TIMEOUT_MILLIS_MAX as u64);
