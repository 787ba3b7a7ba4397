//! Section 3: who may connect.

use serde_json::{Value, json};
use tests::probe::{Step, policy};
use tests::sigv4::Signer;
use tests::simulator::Launch;

use crate::api::{AUTHORIZER, Api, IAM, STANDARD};
use crate::report::{Report, keys};
use crate::socket::{Handshake, Socket};
use crate::suite::{Test, on, simulated};

pub(crate) fn tests() -> Vec<Test> {
    vec![
        on!(STANDARD, r3_1_without_an_authorizer_everyone_may_connect),
        simulated!(r3_1_there_are_no_other_authorizers),
        on!(AUTHORIZER, r3_2_a_missing_or_empty_identity_is_unauthorized),
        on!(
            AUTHORIZER,
            r3_2_without_an_identity_the_authorizer_is_not_called
        ),
        simulated!(r3_2_a_missing_stage_variable_is_unauthorized),
        on!(AUTHORIZER, r3_3_the_method_arn_names_the_connect_route),
        on!(AUTHORIZER, r3_4_the_word_unauthorized_is_401),
        on!(AUTHORIZER, r3_5_a_policy_that_does_not_allow_is_forbidden),
        on!(AUTHORIZER, r3_5_a_policy_may_use_wildcards),
        on!(AUTHORIZER, r3_6_any_other_failure_is_an_internal_error),
        on!(AUTHORIZER, r3_6_a_malformed_answer_is_an_internal_error),
        on!(AUTHORIZER, r3_7_the_answer_has_8_kb_at_most),
        on!(AUTHORIZER, r3_7_the_context_holds_plain_values),
        on!(AUTHORIZER, r3_8_every_event_carries_who_connected),
        on!(AUTHORIZER, r3_9_the_context_is_text_in_events),
        simulated!(r3_9_the_context_may_keep_its_types),
        on!(AUTHORIZER, r3_10_every_connection_is_authorized_once),
        on!(AUTHORIZER, r3_11_the_words_of_a_refusal_are_the_gateways),
        on!(IAM, r3_12_a_signature_in_headers_opens_the_connection),
        on!(IAM, r3_12_a_presigned_url_opens_the_connection),
        on!(IAM, r3_12_without_a_signature_the_client_is_forbidden),
        on!(IAM, r3_12_a_wrong_signature_is_forbidden),
        on!(IAM, r3_12_who_signed_is_in_every_event),
    ]
}

/// A handshake with everything that the API's authorizer looks at, which does these steps.
fn identified(api: &Api, steps: &[Step]) -> Handshake {
    let steps = json!(steps).to_string();
    let parameters = [("identity", "me"), ("authorize", &steps)];
    let parameters = if steps == "[]" {
        &parameters[..1]
    } else {
        &parameters
    };
    api.asking(parameters).header("X-Identity", "me")
}

/// The status that a handshake is refused with whose authorizer does this.
async fn refusal(api: &Api, step: Step) -> u16 {
    identified(api, &[step]).refused().await.status
}

/// What the authorizer answers with this policy.
fn answer(policy: &Value) -> Step {
    Step::Reply(json!({"principalId": "me", "policyDocument": policy}))
}

/// A connection that is told of events, and its id.
async fn witness(api: &Api) -> (Socket, String) {
    let mut socket = identified(api, &[]).open().await;
    let id = socket.connection_id().await;
    (socket, id)
}

/// The event that the authorizer gets.
async fn authorizer_event(api: &Api) -> Report {
    let (mut witness, id) = witness(api).await;
    identified(api, &[Step::Tell(id)]).open().await;
    witness.report().await
}

async fn r3_1_without_an_authorizer_everyone_may_connect(api: &Api) {
    let report = api.connect().await.ask(&[]).await;
    assert!(!report.context_has("authorizer"), "{}", report.text);
}

async fn r3_1_there_are_no_other_authorizers() {
    for authorizer in [
        "{ type: JWT }",
        "{ type: TOKEN, function: message }",
        "{ type: COGNITO }",
    ] {
        let contract = format!(
            "routeSelectionExpression: $request.body.action\nroutes:\n  \
             $default: {{ function: message, topic: a }}\nauthorizer: {authorizer}\n"
        );
        let refusal = Launch::default().contract(&contract).refusal(&[]).await;
        assert!(
            refusal.stderr.contains("authorizer.type"),
            "{}",
            refusal.stderr
        );
    }
}

