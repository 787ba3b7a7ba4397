//! Section 9: the access log.

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::probe::Step;
use tests::wait::eventually;

use crate::api::{AUTHORIZER, Api, Deployment, IAM, STANDARD};
use crate::suite::{Test, simulated};

pub(crate) fn tests() -> Vec<Test> {
    vec![
        simulated!(r9_1_every_event_has_a_line_of_json),
        simulated!(r9_1_the_format_is_ones_own),
        simulated!(r9_1_every_variable_is_known),
        simulated!(r9_1_a_refused_connection_has_a_line),
        simulated!(r9_1_a_refusal_by_the_authorizer_is_explained),
        simulated!(r9_1_a_refusal_by_iam_is_explained),
        simulated!(r9_1_an_integration_that_fails_is_explained),
        simulated!(r9_1_what_the_authorizer_said_is_there_as_text),
        simulated!(r9_2_what_is_not_defined_is_a_dash),
    ]
}

/// A simulator with an access log, and the log.
struct Logged {
    api: Api,
    folder: TempDir,
}

impl Logged {
    async fn start(flags: &[&str]) -> Self {
        Self::start_of(STANDARD, flags).await
    }

    async fn start_of(deployment: &Deployment, flags: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("access.log");
        let path = path.to_str().unwrap().to_owned();
        let flags = [&["--access-log", &path], flags].concat();
        Self {
            api: deployment.simulate(&flags).await,
            folder,
        }
    }

    /// The lines, once there are so many.
    async fn lines(&self, count: usize) -> Vec<String> {
        let path = self.folder.path().join("access.log");
        eventually("the lines of the access log", async || {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let lines: Vec<String> = text.lines().map(str::to_owned).collect();
            (lines.len() >= count && text.ends_with('\n')).then_some(lines)
        })
        .await
    }
}

async fn r9_1_every_event_has_a_line_of_json() {
    let logged = Logged::start(&[]).await;
    let mut socket = logged.api.connect().await;
    let report = socket.ask(&[]).await;
    socket.close(1000, "").await;
    let lines: Vec<Value> = logged
        .lines(3)
        .await
        .iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect();
    let types: Vec<&Value> = lines.iter().map(|line| &line["eventType"]).collect();
    assert_eq!(types, ["CONNECT", "MESSAGE", "DISCONNECT"]);
    for line in &lines {
        assert_eq!(line["connectionId"], report.context("connectionId"));
    }
    assert_eq!(lines[1]["requestId"], report.context("requestId"));
}

/// A format of one variable, and the value that a message has for it.
async fn check(format: &str) -> (Value, String) {
    let logged = Logged::start(&["--access-log-format", format]).await;
    let mut socket = logged.api.connect().await;
    let report = socket.ask(&[]).await;
    let line = logged.lines(2).await.swap_remove(1);
    (report.event["requestContext"].clone(), line)
}

async fn r9_1_the_format_is_ones_own() {
    let format =
        "$context.connectionId says $context.messageId at [$context.requestTime] $context.status";
    let (context, line) = check(format).await;
    let text = |name: &str| context[name].as_str().unwrap().to_owned();
    let expected = format!(
        "{} says {} at [{}] 200",
        text("connectionId"),
        text("messageId"),
        text("requestTime")
    );
    assert_eq!(line, expected);
}

async fn r9_1_every_variable_is_known() {
    let names = [
        "apiId",
        "connectedAt",
        "connectionId",
        "domainName",
        "eventType",
        "extendedRequestId",
        "identity.sourceIp",
        "messageId",
        "requestId",
        "requestTime",
        "requestTimeEpoch",
        "routeKey",
        "stage",
    ];
    let fields: Vec<String> = names
        .iter()
        .map(|name| format!("$context.{name}"))
        .collect();
    let (context, line) = check(&fields.join(" ")).await;
    let expected: Vec<String> = names
        .iter()
        .map(|name| {
            let value = name.split('.').fold(&context, |value, part| &value[part]);
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        })
        .collect();
    assert_eq!(line, expected.join(" "));
    // A message that all goes well with, on an API without an authorizer.
    let fields = VARIABLES.map(|(name, _)| format!("$context.{name}"));
    let (_, line) = check(&fields.join("|")).await;
    let values: Vec<&str> = line.split('|').collect();
    assert_eq!(values.len(), VARIABLES.len(), "{line}");
    for ((name, expected), found) in VARIABLES.iter().zip(values) {
        let is_right = match *expected {
            MILLISECONDS => found.parse::<u64>().is_ok(),
            expected => found == expected,
        };
        assert!(is_right, "{name} is {found}, expected {expected}");
    }
}

async fn r9_1_a_refused_connection_has_a_line() {
    let format = "$context.eventType $context.routeKey $context.status $context.integration.status";
    let logged = Logged::start(&["--access-log-format", format]).await;
    let refusal = Step::Reply(json!({"statusCode": 403}));
    logged.api.doing(&[refusal]).refused().await;
    assert_eq!(logged.lines(1).await, ["CONNECT $connect 403 403"]);
}

