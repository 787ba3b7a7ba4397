//! Section 9: logging and metrics.

use super::row::Held::{Outside, Tested};
use super::row::Sure::{Documented, Observed};
use super::row::{Row, row};

const LOGGING: &str = "dg:websocket-api-logging";
const CLOUDWATCH: &str =
    "CloudWatch is a service of its own; why something is refused is on standard error";

pub(super) const ROWS: &[Row] = &[
    row(
        "9.1",
        Documented,
        "The access log has a line for each event, in a format of `$context` variables",
        &[LOGGING],
        Tested,
    ),
    row(
        "9.2",
        Documented,
        "What is not defined is `-`",
        &[LOGGING],
        Tested,
    ),
    row(
        "9.3",
        Observed,
        "The execution log tells each step of a request",
        &["CloudWatch logs in public"],
        Outside(CLOUDWATCH),
    ),
    row(
        "9.4",
        Documented,
        "CloudWatch counts connects, messages, and errors of clients, integrations and executions",
        &["dg:apigateway-websocket-api-logging"],
        Outside(CLOUDWATCH),
    ),
];
