//! Section 5: integration.

use super::row::Held::{Chosen, Outside, Tested};
use super::row::Sure::{Documented, Inferred, Observed, Unknown};
use super::row::{Row, row};

pub(super) const ROWS: &[Row] = &[
    row(
        "5.1",
        Documented,
        "A route without a route response says nothing to the client, whatever the function's status",
        &["dg:apigateway-websocket-api-route-response"],
        Tested,
    ),
    row(
        "5.2",
        Documented,
        "With a route response the body of the reply is one text message, and nothing else of it is told",
        &["dg:apigateway-websocket-api-route-response"],
        Tested,
    ),
    row(
        "5.3",
        Observed,
        "So it is with a status that is no success",
        &["yai333/React-Chat-App-using-AWS-API-Gateway-Websocket-and-Serverless-Framework#2"],
        Tested,
    ),
    row(
        "5.4",
        Observed,
        "Without a body the client gets an empty message",
        &["serverless/serverless#6816"],
        Tested,
    ),
    row(
        "5.5",
        Unknown,
        "What becomes of a body in base64",
        &[],
        Chosen("decoded, and sent as text; no flag"),
    ),
    row(
        "5.6",
        Observed,
        "A function that fails, ends or takes too long for Lambda gives the client `Internal server error`, on one-way routes as well",
        &[
            "laconiajs/laconia#41",
            "aws/chalice#1406",
            "Kludex/mangum#128",
        ],
        Tested,
    ),
    row(
        "5.7",
        Observed,
        "So does a reply that is no proxy response: without `statusCode`, with a key that it does not know, or with a body that is no text",
        &["middyjs/middy#1219", "architect/architect#1093"],
        Tested,
    ),
    row(
        "5.8",
        Observed,
        "So does a function that Lambda does not run at all",
        &["aws/aws-cdk#18208"],
        Tested,
    ),
    row(
        "5.9",
        Observed,
        "After the integration's timeout the client gets `Endpoint request timed out`; the function runs on, and its reply is lost",
        &["dg:apigateway-execution-service-websocket-limits-table"],
        Tested,
    ),
    row(
        "5.10",
        Observed,
        "Without a route the client gets `Forbidden`",
        &["aws-samples/simple-websockets-chat-app#24"],
        Tested,
    ),
    row(
        "5.11",
        Unknown,
        "What a throttled message gets",
        &["dg:websocket-api-protect"],
        Chosen("a frame, whose text `--throttled-message` sets; who goes on is closed with 1008"),
    ),
    row(
        "5.12",
        Documented,
        "There are integrations with HTTP, other services and mocks, with templates in VTL",
        &["dg:apigateway-websocket-api-integrations"],
        Outside("integrations other than Lambda, and VTL"),
    ),
    row(
        "5.13",
        Observed,
        "The frame is `{\"message\": \"…\", \"connectionId\":\"…\", \"requestId\":\"…\"}` with just these blanks, and the request id of the event",
        &["laconiajs/laconia#41", "aws/chalice#1406"],
        Tested,
    ),
    row(
        "5.14",
        Observed,
        "A failed invocation is not tried again, and closes nothing",
        &["aws/chalice#1406"],
        Tested,
    ),
    row(
        "5.15",
        Inferred,
        "The frame is traffic, which keeps a connection from being idle",
        &[],
        Tested,
    ),
];