/// What went wrong, and where.
const EXPLAINED: &str = "$context.status $context.error.responseType $context.error.messageString \
    authenticate: $context.authenticate.status [$context.authenticate.error] \
    authorizer: $context.authorizer.status $context.authorizer.integrationStatus [$context.authorizer.error] \
    authorize: $context.authorize.status [$context.authorize.error] \
    integration: $context.integration.status $context.integration.integrationStatus [$context.integration.error]";

async fn r9_1_a_refusal_by_the_authorizer_is_explained() {
    let logged = Logged::start_of(AUTHORIZER, &["--access-log-format", EXPLAINED]).await;
    let denied = json!([Step::Reply(json!({
        "principalId": "me",
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Action": "execute-api:Invoke", "Effect": "Deny", "Resource": "*"}],
        },
    }))]);
    let denied = denied.to_string();
    let handshake = logged
        .api
        .asking(&[("identity", "me"), ("authorize", &denied)]);
    handshake.header("X-Identity", "me").refused().await;
    logged.api.handshake().refused().await;
    assert_eq!(
        logged.lines(2).await,
        [
            "403 ACCESS_DENIED \"Forbidden\" authenticate: - [-] authorizer: 200 200 [-] \
             authorize: 403 [The client is not authorized to perform this operation] integration: - - [-]",
            "401 UNAUTHORIZED \"Unauthorized\" authenticate: - [-] authorizer: 401 - [Unauthorized] \
             authorize: - [-] integration: - - [-]",
        ]
    );
}

async fn r9_1_a_refusal_by_iam_is_explained() {
    let logged = Logged::start_of(IAM, &["--access-log-format", EXPLAINED]).await;
    logged.api.handshake().refused().await;
    let missing = "Missing Authentication Token";
    assert_eq!(
        logged.lines(1).await,
        [format!(
            "403 ACCESS_DENIED \"{missing}\" authenticate: 403 [{missing}] authorizer: - - [-] \
             authorize: - [-] integration: - - [-]"
        )]
    );
}

async fn r9_1_an_integration_that_fails_is_explained() {
    let logged = Logged::start(&["--access-log-format", EXPLAINED]).await;
    let mut socket = logged.api.connect().await;
    socket
        .order(&[Step::Throw("my own words".to_owned())])
        .await;
    socket.next().await;
    let line = logged.lines(2).await.swap_remove(1);
    let (before, error) = line.split_once("integration: ").unwrap();
    assert_eq!(
        before,
        "500 INTEGRATION_FAILURE \"Internal server error\" authenticate: - [-] authorizer: - - [-] \
         authorize: - [-] "
    );
    assert!(
        error.starts_with("- 200 [") && error.contains("my own words"),
        "{error}"
    );
}

async fn r9_1_what_the_authorizer_said_is_there_as_text() {
    let format = "$context.authorizer.principalId $context.authorizer.value";
    let logged = Logged::start_of(AUTHORIZER, &["--access-log-format", format]).await;
    let handshake = logged.api.asking(&[("identity", "me")]);
    handshake.header("X-Identity", "me").open().await;
    assert_eq!(logged.lines(1).await[0], "probe probe");
}

async fn r9_2_what_is_not_defined_is_a_dash() {
    let format = "$context.identity.userAgent $context.authorizer.colour $context.error.message";
    let (_, line) = check(format).await;
    assert_eq!(line, "- - -");
}

/// Names that `$context` has and events do not, and what they are for a message that all goes well with. Lambda's
/// own request ids, of an authorizer and of an integration, stay `-` here, as does what is about a firewall.
const VARIABLES: [(&str, &str); 24] = [
    ("authenticate.error", "-"),
    ("authenticate.latency", "-"),
    ("authenticate.status", "-"),
    ("authorize.error", "-"),
    ("authorize.latency", "-"),
    ("authorize.status", "-"),
    ("authorizer.error", "-"),
    ("authorizer.integrationLatency", "-"),
    ("authorizer.integrationStatus", "-"),
    ("authorizer.latency", "-"),
    ("authorizer.principalId", "-"),
    ("authorizer.requestId", "-"),
    ("authorizer.status", "-"),
    ("error.message", "-"),
    ("error.messageString", "-"),
    ("error.responseType", "-"),
    ("error.validationErrorString", "-"),
    ("integration.error", "-"),
    ("integration.integrationStatus", "200"),
    ("integration.latency", MILLISECONDS),
    ("integration.requestId", "-"),
    ("integration.status", "200"),
    ("integrationLatency", MILLISECONDS),
    ("waf.status", "-"),
];
/// Any number of them.
const MILLISECONDS: &str = "milliseconds";
