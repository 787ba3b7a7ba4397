//! The section `routes`: what happens to the messages of each route.

use std::time::Duration;

use crate::{
    error::{DocumentError, quote},
    expression::Expression,
    name,
    node::{Fields, Node},
    stage::Throttling,
};

/// The settings of one route.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// The function to invoke.
    pub function: String,
    /// The topic that the function writes to. The functions of this repository require one.
    pub topic: Option<String>,
    /// Selects the record's key; if absent or empty, the key is the connection id.
    pub key: Option<Expression>,
    /// Whether the client receives the function's response. Never on `$connect` and `$disconnect`.
    pub route_response: bool,
    /// The integration's timeout, after which the client receives an error.
    pub timeout: Duration,
    /// The route's own limits, in addition to the stage's.
    pub throttling: Throttling,
    /// Whether to write a null value, for a compacted topic. Only on `$disconnect`.
    pub tombstone: bool,
}

impl Route {
    pub(crate) fn read(route_key: &str, node: &Node) -> Result<Self, DocumentError> {
        if !name::is_route_key(route_key) {
            let problem = match route_key {
                "" => "empty route key",
                _ => "reserved route key",
            };
            return Err(node.refuse(problem, name::ROUTE_KEY));
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
        reject_misplaced(route_key, fields)?;
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

/// Rejects the fields that have no effect on this route.
fn reject_misplaced(route_key: &str, fields: Fields<'_>) -> Result<(), DocumentError> {
    let problem = format!("not allowed on the route {}", quote(route_key));
    if let Some(node) = fields
        .find("routeResponse")
        .filter(|_| has_no_body(route_key))
    {
        return Err(node.reject(&problem, "move it to a route for messages"));
    }
    if let Some(node) = fields
        .find("tombstone")
        .filter(|_| route_key != name::DISCONNECT)
    {
        return Err(node.reject(&problem, "move it to `$disconnect`"));
    }
    for field in ["throttlingRateLimit", "throttlingBurstLimit"] {
        if let Some(node) = fields.find(field).filter(|_| route_key == name::DISCONNECT) {
            let advice = "remove it: a closed connection cannot be throttled";
            return Err(node.reject(&problem, advice));
        }
    }
    Ok(())
}

fn key(route_key: &str, node: &Node) -> Result<Expression, DocumentError> {
    let expression = expression(node)?;
    if expression.reads_body() && has_no_body(route_key) {
        let problem = format!("{} reads `$request.body`", node.description());
        let advice = format!("`{route_key}` has no body: use `$context` variables");
        return Err(node.reject(&problem, &advice));
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

/// API Gateway's limits for an integration's timeout; the maximum is the default.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>
const TIMEOUT_MILLIS_MIN: u32 = 50;
const TIMEOUT_MILLIS_MAX: u32 = 29_000;
const TIMEOUT_MAX: Duration = Duration::from_millis(TIMEOUT_MILLIS_MAX as u64);