async fn r3_2_a_missing_or_empty_identity_is_unauthorized(api: &Api) {
    for (name, query) in [
        ("no header", api.asking(&[("identity", "me")])),
        (
            "an empty header",
            api.asking(&[("identity", "me")]).header("X-Identity", ""),
        ),
        ("no parameter", api.handshake().header("X-Identity", "me")),
        (
            "an empty parameter",
            api.asking(&[("identity", "")]).header("X-Identity", "me"),
        ),
    ] {
        assert_eq!(query.refused().await.status, 401, "{name}");
    }
}

async fn r3_2_without_an_identity_the_authorizer_is_not_called(api: &Api) {
    let (mut witness, id) = witness(api).await;
    let steps = json!([Step::Tell(id.clone())]).to_string();
    api.asking(&[("authorize", &steps)]).refused().await;
    // Nothing is heard of it before the next one, which has an identity.
    identified(api, &[Step::Tell(id)]).open().await;
    let report = witness.report().await;
    assert_eq!(report.event["queryStringParameters"]["identity"], "me");
}

async fn r3_2_a_missing_stage_variable_is_unauthorized() {
    let api = AUTHORIZER
        .simulate_with(&[("stageVariables.colour", "stageVariables.absent")], &[])
        .await;
    assert_eq!(identified(&api, &[]).refused().await.status, 401);
}

async fn r3_3_the_method_arn_names_the_connect_route(api: &Api) {
    let report = authorizer_event(api).await;
    let arn: Vec<&str> = report.event["methodArn"]
        .as_str()
        .unwrap()
        .split(':')
        .collect();
    let ["arn", "aws", "execute-api", region, account, resource] = arn[..] else {
        panic!("{arn:?}");
    };
    assert!(region.split('-').count() >= 3, "{region}");
    assert!(
        account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()),
        "{account}"
    );
    let expected = format!("{}/{}/$connect", report.context("apiId"), api.stage());
    assert_eq!(resource, expected);
}

async fn r3_4_the_word_unauthorized_is_401(api: &Api) {
    assert_eq!(
        refusal(api, Step::Throw("Unauthorized".to_owned())).await,
        401
    );
}

/// The ARN of `$connect`, which an authorizer is asked about.
async fn method_arn(api: &Api) -> String {
    let report = authorizer_event(api).await;
    report.event["methodArn"].as_str().unwrap().to_owned()
}

async fn r3_5_a_policy_that_does_not_allow_is_forbidden(api: &Api) {
    let arn = method_arn(api).await;
    let stage = arn.strip_suffix("$connect").unwrap();
    let allow = policy("Allow", &json!(arn))["Statement"][0].take();
    let deny = policy("Deny", &json!(arn))["Statement"][0].take();
    let of = |statements: Value| json!({"Version": "2012-10-17", "Statement": statements});
    for document in [
        policy("Deny", &json!(arn)),
        // An explicit denial wins, wherever it stands.
        of(json!([allow, deny])),
        of(json!([deny, allow])),
        of(json!([])),
        // As of a REST API, with a method.
        policy("Allow", &json!(format!("{stage}*/*"))),
        policy("Allow", &json!(format!("{stage}$disconnect"))),
        policy("Allow", &json!("arn:aws:s3:::mine")),
        of(json!([{"Action": "s3:GetObject", "Effect": "Allow", "Resource": arn}])),
    ] {
        assert_eq!(refusal(api, answer(&document)).await, 403, "{document}");
    }
}

async fn r3_5_a_policy_may_use_wildcards(api: &Api) {
    let arn = method_arn(api).await;
    let stage = arn.strip_suffix("$connect").unwrap();
    for resource in [
        json!("*"),
        json!(arn),
        json!(format!("{stage}*")),
        json!(format!("{stage}$conn?ct")),
        json!(["arn:aws:s3:::mine", format!("{stage}*")]),
    ] {
        let document = policy("Allow", &resource);
        identified(api, &[answer(&document)]).open().await;
    }
    for action in [
        json!("*"),
        json!("execute-api:*"),
        json!(["s3:*", "execute-api:Invoke"]),
    ] {
        let statement = json!({"Action": action, "Effect": "Allow", "Resource": arn});
        let document = json!({"Version": "2012-10-17", "Statement": [statement]});
        identified(api, &[answer(&document)]).open().await;
    }
}

