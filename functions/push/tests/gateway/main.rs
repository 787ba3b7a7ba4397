//! The SDK against an `@connections` endpoint, over real sockets.

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
    connections::{Connections, Refusal},
    handler::{Handler, Invocation},
    sdk::Stage,
};

use self::{
    endpoint::{Endpoint, Request},
    signature::assert_signed,
};

/// A stage at this URL, with Lambda's variables and these besides.
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

/// What came of one post to a connection.
async fn check(id: &str, action: &Action) -> (Result<(), Refusal>, Vec<Request>) {
    let endpoint = Endpoint::start().await;
    let id = ConnectionId::parse(id).expect("an id");
    let answer = stage(&endpoint.url(), KEYS).act(&id, action).await;
    (answer, endpoint.requests())
}

/// The status of a refusal and its reason.
async fn refused(id: &str) -> (Option<u16>, String) {
    let (answer, requests) = check(id, &message("hi")).await;
    assert_eq!(requests.len(), 1, "the SDK tries again by itself");
    let refusal = answer.expect_err("a refusal");
    let cause = refusal.cause.map(|cause| cause.to_string());
    (refusal.status, cause.unwrap_or_default())
}

#[tokio::test]
async fn a_message_is_posted_byte_for_byte_and_signed() {
    let bytes: Vec<u8> = (0..=255).collect();
    let action = Action::Post(bytes.clone().into());
    let (answer, requests) = check("bdh_3cVkoAMCF-Q=", &action).await;
    answer.expect("a success");
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
    let (answer, requests) = check("a=", &Action::Close).await;
    answer.expect("a success");
    assert_eq!(
        (&*requests[0].method, &*requests[0].path),
        ("DELETE", "/dev/@connections/a%3D")
    );
    let (answer, _) = check("gone=", &Action::Close).await;
    assert_eq!(answer.expect_err("a refusal").status, Some(410));
}

#[tokio::test]
async fn an_empty_message_is_posted() {
    let (answer, requests) = check("a=", &message("")).await;
    answer.expect("a success");
    assert_eq!(
        (&*requests[0].method, &*requests[0].body),
        ("POST", &b""[..])
    );
}

#[tokio::test]
async fn every_refusal_has_its_status_and_what_the_gateway_says() {
    assert_eq!(refused("gone=").await.0, Some(410));
    assert_eq!(refused("limit=").await.0, Some(429));
    assert_eq!(refused("error=").await.0, Some(500));
    assert_eq!(refused("large=").await.0, Some(413));
    assert_eq!(
        refused("bad=").await,
        (Some(400), "Invalid connectionId: bad=".to_owned())
    );
    assert_eq!(
        refused("denied=").await,
        (Some(403), "Forbidden".to_owned())
    );
}

#[tokio::test]
async fn what_breaks_off_or_is_endless_is_no_answer() {
    assert_eq!(refused("drop=").await.0, None);
    assert_eq!(refused("endless=").await.0, None);
}

#[tokio::test]
async fn nobody_listens() {
    let endpoint = Endpoint::start().await;
    let url = endpoint.url();
    drop(endpoint);
    let id = ConnectionId::parse("a=").expect("an id");
    let answer = stage(&url, KEYS).act(&id, &message("hi")).await;
    assert_eq!(answer.expect_err("a refusal").status, None);
}

#[tokio::test]
async fn on_managed_instances_the_endpoints_credentials_sign() {
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
async fn credentials_that_are_refused_are_asked_for_anew() {
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
        // What comes of it is tested elsewhere.
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

/// Hands records to a function, each an id and a message, and says where the
/// one partition has to go on.
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

/// More than any of this takes.
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
async fn connections_that_vanish_or_are_over_their_limit_lose_nobody_anything() {
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
async fn a_connection_that_hangs_is_reported_before_lambda_ends_the_invocation() {
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
    assert!(taken >= Duration::from_millis(700), "given up too early");
    assert!(taken < remaining, "Lambda has ended it by now");
    assert_eq!(endpoint.delivered("/dev/@connections/a"), ["1", "2"]);
}

#[tokio::test]
async fn a_role_without_the_right_is_reported_at_once() {
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
