//! The SDK client against an `@connections` endpoint, over real sockets.

mod endpoint;
mod signature;

use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};
use sluice_aws::{
    Format, Log,
    fake::{Answer, Fake},
};
use sluice_push::{
    address::ConnectionId,
    batch::Action,
    config::Config,
    connections::{Connections, PostError},
    handler::{Handler, Invocation},
    sdk::Stage,
};

use self::{
    endpoint::{Endpoint, Request},
    signature::assert_signed,
};

/// A stage at this URL, configured with Lambda's variables and these.
fn stage(url: &str, more: &[(&str, &str)]) -> Stage {
    let lambda = [
        ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"),
        ("AWS_LAMBDA_FUNCTION_NAME", "push"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_REGION", "eu-central-1"),
        ("CALLBACK_URL", url),
    ];
    let config = Config::from_lookup(|name| {
        let found = lambda.iter().chain(more).find(|(found, _)| *found == name);
        found.map(|(_, value)| (*value).to_owned())
    });
    Stage::new(config.expect("a config"))
}

const KEYS: &[(&str, &str)] = &[
    ("AWS_ACCESS_KEY_ID", "AKID"),
    ("AWS_SECRET_ACCESS_KEY", "hunter2"),
    ("AWS_SESSION_TOKEN", "session"),
];

fn message(text: &'static str) -> Action {
    Action::Post(text.into())
}

/// The result of one action on a connection, and the requests that the endpoint received.
async fn check(id: &str, action: &Action) -> (Result<(), PostError>, Vec<Request>) {
    let endpoint = Endpoint::start().await;
    let id = ConnectionId::parse(id).expect("an id");
    let result = stage(&endpoint.url(), KEYS).act(&id, action).await;
    (result, endpoint.requests())
}

/// The status and the cause of the error for a post to this connection.
async fn error(id: &str) -> (Option<u16>, String) {
    let (result, requests) = check(id, &message("hi")).await;
    assert_eq!(requests.len(), 1, "the SDK must not retry");
    let error = result.expect_err("an error");
    let cause = error.cause.map(|cause| cause.to_string());
    (error.status, cause.unwrap_or_default())
}

#[tokio::test]
async fn a_message_is_posted_unchanged_and_signed() {
    let bytes: Vec<u8> = (0..=255).collect();
    let action = Action::Post(bytes.clone().into());
    let (result, requests) = check("bdh_3cVkoAMCF-Q=", &action).await;
    result.expect("a success");
    let [request] = &requests[..] else {
        panic!("not one request: {requests:?}");
    };
    assert_eq!(request.method, "POST");
    assert_eq!(request.path, "/dev/@connections/bdh_3cVkoAMCF-Q%3D");
    assert_eq!(request.body, bytes);
    assert_eq!(request.header("x-amz-security-token"), "session");
    let authorization = request.header("authorization");
    assert!(
        authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKID/")
            && authorization.contains("/eu-central-1/execute-api/aws4_request,"),
        "{authorization}"
    );
    assert_signed(request, "hunter2");
}

#[tokio::test]
async fn a_connection_is_closed() {
    let (result, requests) = check("a=", &Action::Close).await;
    result.expect("a success");
    assert_eq!(
        (&*requests[0].method, &*requests[0].path),
        ("DELETE", "/dev/@connections/a%3D")
    );
    let (result, _) = check("gone=", &Action::Close).await;
    assert_eq!(result.expect_err("an error").status, Some(410));
}

#[tokio::test]
async fn an_empty_message_is_posted() {
    let (result, requests) = check("a=", &message("")).await;
    result.expect("a success");
    assert_eq!(
        (&*requests[0].method, &*requests[0].body),
        ("POST", &b""[..])
    );
}

#[tokio::test]
async fn an_error_has_the_gateways_status_and_message() {
    assert_eq!(error("gone=").await.0, Some(410));
    assert_eq!(error("limit=").await.0, Some(429));
    assert_eq!(error("error=").await.0, Some(500));
    assert_eq!(error("large=").await.0, Some(413));
    assert_eq!(
        error("bad=").await,
        (Some(400), "Invalid connectionId: bad=".to_owned())
    );
    assert_eq!(error("denied=").await, (Some(403), "Forbidden".to_owned()));
}

#[tokio::test]
async fn a_dropped_connection_and_an_endless_body_count_as_no_response() {
    assert_eq!(error("drop=").await.0, None);
    assert_eq!(error("endless=").await.0, None);
}

#[tokio::test]
async fn a_refused_connection_counts_as_no_response() {
    let endpoint = Endpoint::start().await;
    let url = endpoint.url();
    drop(endpoint);
    let id = ConnectionId::parse("a=").expect("an id");
    let result = stage(&url, KEYS).act(&id, &message("hi")).await;
    assert_eq!(result.expect_err("an error").status, None);
}

#[tokio::test]
async fn on_managed_instances_requests_are_signed_with_the_container_credentials() {
    let credentials = Fake::answering([Answer::ok(
        r#"{"AccessKeyId":"CONTAINER","SecretAccessKey":"s","Token":"t","Expiration":"2099-01-01T00:00:00Z"}"#,
    )]);
    let uri = format!("http://127.0.0.1:{}/credentials", credentials.port);
    let endpoint = Endpoint::start().await;
    let stage = stage(
        &endpoint.url(),
        &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &uri)],
    );
    let id = ConnectionId::parse("a=").expect("an id");
    for _ in 0..2 {
        stage.act(&id, &message("hi")).await.expect("a success");
    }
    assert_eq!(credentials.requests().len(), 1);
    let requests = endpoint.requests();
    assert!(requests.iter().all(|request| {
        let authorization = request.header("authorization");
        authorization.contains("Credential=CONTAINER/")
            && request.header("x-amz-security-token") == "t"
    }));
}

