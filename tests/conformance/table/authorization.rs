//! Section 3: authorization.

use super::row::Held::{Chosen, Outside, Tested};
use super::row::Sure::{Documented, Inferred, Observed};
use super::row::{Row, row};

pub(super) const ROWS: &[Row] = &[
    row(
        "3.1",
        Documented,
        "`$connect` is open to all, or asks for IAM, or asks a Lambda authorizer of type REQUEST; there is nothing else",
        &["dg:apigateway-websocket-api-lambda-auth"],
        Tested,
    ),
    row(
        "3.2",
        Documented,
        "Where an identity source is missing or empty, the answer is 401, and the authorizer is not asked",
        &["dg:apigateway-websocket-api-lambda-auth"],
        Tested,
    ),
    row(
        "3.3",
        Documented,
        "`methodArn` is `arn:aws:execute-api:{region}:{account}:{apiId}/{stage}/$connect`",
        &["dg:apigateway-websocket-api-lambda-auth"],
        Tested,
    ),
    row(
        "3.4",
        Documented,
        "An authorizer that fails with just the text `Unauthorized` makes a 401",
        &["dg:apigateway-websocket-api-lambda-auth"],
        Tested,
    ),
    row(
        "3.5",
        Observed,
        "A policy that denies, or of which nothing matches `methodArn`, makes a 403; an ARN with a method, as of REST, does not match",
        &["aws-powertools/powertools-lambda-python#5800"],
        Tested,
    ),
    row(
        "3.6",
        Observed,
        "Any other failure of the authorizer, a timeout or a malformed answer such as `{\"statusCode\":401}` makes a 500",
        &["serverless/examples#557"],
        Tested,
    ),
    row(
        "3.7",
        Documented,
        "The answer has `principalId`, `policyDocument`, and if it likes a `context` of strings, numbers and booleans; it has 8 KB at most",
        &[
            "dg:apigateway-websocket-api-lambda-auth",
            "dg:apigateway-execution-service-websocket-limits-table",
        ],
        Tested,
    ),
    row(
        "3.8",
        Observed,
        "Every event of the connection has the context and `principalId` in `requestContext.authorizer`; that of CONNECT has `integrationLatency`, too",
        &["dherault/serverless-offline#1379"],
        Tested,
    ),
    row(
        "3.9",
        Inferred,
        "Numbers and booleans of the context are text in events, as with REST APIs",
        &["dg:websocket-api-logging"],
        Chosen("`--authorizer-context`"),
    ),
    row(
        "3.10",
        Documented,
        "The authorizer is asked once for a connection, and its answer is not remembered for another",
        &[
            "dg:apigateway-websocket-api-lambda-auth",
            "localstack/localstack#10059",
        ],
        Tested,
    ),
    row(
        "3.11",
        Observed,
        "The bodies of 401 and 403 cannot be one's own",
        &["https://repost.aws/questions/QUaWyP198zQpSVDDd_YlNE8g"],
        Tested,
    ),
    row(
        "3.12",
        Documented,
        "With IAM the request is signed, in its headers or in its query; a missing or wrong signature is a 403. Messages of an open connection need none, as one user reports",
        &[
            "dg:apigateway-websocket-control-access-iam",
            "mhart/aws4#99",
        ],
        Tested,
    ),
    row(
        "3.13",
        Documented,
        "`$connect` may ask for an API key",
        &["dg:apigateway-websocket-api-selection-expressions"],
        Outside("API keys and usage plans"),
    ),
];