async fn r3_6_any_other_failure_is_an_internal_error(api: &Api) {
    for step in [
        Step::Throw("Unauthorized!".to_owned()),
        Step::Throw("forbidden".to_owned()),
        Step::Exit,
        Step::Sleep(LONG),
    ] {
        assert_eq!(refusal(api, step.clone()).await, 500, "{step:?}");
    }
}

async fn r3_6_a_malformed_answer_is_an_internal_error(api: &Api) {
    for reply in [
        json!(null),
        json!("Allow"),
        json!({}),
        json!({"statusCode": 401}),
        json!({"isAuthorized": true}),
        json!({"principalId": "me"}),
        json!({"principalId": "me", "policyDocument": "all"}),
    ] {
        assert_eq!(
            refusal(api, Step::Reply(reply.clone())).await,
            500,
            "{reply}"
        );
    }
    assert_eq!(refusal(api, Step::Garbage).await, 500);
}

async fn r3_7_the_answer_has_8_kb_at_most(api: &Api) {
    identified(api, &[Step::AllowWith(7 * 1024)]).open().await;
    assert_eq!(refusal(api, Step::AllowWith(8 * 1024)).await, 500);
}

async fn r3_7_the_context_holds_plain_values(api: &Api) {
    for value in [json!({"a": 1}), json!([1])] {
        let reply = json!({
            "principalId": "me",
            "policyDocument": policy("Allow", &json!("*")),
            "context": {"value": value},
        });
        assert_eq!(refusal(api, Step::Reply(reply)).await, 500, "{value}");
    }
}

/// An answer with a context of each kind.
fn with_context() -> Step {
    Step::Reply(json!({
        "principalId": "me",
        "policyDocument": policy("Allow", &json!("*")),
        "context": {"text": "plain", "number": 7, "flag": true},
    }))
}

/// The reports of a connection's three events.
async fn events(api: &Api, step: Step) -> [Report; 3] {
    let (mut witness, id) = witness(api).await;
    let steps = json!([Step::Tell(id.clone())]).to_string();
    let authorize = json!([step]).to_string();
    let parameters = [
        ("identity", "me"),
        ("authorize", &authorize),
        ("do", &steps),
    ];
    let handshake = api.asking(&parameters).header("X-Identity", "me");
    let mut socket = handshake.told(&[Step::Tell(id)]).open().await;
    let connect = witness.report().await;
    let message = socket.ask(&[]).await;
    socket.close(1000, "").await;
    [connect, message, witness.report().await]
}

async fn r3_8_every_event_carries_who_connected(api: &Api) {
    let [connect, message, disconnect] = events(api, with_context()).await;
    let mut authorizer = connect.event["requestContext"]["authorizer"].clone();
    let latency = authorizer
        .as_object_mut()
        .unwrap()
        .remove("integrationLatency");
    assert!(
        latency.is_some_and(|value| value.is_u64()),
        "{}",
        connect.text
    );
    assert_eq!(authorizer["principalId"], "me");
    assert_eq!(authorizer["text"], "plain");
    for later in [message, disconnect] {
        assert_eq!(later.event["requestContext"]["authorizer"], authorizer);
    }
}

async fn r3_9_the_context_is_text_in_events(api: &Api) {
    for report in events(api, with_context()).await {
        let authorizer = &report.event["requestContext"]["authorizer"];
        assert_eq!(authorizer["number"], "7", "{}", report.text);
        assert_eq!(authorizer["flag"], "true", "{}", report.text);
    }
}

async fn r3_9_the_context_may_keep_its_types() {
    let api = AUTHORIZER
        .simulate(&["--authorizer-context", "typed"])
        .await;
    for report in events(&api, with_context()).await {
        let authorizer = &report.event["requestContext"]["authorizer"];
        assert_eq!(authorizer["number"], 7, "{}", report.text);
        assert_eq!(authorizer["flag"], true, "{}", report.text);
    }
}

