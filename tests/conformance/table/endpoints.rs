//! Section 1: endpoints and URLs.

use super::row::Held::{Chosen, Outside, Tested};
use super::row::Sure::{Documented, Inferred, Observed};
use super::row::{Row, row};

pub(super) const ROWS: &[Row] = &[
    row(
        "1.1",
        Documented,
        "A client's URL is the host and the stage, nothing more; a slash may follow",
        &[
            "dg:apigateway-how-to-call-websocket-api-wscat",
            "dg:apigateway-websocket-api-lambda-auth",
        ],
        Tested,
    ),
    row(
        "1.2",
        Documented,
        "At a custom domain the mapping chooses API and stage, so neither sockets nor `@connections` name the stage; `domainName` is the domain, `stage` the stage behind it",
        &[
            "dg:websocket-api-custom-domain-names",
            "dg:websocket-api-mappings",
        ],
        Tested,
    ),
    row(
        "1.3",
        Documented,
        "A mapping may have a path, chosen by `$request.basepath`; REST and HTTP APIs cannot share the domain",
        &[
            "dg:websocket-api-mappings",
            "dg:apigateway-websocket-api-selection-expressions",
        ],
        Outside("mapping paths beyond one custom domain"),
    ),
    row(
        "1.4",
        Documented,
        "Connections are managed at the same host, at `/{stage}/@connections/{connectionId}`",
        &["dg:apigateway-how-to-call-websocket-api-connections"],
        Tested,
    ),
    row(
        "1.5",
        Documented,
        "TLS 1.2 or 1.3 only; the default host can be switched off",
        &[
            "dg:websocket-api-develop",
            "dg:websocket-api-disable-default-endpoint",
        ],
        Outside("TLS termination, and the only other host is the custom domain"),
    ),
    row(
        "1.6",
        Documented,
        "A stage's name has up to 128 letters, digits, `-` and `_`; `ping` and `sping` are taken",
        &["dg:apigateway-execution-service-websocket-limits-table"],
        Tested,
    ),
    row(
        "1.7",
        Inferred,
        "An unknown stage or path is answered by 403 `{\"message\":\"Forbidden\"}`, as the host does below `@connections`",
        &["aws/aws-sdk-php#1955"],
        Chosen("no flag"),
    ),
    row(
        "1.8",
        Observed,
        "A GET that does not ask to upgrade is answered by 426; there is one witness",
        &[
            "https://github.com/dherault/serverless-offline/blob/d243b3ed/tests/manual/websocket/main/test/e2e/ws.e2e.js",
        ],
        Chosen("`--plain-get`"),
    ),
    row(
        "1.9",
        Observed,
        "Any `Origin` may connect; it is one of the headers that `$connect` sees, which may check it",
        &["https://github.com/awslabs/swift-aws-lambda-events"],
        Tested,
    ),
];
