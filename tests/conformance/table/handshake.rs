//! Section 2: the handshake.

use super::row::Held::{Chosen, Outside, Tested};
use super::row::Sure::{Documented, Inferred, Observed};
use super::row::{Row, row};

pub(super) const ROWS: &[Row] = &[
    row(
        "2.1",
        Documented,
        "The upgrade is pending for as long as `$connect` runs. Before it, in this order: the stage is known, a token is taken, the authorizer allows it; the order is inferred",
        &["dg:apigateway-websocket-api-route-keys-connect-disconnect"],
        Tested,
    ),
    row(
        "2.2",
        Documented,
        "Without a `$connect` route every handshake is accepted",
        &["dg:apigateway-websocket-api-route-keys-connect-disconnect"],
        Tested,
    ),
    row(
        "2.3",
        Documented,
        "A `statusCode` of 2xx opens the connection; any other one is the status of the refusal",
        &[
            "dg:websocket-connect-route-subprotocol",
            "dherault/serverless-offline#1301",
        ],
        Tested,
    ),
    row(
        "2.4",
        Observed,
        "A `$connect` that throws, is ended by Lambda's timeout, or replies something malformed is a 502",
        &[
            "serverless/serverless-websockets-plugin#13",
            "michalkvasnicak/aws-lambda-graphql#107",
        ],
        Tested,
    ),
    row(
        "2.5",
        Inferred,
        "A `$connect` that outlasts the integration's timeout is a 504, as with REST APIs",
        &[],
        Tested,
    ),
    row(
        "2.6",
        Observed,
        "Where Lambda does not run the function at all, the handshake ends with 500",
        &["aws/aws-cdk#18208"],
        Tested,
    ),
    row(
        "2.7",
        Observed,
        "Of the reply of `$connect` only `Sec-WebSocket-Protocol` reaches the client: no other header, no body",
        &["aws/chalice#1768"],
        Tested,
    ),
    row(
        "2.8",
        Observed,
        "A function accepts with 200; to say 101 is the gateway's part",
        &["https://aws.github.io/chalice/topics/websockets"],
        Tested,
    ),
    row(
        "2.9",
        Documented,
        "An offered sub-protocol is not echoed; the function chooses one by the header of its reply, in any case",
        &[
            "dg:websocket-connect-route-subprotocol",
            "localstack/localstack#6521",
            "rails-lambda/lamby#74",
        ],
        Tested,
    ),
    row(
        "2.10",
        Observed,
        "The 101 has `Date`, `Connection: upgrade`, `upgrade: websocket` and `sec-websocket-accept`, and only where there is one the protocol or an extension",
        &["python-websockets/websockets#1065"],
        Tested,
    ),
    row(
        "2.11",
        Observed,
        "Compression was negotiated at least once, with a window that was then violated; what Chrome's usual offer gets is not known",
        &["python-websockets/websockets#1065"],
        Chosen("declined; no flag"),
    ),
    row(
        "2.12",
        Inferred,
        "A refusal's body is JSON with `message`, `connectionId` and `requestId`, beside `x-amzn-ErrorType`",
        &[],
        Chosen("no flag"),
    ),
    row(
        "2.13",
        Documented,
        "An account opens 500 connections a second; more are refused with 429",
        &[
            "dg:apigateway-execution-service-websocket-limits-table",
            "dg:websocket-api-protect",
        ],
        Chosen("`--account-quotas`, since an account has other APIs too"),
    ),
    row(
        "2.14",
        Documented,
        "A URL has at most 4096 characters; the status of the refusal is not known",
        &["dg:apigateway-execution-service-websocket-limits-table"],
        Chosen("414; no flag"),
    ),
    row(
        "2.15",
        Observed,
        "An HTTP integration of `$connect` gets the headers of the upgrade, which back ends refuse",
        &["https://stackoverflow.com/questions/67640010"],
        Outside("integrations other than Lambda"),
    ),
    row(
        "2.16",
        Documented,
        "Until `$connect` has returned, the connection is gone (410) to `@connections`",
        &[
            "https://repost.aws/knowledge-center/410-gone-api-gateway",
            "aws/chalice#1406",
        ],
        Tested,
    ),
    row(
        "2.17",
        Inferred,
        "A message may follow the 101 at once",
        &[],
        Tested,
    ),
    row(
        "2.18",
        Inferred,
        "A refused connection never was one: there is no `$disconnect`",
        &[],
        Tested,
    ),
];
