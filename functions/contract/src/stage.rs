//! The section `stage`: the settings that apply to all routes.

use std::collections::BTreeMap;

use crate::{
    error::DocumentError,
    node::{Fields, Node},
};

/// The settings of the API's stage.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stage {
    /// The limits for all routes together.
    pub throttling: Throttling,
    /// The stage variables, included in every event.
    pub variables: BTreeMap<String, String>,
}

impl Stage {
    pub(crate) fn read(node: &Node) -> Result<Self, DocumentError> {
        let fields = node.fields(&["throttlingRateLimit", "throttlingBurstLimit", "variables"])?;
        Ok(Self {
            throttling: Throttling::read(fields)?,
            variables: fields.optional("variables", variables)?.unwrap_or_default(),
        })
    }
}

/// The limits of a token bucket. Without a limit, the account's limit applies.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Throttling {
    /// Steady rate, in requests per second.
    pub rate_limit: Option<f64>,
    /// Burst size, in requests.
    pub burst_limit: Option<u32>,
}

impl Throttling {
    /// Reads the two throttling fields of a stage or a route.
    pub(crate) fn read(fields: Fields<'_>) -> Result<Self, DocumentError> {
        Ok(Self {
            rate_limit: fields.optional("throttlingRateLimit", |node| {
                node.decimal(REQUESTS_MAX.into(), "a number of requests per second")
            })?,
            burst_limit: fields.optional("throttlingBurstLimit", |node| {
                node.whole(0..=REQUESTS_MAX, "a whole number of requests")
            })?,
        })
    }
}

fn variables(node: &Node) -> Result<BTreeMap<String, String>, DocumentError> {
    let mut variables = BTreeMap::new();
    for (name, value) in node.entries("a mapping of stage variables")? {
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            let problem = "invalid name of a stage variable";
            return Err(value.refuse(problem, "letters, digits and `_`"));
        }
        let text = value.text_that(
            |text| !text.is_empty() && text.bytes().all(is_value_byte),
            "a value of letters, digits and `-._~:/?#&=,`",
        )?;
        variables.insert(name.clone(), text);
    }
    Ok(variables)
}

/// Whether API Gateway accepts this byte in a stage variable's value.
/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-stages.html>
fn is_value_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-._~:/?#&=,".contains(&b)
}

/// Far above any account's quota (10,000 requests per second unless raised); catches typos.
const REQUESTS_MAX: u32 = 10_000_000;
