//! Section 4: routing.

use super::row::Held::{Chosen, Outside, Tested};
use super::row::Sure::{Documented, Observed, Unknown};
use super::row::{Row, row};

pub(super) const ROWS: &[Row] = &[
    row(
        "4.1",
        Documented,
        "One expression names the route: a path into the body, or several in `${…}` with text between them; `\\$` is a plain dollar",
        &[
            "dg:websocket-api-develop-routes",
            "dg:apigateway-websocket-api-selection-expressions",
        ],
        Tested,
    ),
    row(
        "4.2",
        Documented,
        "What is missing is an empty text; a list is written as Java does, `[1, 2]`",
        &["dg:apigateway-websocket-api-selection-expressions"],
        Tested,
    ),
    row(
        "4.3",
        Documented,
        "A route is found by its very key, case included; else `$default` takes the message",
        &["dg:websocket-api-develop-routes"],
        Tested,
    ),
    row(
        "4.4",
        Documented,
        "What is no JSON goes to `$default`; so, most likely, does JSON that is no object, and an empty text",
        &["dg:websocket-api-develop-routes"],
        Tested,
    ),
    row(
        "4.5",
        Observed,
        "Without any route the client gets the frame `Forbidden`, and stays connected",
        &[
            "aws-samples/simple-websockets-chat-app#24",
            "aws-samples/simple-websockets-chat-app#40",
        ],
        Tested,
    ),
    row(
        "4.6",
        Documented,
        "`routeKey` of a message that fell back is `$default`, not what it had asked for",
        &[
            "dg:websocket-api-logging",
            "https://github.com/aws/aws-lambda-go/blob/main/events/testdata/apigw-websocket-request-send-message.json",
        ],
        Tested,
    ),
    row(
        "4.7",
        Observed,
        "The expression has no say about `$connect` and `$disconnect`",
        &["localstack/localstack#7153"],
        Tested,
    ),
    row(
        "4.8",
        Unknown,
        "What becomes of a message that names `$connect`, `$disconnect` or `$default`",
        &[],
        Chosen("it matches no route, and falls back; no flag"),
    ),
    row(
        "4.9",
        Observed,
        "The reader of JSON is lenient: a message with an unquoted key was routed by its `action`, in a sample that may have been edited",
        &["recorded events"],
        Chosen("read leniently; `--json`"),
    ),
    row(
        "4.10",
        Documented,
        "A route key of one's own does not begin with a dollar",
        &["dg:websocket-api-develop-routes"],
        Tested,
    ),
    row(
        "4.11",
        Documented,
        "Messages may be validated by a model",
        &["dg:websocket-api-request-validation"],
        Outside("model validation"),
    ),
];
