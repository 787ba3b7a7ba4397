//! Section 1: endpoints and URLs.

use serde_json::json;
use tests::http::send;
use tests::probe::Step;
use tests::simulator::Launch;

use crate::api::{Api, BARE, STANDARD};
use crate::suite::{Test, on, simulated};

pub(crate) fn tests() -> Vec<Test> {
    vec![
        on!(STANDARD, r1_1_the_stage_is_the_whole_path),
        on!(STANDARD, r1_1_a_slash_may_follow_the_stage),
        simulated!(r1_2_a_custom_domain_leaves_the_stage_out_of_the_path),
        simulated!(r1_2_a_custom_domain_leaves_the_stage_out_of_connections),
        on!(STANDARD, r1_4_connections_are_managed_below_the_stage),
        simulated!(r1_6_a_stage_is_named_with_letters_digits_dashes_and_underscores),
        on!(STANDARD, r1_7_an_unknown_stage_or_path_is_forbidden),
        on!(STANDARD, r1_8_a_get_that_does_not_upgrade_is_told_to),
        on!(STANDARD, r1_9_any_origin_may_connect_and_is_shown),
    ]
}

/// A name that no test looks up: it only stands in `Host`.
const DOMAIN: &str = "ws.example.com";

async fn r1_1_the_stage_is_the_whole_path(api: &Api) {
    let report = api.connect().await.ask(&[]).await;
    assert_eq!(report.context("stage"), api.stage());
}

async fn r1_1_a_slash_may_follow_the_stage(api: &Api) {
    let target = format!("/{}/", api.stage());
    let mut socket = api.handshake().target(&target).open().await;
    assert_eq!(socket.ask(&[]).await.context("stage"), api.stage());
}

async fn r1_2_a_custom_domain_leaves_the_stage_out_of_the_path() {
    let api = STANDARD.simulate(&["--domain-name", DOMAIN]).await;
    let at_domain = || api.handshake().without("host").header("Host", DOMAIN);
    let report = at_domain().target("/").open().await.ask(&[]).await;
    assert_eq!(report.context("domainName"), DOMAIN);
    assert_eq!(report.context("stage"), api.stage());
    let refusal = at_domain().refused().await;
    assert_eq!((refusal.status, refusal.body.as_str()), FORBIDDEN);
    // Its own name still takes the stage.
    let report = api.connect().await.ask(&[]).await;
    assert_ne!(report.context("domainName"), DOMAIN);
}

async fn r1_2_a_custom_domain_leaves_the_stage_out_of_connections() {
    let api = STANDARD.simulate(&["--domain-name", DOMAIN]).await;
    let (mut socket, id) = api.witness().await;
    let host = api.endpoint.replace(&format!("/{}", api.stage()), "");
    let post = async |path: &str| {
        // What is signed is the name that is asked for.
        let mut headers = api
            .signer
            .headers("POST", &format!("http://{DOMAIN}{path}"), b"hi");
        headers.push(("Host".to_owned(), DOMAIN.to_owned()));
        headers.retain(|(name, _)| name != "host");
        send("POST", &format!("{host}{path}"), &headers, b"hi").await
    };
    let path = format!("/@connections/{}", id.replace('=', "%3D"));
    assert_eq!(post(&path).await.status, 200);
    assert_eq!(socket.next().await, "hi");
    let refusal = post(&format!("/{}{path}", api.stage())).await;
    assert_eq!((refusal.status, refusal.body.as_str()), FORBIDDEN);
}

async fn r1_4_connections_are_managed_below_the_stage(api: &Api) {
    let (mut socket, id) = api.witness().await;
    api.post(&id, "hi").await;
    assert_eq!(socket.next().await, "hi");
}

async fn r1_6_a_stage_is_named_with_letters_digits_dashes_and_underscores() {
    for name in ["ping", "sping", "a b", "a/b", "ž", &"x".repeat(129)] {
        let refusal = Launch::default().option("--stage", name).refusal(&[]).await;
        assert!(refusal.stderr.contains("--stage"), "{}", refusal.stderr);
    }
    let name = "Aa-1_".repeat(25);
    let api = BARE.simulate(&["--stage", &name]).await;
    assert_eq!(api.stage(), name);
    api.connect().await;
}

async fn r1_7_an_unknown_stage_or_path_is_forbidden(api: &Api) {
    let stage = api.stage();
    for target in [
        "/",
        "/nowhere",
        &format!("/{stage}/more"),
        &format!("/{stage}2"),
    ] {
        let refusal = api.handshake().target(target).refused().await;
        assert_eq!(
            (refusal.status, refusal.body.as_str()),
            FORBIDDEN,
            "{target}"
        );
    }
}

async fn r1_8_a_get_that_does_not_upgrade_is_told_to(api: &Api) {
    let response = send("GET", &api.endpoint, &[], b"").await;
    assert_eq!(response.status, 426, "{response:?}");
}

async fn r1_9_any_origin_may_connect_and_is_shown(api: &Api) {
    let (mut witness, id) = api.witness().await;
    let handshake = api.doing(&[Step::Tell(id)]);
    let origin = "https://evil.example";
    handshake.header("Origin", origin).open().await;
    let report = witness.report().await;
    assert_eq!(report.event["headers"]["Origin"], json!(origin));
}

const FORBIDDEN: (u16, &str) = (403, r#"{"message":"Forbidden"}"#);
