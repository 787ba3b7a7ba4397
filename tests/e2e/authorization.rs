//! Authorizers and IAM signatures: the principal in records, and the reasons of refusals.

use serde_json::{Value, json};
use sluice_sigv4::percent_encode;
use tests::{
    client::Client,
    consumer::{Consumer, Record},
    sigv4::Signer,
    simulator::{Launch, Simulator},
    wait::eventually,
};

const ROUTES: &str = "
routeSelectionExpression: $request.body.action
routes:
  $connect: { function: connect, topic: ws.connections }
  $disconnect: { function: disconnect, topic: ws.connections }
  $default: { function: message, topic: ws.messages, key: $context.authorizer.plan, routeResponse: true }
";

/// Connects to `url`, sends a message and disconnects.
///
/// Returns the records of the connect, the message and the disconnect, in this order.
async fn records(simulator: &Simulator, url: &str) -> Vec<Record> {
    let mut client = Client::connect(url).await;
    assert_eq!(client.ask("hi").await["type"], "ack");
    client.close(1000, "").await;
    let consumer = Consumer::connect(&simulator.kafka).await;
    let mut records = consumer.records("ws.connections", 2).await;
    records.insert(1, consumer.records("ws.messages", 1).await.remove(0));
    records
}

/// Checks the principal in every header, and in the values of connect and disconnect.
fn check_principal(records: &[Record], principal: &str) {
    for record in records {
        assert_eq!(record.header("ce_principalid"), principal, "{record:?}");
    }
    for record in [&records[0], &records[2]] {
        assert_eq!(record.json()["principalId"], principal);
    }
}

#[tokio::test]
async fn the_signer_of_a_handshake_is_the_principal_of_every_record() {
    let contract = format!("{ROUTES}authorizer: {{ type: AWS_IAM }}\n");
    let simulator = Launch::default().contract(&contract).start(&[]).await;
    assert_eq!(Client::refused(&simulator.websocket).await, 403);
    let signed = Signer::default().presigned(&simulator.websocket);
    let records = records(&simulator, &signed).await;
    check_principal(&records, "arn:aws:iam::123456789012:user/sluice");
    // The query held only the signature, which is a credential and is not recorded.
    assert_eq!(records[0].json().get("query"), None);
    simulator.stop().await;
}

async fn start_with_authorizer() -> Simulator {
    let contract = format!(
        "{ROUTES}authorizer: {{ function: guard, identitySource: [route.request.querystring.ticket] }}\n"
    );
    let launch = Launch::default().contract(&contract);
    launch.function("guard", "scripted.py").start(&[]).await
}

/// Returns a URL that makes the authorizer reply with `answer`.
fn url_for(simulator: &Simulator, answer: &Value) -> String {
    let answer = percent_encode(answer.to_string());
    format!("{}?ticket={answer}&colour=blue", simulator.websocket)
}

fn policy(effect: &str, resource: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": effect, "Action": "execute-api:Invoke", "Resource": resource},
    ]})
}

#[tokio::test]
async fn the_authorizers_principal_and_context_reach_every_record() {
    let simulator = start_with_authorizer().await;
    let answer = json!({
        "principalId": "me",
        "policyDocument": policy("Allow", "*"),
        "context": {"plan": "free"},
    });
    let records = records(&simulator, &url_for(&simulator, &answer)).await;
    check_principal(&records, "me");
    assert_eq!(records[1].key, "free");
    assert_eq!(records[0].json()["query"], json!({"colour": ["blue"]}));
    simulator.stop().await;
}

#[tokio::test]
async fn every_refusal_is_logged_with_its_reason() {
    let simulator = start_with_authorizer().await;
    let arn = "arn:aws:execute-api:us-east-1:123456789012:s1u1ce0sim/dev/$connect";
    let url_for_policy = |document: Value| {
        let answer = json!({"principalId": "me", "policyDocument": document});
        url_for(&simulator, &answer)
    };
    let elsewhere = arn.replace("$connect", "GET/*");
    let unauthorized = format!("{}?ticket=Unauthorized", simulator.websocket);
    for (url, status, why) in [
        (
            simulator.websocket.clone(),
            401,
            "the identity source route.request.querystring.ticket is missing or empty".to_owned(),
        ),
        (
            unauthorized,
            401,
            "guard: failed with the message \"Unauthorized\"".to_owned(),
        ),
        (
            url_for_policy(policy("Deny", "*")),
            403,
            format!("guard: the policy denies execute-api:Invoke on {arn}"),
        ),
        (
            url_for_policy(policy("Allow", &elsewhere)),
            403,
            format!(
                "guard: no statement of the policy allows execute-api:Invoke on {arn}; its resources: {elsewhere}"
            ),
        ),
        (
            url_for(&simulator, &json!({"statusCode": 401})),
            500,
            "guard: malformed response: principalId is missing".to_owned(),
        ),
        (
            simulator.websocket.replace("/dev", "/prod"),
            403,
            "the path is /prod, expected /dev".to_owned(),
        ),
    ] {
        assert_eq!(Client::refused(&url).await, status, "{why}");
        let line = format!("handshake refused with {status}: {why}");
        eventually(&line, async || {
            simulator.stderr().contains(&line).then_some(())
        })
        .await;
    }
    let consumer = Consumer::connect(&simulator.kafka).await;
    assert!(consumer.records("ws.connections", 0).await.is_empty());
    simulator.stop().await;
}
