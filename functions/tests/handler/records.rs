//! What is stored.

use functions::{handler::Invocation, sink::Memory};
use serde_json::{Value, json};

use crate::{check, document, event, handler, invocation, message, record, with, without};

#[tokio::test]
async fn the_key_is_what_the_routes_expression_selects() {
    let key = async |body| record(&message("chat", body)).await.key;
    assert_eq!(key(r#"{"room":"r1"}"#).await, "r1");
    assert_eq!(key(r#"{"room":7}"#).await, "7");
    assert_eq!(
        key(r#"{"room":12345678901234567890123}"#).await,
        "12345678901234567890123"
    );
    assert_eq!(
        key(r#"{"room":"r1","text":"cut \ud83d","n":1e999}"#).await,
        "r1"
    );
}

#[tokio::test]
async fn without_one_the_key_is_the_connection() {
    let key = async |body| record(&message("chat", body)).await.key;
    for body in [r#"{"room":null}"#, r#"{"room":""}"#, "{}", "[]", "not JSON"] {
        assert_eq!(key(body).await, "C=", "{body}");
    }
    assert_eq!(
        record(&message("$default", r#"{"room":"r1"}"#)).await.key,
        "C="
    );
}

#[tokio::test]
async fn a_key_may_come_from_the_context() {
    assert_eq!(record(&message("where", "")).await.key, "dev/192.0.2.1");
}

#[tokio::test]
async fn the_value_is_the_clients_bytes() {
    let value = async |event| record(&event).await.value.unwrap();
    for body in ["", " {\"a\" :1.0}\r\n", "hello, wörld", "\u{feff}"] {
        assert_eq!(value(message("$default", body)).await, body.as_bytes());
    }
    let encoded = with(message("$default", "AP/+"), "/isBase64Encoded", true.into());
    assert_eq!(value(encoded).await, [0, 255, 254]);
    assert_eq!(value(without(message("$default", ""), "/body")).await, b"");
}

#[tokio::test]
async fn the_content_type_says_whether_the_value_is_json() {
    let content_type =
        async |body| record(&message("$default", body)).await.headers["content-type"].clone();
    assert_eq!(content_type(r#"{"a":1}"#).await, "application/json");
    assert_eq!(content_type("hello").await, "text/plain; charset=utf-8");
}

#[tokio::test]
async fn the_clients_own_id_is_a_header_and_comes_back_as_it_was_sent() {
    let check = async |body| {
        let (records, answer) = check(&message("chat", body)).await;
        let header = records[0].headers.get("ce_clientmessageid").cloned();
        (header, answer["body"].as_str().unwrap().to_owned())
    };
    assert_eq!(
        check(r#"{"id":"a\u0062"}"#).await,
        (
            Some("ab".to_owned()),
            r#"{"type":"ack","id":"a\u0062"}"#.to_owned()
        )
    );
    assert_eq!(
        check(r#"{"id":1.0}"#).await,
        (
            Some("1.0".to_owned()),
            r#"{"type":"ack","id":1.0}"#.to_owned()
        )
    );
    assert_eq!(
        check(r#"{"id":[]}"#).await,
        (None, r#"{"type":"ack","id":"M="}"#.to_owned())
    );
}

#[tokio::test]
async fn an_opened_connection_is_told_without_its_credentials() {
    let connect = with(
        event("CONNECT", "$connect"),
        "/headers",
        json!({
            "Authorization": "s3cret",
            "Cookie": "s3cret",
            "Origin": "https://example.com",
            "Sec-WebSocket-Protocol": "s3cret",
            "x-api-key": "s3cret",
            "User-Agent": "test",
        }),
    );
    let connect = with(
        connect,
        "/multiValueQueryStringParameters",
        json!({
            "Token": ["s3cret"], "code": ["s3cret"], "X-Amz-Signature": ["s3cret"],
            "room": ["r1", "r2"], "none": [],
        }),
    );
    let connect = with(
        connect,
        "/requestContext/identity",
        json!({ "sourceIp": "192.0.2.1", "userAgent": "test", "apiKey": "s3cret", "apiKeyId": "k" }),
    );

    let record = record(&connect).await;

    assert_eq!(
        document(&record),
        json!({
            "connectionId": "C=",
            "connectedAt": "2024-01-20T11:54:57.419Z",
            "expiresAt": "2024-01-20T13:54:57.419Z",
            "sourceIp": "192.0.2.1",
            "userAgent": "test",
            "origin": "https://example.com",
            "query": { "room": ["r1", "r2"], "none": [] },
        })
    );
    assert!(!format!("{record:?}").contains("s3cret"));
}

#[tokio::test]
async fn the_query_is_read_from_single_values_where_there_are_no_others() {
    let connect = event("CONNECT", "$connect");
    let connect = with(
        connect,
        "/queryStringParameters",
        json!({"room": "r1", "token": "s3cret"}),
    );
    assert_eq!(
        document(&record(&connect).await)["query"],
        json!({"room": ["r1"]})
    );
}

#[tokio::test]
async fn the_principal_is_the_authorizers_or_the_iam_users() {
    let principal = async |pointer, value| {
        let record = record(&with(event("CONNECT", "$connect"), pointer, value)).await;
        let header = record.headers.get("ce_principalid").cloned();
        assert_eq!(
            document(&record).get("principalId"),
            header.clone().map(Value::from).as_ref()
        );
        header
    };
    let authorizer = "/requestContext/authorizer";
    assert_eq!(
        principal(authorizer, json!({"principalId": "u1", "plan": 3}))
            .await
            .as_deref(),
        Some("u1")
    );
    assert_eq!(
        principal(authorizer, json!({"principalId": ""})).await,
        None
    );
    assert_eq!(principal(authorizer, Value::Null).await, None);
    let identity = json!({"userArn": "arn:aws:iam::1:user/u"});
    assert_eq!(
        principal("/requestContext/identity", identity)
            .await
            .as_deref(),
        Some("arn:aws:iam::1:user/u")
    );
}

#[tokio::test]
async fn a_tombstone_has_neither_value_nor_content_type() {
    let record = record(&event("DISCONNECT", "$disconnect")).await;
    assert_eq!(record.value, None);
    assert_eq!(record.headers.get("content-type"), None);
    assert_eq!(record.headers["ce_id"], "C=:disconnect");
}

#[tokio::test]
async fn a_parent_span_is_handed_on() {
    let sink = Memory::default();
    let invocation = Invocation {
        trace: Some("Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419".to_owned()),
        ..invocation()
    };
    handler(&sink)
        .handle(&message("chat", "").to_string(), &invocation)
        .await;
    assert_eq!(
        sink.records()[0].headers["traceparent"],
        "00-5bef4de7ad49b0e87f6ef6c87fc2e700-9a9197af755a6419-00"
    );
    assert_eq!(
        record(&message("chat", ""))
            .await
            .headers
            .get("traceparent"),
        None
    );
}