#[tokio::test]
async fn credentials_are_fetched_again_after_status_403() {
    let document = |key: &str| {
        Answer::ok(&format!(
            r#"{{"AccessKeyId":"{key}","SecretAccessKey":"s","Token":"t","Expiration":"2099-01-01T00:00:00Z"}}"#
        ))
    };
    let credentials = Fake::answering([document("FIRST"), document("SECOND")]);
    let uri = format!("http://127.0.0.1:{}/credentials", credentials.port);
    let endpoint = Endpoint::start().await;
    let stage = stage(
        &endpoint.url(),
        &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &uri)],
    );
    for id in ["a=", "denied=", "a=", "gone=", "a="] {
        let id = ConnectionId::parse(id).expect("an id");
        // Other tests check the results.
        drop(stage.act(&id, &message("hi")).await);
    }
    let requests = endpoint.requests();
    let keys = requests.iter().map(|request| {
        let authorization = request.header("authorization");
        authorization.contains("Credential=SECOND/")
    });
    assert_eq!(keys.collect::<Vec<_>>(), [false, false, true, true, true]);
    assert_eq!(credentials.requests().len(), 2);
}

/// Invokes the handler with records, each an id and a message, in one partition.
///
/// Returns the offset that it reports as failed, if any.
async fn push(endpoint: &Endpoint, records: &[(&str, &str)], remaining: Duration) -> Value {
    let record = |(offset, (id, message)): (usize, &(&str, &str))| {
        json!({
            "topic": "t", "partition": 0, "offset": offset,
            "key": BASE64_STANDARD.encode(id), "value": BASE64_STANDARD.encode(message),
        })
    };
    let records: Vec<Value> = records.iter().enumerate().map(record).collect();
    let event = json!({"eventSource": "aws:SelfManagedKafka", "records": {"t-0": records}});
    let handler = Handler::new(stage(&endpoint.url(), KEYS), Log::new(Format::Text, |_| {}));
    let invocation = Invocation {
        request_id: "r-1".to_owned(),
        time_left: remaining,
    };
    let response = handler.handle(&event.to_string(), &invocation).await;
    let response = serde_json::to_value(response.expect("a response")).expect("JSON");
    response["batchItemFailures"][0]["itemIdentifier"]["offset"].clone()
}

/// Longer than any of these tests takes.
const PLENTY: Duration = Duration::from_secs(60);

#[tokio::test]
async fn each_connection_gets_its_messages_in_order() {
    let endpoint = Endpoint::start().await;
    let ids: Vec<String> = (0..100).map(|id| format!("c{id}")).collect();
    let texts: Vec<String> = (0..10).map(|text| text.to_string()).collect();
    let records: Vec<(&str, &str)> = texts
        .iter()
        .flat_map(|text| ids.iter().map(move |id| (&**id, &**text)))
        .collect();

    assert_eq!(push(&endpoint, &records, PLENTY).await, Value::Null);

    let requests = endpoint.requests();
    assert_eq!(requests.len(), 1000);
    for id in ids {
        let path = format!("/dev/@connections/{id}");
        let got = requests.iter().filter(|request| request.path == path);
        let got: Vec<&str> = got
            .map(|request| str::from_utf8(&request.body).expect("text"))
            .collect();
        assert_eq!(got, texts, "{id}");
    }
}

#[tokio::test]
async fn gone_and_throttled_connections_cause_no_loss_for_others() {
    let endpoint = Endpoint::start().await;
    let records = [
        ("a", "1"),
        ("gone=", "1"),
        ("limit=", "1"),
        ("drops=", "1"),
        ("a", "2"),
        ("limit=", "2"),
    ];
    assert_eq!(push(&endpoint, &records, PLENTY).await, Value::Null);
    let delivered = |path: &str| endpoint.delivered(&format!("/dev/@connections/{path}"));
    assert_eq!(delivered("a"), ["1", "2"]);
    assert_eq!(delivered("limit%3D"), ["1", "2"]);
    assert_eq!(delivered("drops%3D"), ["1"]);
}

#[tokio::test]
async fn a_connection_that_hangs_is_reported_before_the_invocation_times_out() {
    let endpoint = Endpoint::start().await;
    let remaining = Duration::from_secs(1);
    let start = Instant::now();
    let failed = push(
        &endpoint,
        &[("a", "1"), ("hang=", "1"), ("a", "2")],
        remaining,
    )
    .await;
    let taken = start.elapsed();
    assert_eq!(failed, json!(1));
    assert!(
        taken >= Duration::from_millis(700),
        "the handler gave up too early"
    );
    assert!(taken < remaining, "the invocation would have timed out");
    assert_eq!(endpoint.delivered("/dev/@connections/a"), ["1", "2"]);
}

#[tokio::test]
async fn missing_permissions_are_reported_without_retries() {
    let endpoint = Endpoint::start().await;
    let failed = push(
        &endpoint,
        &[("a", "1"), ("denied=", "1"), ("denied=", "2")],
        PLENTY,
    )
    .await;
    assert_eq!(failed, json!(1));
    assert_eq!(endpoint.requests().len(), 2);
}
