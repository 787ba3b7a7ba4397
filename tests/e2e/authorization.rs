//! Who connects: told by an authorizer or by a signature, recorded by the functions, and refused with a reason.

use serde_json::{Value, json};
use sluice_sigv4::percent_encode;
use tests::client::Client;
use tests::consumer::{Consumer, Record};
use tests::sigv4::Signer;
use tests::simulator::{Launch, Simulator};
use tests::wait::eventually;

const ROUTES: &str = "
routeSelectionExpression: $request.body.action
routes:
  $connect: { function: connect, topic: ws.connections }
  $disconnect: { function: disconnect, topic: ws.connections }
  $default: { function: message, topic: ws.messages, key: $context.authorizer.plan, routeResponse: true }
";

/// Connects with this, says something and leaves; gives the three records, that of the message in the middle.
async fn records(simulator: &Simulator, url: &str) -> Vec<Record> {
    let mut client = Client::connect(url).await;
    assert_eq!(client.ask("hi").await["type"], "ack");
    client.close(1000, "").await;
    let consumer = Consumer::connect(&simulator.kafka).await;
    let mut records = consumer.records("ws.connections", 2).await;
    records.insert(1, consumer.records("ws.messages", 1).await.remove(0));
    records
}

/// Checks who each record says it was.
fn check_principal(records: &[Record], principal: &str) {
    for record in records {
        assert_eq!(record.header("ce_principalid"), principal, "{record:?}");
    }
    for record in [&records[0], &records[2]] {
        assert_eq!(record.json()["principalId"], principal);
    }
}

#[tokio::test]
async fn a_signed_handshake_names_its_user_in_every_record() {
    let contract = format!("{ROUTES}authorizer: {{ type: AWS_IAM }}\n");
    let simulator = Launch::default().contract(&contract).start(&[]).await;
    assert_eq!(Client::refused(&simulator.websocket).await, 403);
    let signed = Signer::default().presigned(&simulator.websocket);
    let records = records(&simulator, &signed).await;
    check_principal(&records, "arn:aws:iam::123456789012:user/sluice");
    // What signed it is a credential.
    assert_eq!(records[0].json().get("query"), None);
    simulator.stop().await;
}

async fn authorized() -> Simulator {
    let contract = format!(
        "{ROUTES}authorizer: {{ function: guard, identitySource: [route.request.querystring.ticket] }}\n"
    );
    let launch = Launch::default().contract(&contract);
    launch.function("guard", "scripted.py").start(&[]).await
}

/// The URL with which the authorizer gives this answer.
fn answered(simulator: &Simulator, answer: &Value) -> String {
    let answer = percent_encode(answer.to_string());
    format!("{}?ticket={answer}&colour=blue", simulator.websocket)
}

fn policy(effect: &str, resource: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": effect, "Action": "execute-api:Invoke", "Resource": resource},
    ]})
}

#[tokio::test]
async fn an_authorizers_word_is_in_every_record() {
    let simulator = authorized().await;
    let answer = json!({
        "principalId": "me",
        "policyDocument": policy("Allow", "*"),
        "context": {"plan": "free"},
    });
    let records = records(&simulator, &answered(&simulator, &answer)).await;
    check_principal(&records, "me");
    assert_eq!(records[1].key, "free");
    assert_eq!(records[0].json()["query"], json!({"colour": ["blue"]}));
    simulator.stop().await;
}

#[tokio::test]
async fn every_refusal_says_why() {
    let simulator = authorized().await;
    let arn = "arn:aws:execute-api:us-east-1:123456789012:s1u1ce0sim/dev/$connect";
    let answer = |document: Value| {
        let answer = json!({"principalId": "me", "policyDocument": document});
        answered(&simulator, &answer)
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
            answer(policy("Deny", "*")),
            403,
            format!("guard: the policy denies execute-api:Invoke on {arn}"),
        ),
        (
            answer(policy("Allow", &elsewhere)),
            403,
            format!(
                "guard: no statement of the policy allows execute-api:Invoke on {arn}; its resources: {elsewhere}"
            ),
        ),
        (
            answered(&simulator, &json!({"statusCode": 401})),
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
