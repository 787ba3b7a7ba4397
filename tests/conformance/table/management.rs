//! Section 8: `@connections`.

use super::row::Held::{Chosen, Outside, Tested};
use super::row::Sure::{Documented, Inferred, Observed, Unknown};
use super::row::{Row, row};

const CONNECTIONS: &str = "dg:apigateway-how-to-call-websocket-api-connections";
const MODEL: &str = "https://github.com/boto/botocore/blob/develop/botocore/data/apigatewaymanagementapi/2018-11-29/service-2.json";
const IAM: &str = "dg:apigateway-websocket-control-access-iam";

pub(super) const ROWS: &[Row] = &[
    row(
        "8.1",
        Documented,
        "Requests are signed for `execute-api`; `@` and `=` of the path may be escaped, as SDKs do",
        &[MODEL, CONNECTIONS],
        Tested,
    ),
    row(
        "8.2",
        Documented,
        "The endpoint is `https://{domainName}/{stage}`",
        &[MODEL],
        Tested,
    ),
    row(
        "8.3",
        Documented,
        "The IAM action is `execute-api:ManageConnections`, on `{stage}/{method}/@connections/*`",
        &[IAM],
        Outside("policies of users: there is one, who may do everything"),
    ),
    row(
        "8.4",
        Documented,
        "POST: 200 with an empty body, whatever the content type",
        &[MODEL, CONNECTIONS],
        Tested,
    ),
    row(
        "8.5",
        Documented,
        "GET: 200 with `connectedAt`, `identity` (`sourceIp`, and `userAgent` where it is known) and `lastActiveAt`, in ISO 8601 with milliseconds",
        &[MODEL, CONNECTIONS],
        Tested,
    ),
    row(
        "8.6",
        Observed,
        "DELETE: 204 without a body, and 1000 for the client",
        &[CONNECTIONS, "aws/aws-sdk-js#2545"],
        Tested,
    ),
    row(
        "8.7",
        Observed,
        "Of a connection that is closed, unknown or not open yet: 410 with an empty body, its type in `x-amzn-ErrorType: GoneException`",
        &[
            "aws/aws-sdk-java#2200",
            "aws/aws-sdk-php#2285",
            "localstack/localstack#4694",
        ],
        Tested,
    ),
    row(
        "8.8",
        Observed,
        "A malformed id: 400, `Invalid connectionId: …`",
        &[
            "localstack/localstack#4694",
            "dherault/serverless-offline#749",
            "aws/aws-sdk-go-v2#889",
        ],
        Tested,
    ),
    row(
        "8.9",
        Observed,
        "Another stage, or none: 403 `{\"message\":\"Forbidden\"}`, `ForbiddenException`",
        &[
            "aws/aws-sdk-php#1955",
            "aws/aws-sdk-net#1264",
            "amplify-education/serverless-domain-manager#390",
        ],
        Tested,
    ),
    row(
        "8.10",
        Observed,
        "Who is known but not allowed: 403, `User: arn:… is not authorized to perform: execute-api:ManageConnections on resource: …`",
        &[IAM],
        Outside("policies of users: there is one, who may do everything"),
    ),
    row(
        "8.11",
        Observed,
        "A wrong signature: 403, `The request signature we calculated does not match …`; none: `Missing Authentication Token`",
        &["okigan/awscurl#61", "mhart/aws4#133"],
        Chosen("`--connections-auth`"),
    ),
    row(
        "8.12",
        Documented,
        "More than 131,072 bytes: 413",
        &[MODEL],
        Tested,
    ),
    row(
        "8.13",
        Documented,
        "A client that does not read what waits for it: 429 with an empty body",
        &[MODEL, "gchq/sleeper#7494"],
        Tested,
    ),
    row(
        "8.14",
        Observed,
        "There is nothing else below `@connections`",
        &["aws-samples/simple-websockets-chat-app#40"],
        Tested,
    ),
    row(
        "8.15",
        Observed,
        "A POST to a client that is half dead may stall",
        &["aws/aws-sdk-js-v3#6896", "aws/aws-sdk-js-v3#7632"],
        Outside("nobody would want it to: the gateway answers at once"),
    ),
    row(
        "8.16",
        Inferred,
        "200 says that the gateway has the message, not that the client has read it",
        &[],
        Tested,
    ),
    row(
        "8.17",
        Unknown,
        "An empty POST",
        &[],
        Chosen("an empty message; no flag"),
    ),
    row(
        "8.18",
        Observed,
        "Another host: 403 `{\"message\":\"Forbidden\"}`, `ForbiddenException`",
        &["aws/aws-sdk-php#1955"],
        Chosen("any name is the API's, since a machine has many; no flag"),
    ),
];