async fn r3_10_every_connection_is_authorized_once(api: &Api) {
    let (mut witness, id) = witness(api).await;
    let mut socket = identified(api, &[Step::Tell(id.clone())]).open().await;
    assert_eq!(witness.report().await.event["type"], "REQUEST");
    // A refusal of the same identity does not come from a memory of the first answer …
    let steps = [Step::Tell(id), Step::Throw("Unauthorized".to_owned())];
    assert_eq!(identified(api, &steps).refused().await.status, 401);
    // … and is the next that is heard: a message asks nobody, and needs nobody's leave.
    socket.ask(&[]).await;
    let report = witness.report().await;
    let asked = report.event["queryStringParameters"]["authorize"]
        .as_str()
        .unwrap();
    assert!(asked.contains("throw"), "{asked}");
    socket.ask(&[]).await;
}

async fn r3_11_the_words_of_a_refusal_are_the_gateways(api: &Api) {
    let denied = Step::Reply(json!({
        "principalId": "me",
        "policyDocument": policy("Deny", &json!("*")),
        "context": {"message": "my own words"},
    }));
    let refusal = identified(api, &[denied]).refused().await;
    assert_eq!(refusal.status, 403);
    assert!(!refusal.body.contains("my own words"), "{}", refusal.body);
    let refusal = api.handshake().refused().await;
    let body: Value = serde_json::from_str(&refusal.body).unwrap();
    assert_eq!(
        (refusal.status, &body["message"]),
        (401, &json!("Unauthorized"))
    );
}

/// A handshake that is signed in its headers.
fn signed(api: &Api, signer: &Signer) -> Handshake {
    let headers = signer.headers("GET", &api.websocket, b"");
    api.handshake().headers(&headers)
}

async fn r3_12_a_signature_in_headers_opens_the_connection(api: &Api) {
    let mut socket = signed(api, &api.signer).open().await;
    // Messages need none.
    assert_eq!(socket.ask(&[]).await.context("routeKey"), "$default");
}

async fn r3_12_a_presigned_url_opens_the_connection(api: &Api) {
    Handshake::new(&api.signer.presigned(&api.websocket))
        .open()
        .await;
    let url = format!("{}?colour=blue&shape=%2F", api.websocket);
    Handshake::new(&api.signer.presigned(&url)).open().await;
}

async fn r3_12_without_a_signature_the_client_is_forbidden(api: &Api) {
    let refusal = api.handshake().refused().await;
    assert_eq!(refusal.status, 403);
    assert!(
        refusal.body.contains("Missing Authentication Token"),
        "{}",
        refusal.body
    );
}

async fn r3_12_a_wrong_signature_is_forbidden(api: &Api) {
    let forger = Signer {
        secret_access_key: "guessed".to_owned(),
        ..api.signer.clone()
    };
    let elsewhere = Signer {
        service: "s3".to_owned(),
        ..api.signer.clone()
    };
    for signer in [forger, elsewhere] {
        assert_eq!(
            signed(api, &signer).refused().await.status,
            403,
            "{signer:?}"
        );
        let url = signer.presigned(&api.websocket);
        assert_eq!(
            Handshake::new(&url).refused().await.status,
            403,
            "{signer:?}"
        );
    }
}

async fn r3_12_who_signed_is_in_every_event(api: &Api) {
    let mut witness = signed(api, &api.signer).open().await;
    let id = witness.connection_id().await;
    let handshake = signed(api, &api.signer).told(&[Step::Tell(id)]);
    let mut socket = handshake.open().await;
    let connect = witness.report().await;
    let message = socket.ask(&[]).await;
    socket.close(1000, "").await;
    for report in [connect, message, witness.report().await] {
        let identity = &report.event["requestContext"]["identity"];
        let arn = identity["userArn"].as_str().unwrap_or_default();
        assert!(arn.starts_with("arn:aws:"), "{}", report.text);
        assert_eq!(identity["accountId"].as_str().map(str::len), Some(12));
        // What else there is of the user comes before these two.
        let names = keys(&report, "/requestContext/identity");
        assert!(
            names.ends_with(&["userAgent".to_owned(), "sourceIp".to_owned()]),
            "{names:?}"
        );
    }
}

/// Milliseconds that exceed the authorizer's timeout.
const LONG: u64 = 10_000;
