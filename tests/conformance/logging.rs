//! Section 9: the access log.

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::probe::Step;
use tests::wait::eventually;

use crate::api::{AUTHORIZER, Api, STANDARD};
use crate::suite::{Test, simulated};

pub(crate) fn tests() -> Vec<Test> {
    vec![
        simulated!(r9_1_every_event_has_a_line_of_json),
        simulated!(r9_1_the_format_is_ones_own),
        simulated!(r9_1_every_variable_is_known),
        simulated!(r9_1_a_refused_connection_has_a_line),
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
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("access.log");
        let path = path.to_str().unwrap().to_owned();
        let flags = [&["--access-log", &path], flags].concat();
        Self {
            api: STANDARD.simulate(&flags).await,
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
    let fields = VARIABLES.map(|name| format!("$context.{name}"));
    let (_, line) = check(&fields.join("|")).await;
    assert!(!line.contains("$context"), "{line}");
    assert_eq!(line.split('|').count(), VARIABLES.len(), "{line}");
}

async fn r9_1_a_refused_connection_has_a_line() {
    let format = "$context.eventType $context.routeKey $context.status $context.integration.status";
    let logged = Logged::start(&["--access-log-format", format]).await;
    let refusal = Step::Reply(json!({"statusCode": 403}));
    logged.api.doing(&[refusal]).refused().await;
    assert_eq!(logged.lines(1).await, ["CONNECT $connect 403 403"]);
}

async fn r9_1_what_the_authorizer_said_is_there_as_text() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("access.log");
    let format = "$context.authorizer.principalId $context.authorizer.value";
    let flags = [
        "--access-log",
        path.to_str().unwrap(),
        "--access-log-format",
        format,
    ];
    let api = AUTHORIZER.simulate(&flags).await;
    let handshake = api.asking(&[("identity", "me")]);
    handshake.header("X-Identity", "me").open().await;
    let logged = Logged { api, folder };
    assert_eq!(logged.lines(1).await[0], "probe probe");
}

async fn r9_2_what_is_not_defined_is_a_dash() {
    let format = "$context.identity.userAgent $context.authorizer.colour $context.error.message";
    let (_, line) = check(format).await;
    assert_eq!(line, "- - -");
}

/// Names that `$context` has and events do not.
const VARIABLES: [&str; 24] = [
    "authenticate.error",
    "authenticate.latency",
    "authenticate.status",
    "authorize.error",
    "authorize.latency",
    "authorize.status",
    "authorizer.error",
    "authorizer.integrationLatency",
    "authorizer.integrationStatus",
    "authorizer.latency",
    "authorizer.principalId",
    "authorizer.requestId",
    "authorizer.status",
    "error.message",
    "error.messageString",
    "error.responseType",
    "error.validationErrorString",
    "integration.error",
    "integration.integrationStatus",
    "integration.latency",
    "integration.requestId",
    "integration.status",
    "integrationLatency",
    "waf.status",
];
