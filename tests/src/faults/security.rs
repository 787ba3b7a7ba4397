//! Faults in which passwords change or certificates are invalid.

use std::time::Duration;

use super::site::{OURS, USERNAME};
use super::stage::{ON_ITS_WAY, REFUSAL, Stage};
use crate::proxy::Proxy;
use crate::secured_kafka::{Listener, SESSION_MS, SecuredKafka};

/// A password that differs from the functions'.
const THEIRS: &str = "another-password-that-they-do-not";

/// How long an open connection can still be used: until its session expires.
const LET_IN: Duration = Duration::from_millis(SESSION_MS as u64).saturating_add(ON_ITS_WAY);

/// The log text when the broker rejects the password.
const REFUSED: &str = "a broker refused the credentials with error 58";

/// The listeners with invalid certificates, and the log text for each.
const BAD: [(Listener, &str); 3] = [
    (Listener::Expired, "certificate expired"),
    (Listener::SelfSigned, "UnknownIssuer"),
    (Listener::OtherName, "not valid for name \"localhost\""),
];

/// Changes the functions' password at the broker, then changes it back.
pub(super) async fn passwords_changed(stage: &mut Stage) {
    let kafka = SecuredKafka::shared().await;
    let before = stage.said(REFUSED);
    kafka.set_password(USERNAME, THEIRS).await;
    let away = stage.extent.away;
    stage
        .nothing_is_acknowledged(LET_IN, away, "a wrong password")
        .await;
    stage.expect(
        stage.said(REFUSED) > before,
        "the password was not refused".to_owned(),
    );
    kafka.set_password(USERNAME, OURS).await;
}

/// Presents each invalid certificate in turn to new connections, then the valid one.
pub(super) async fn certificates_bad(stage: &mut Stage) {
    let kafka = SecuredKafka::shared().await;
    for (listener, cause) in BAD {
        let before = stage.said(cause);
        stage.proxies(|proxy| proxy.lead_to(kafka.port(listener)));
        stage.proxies(Proxy::cut);
        let certificate = format!("a certificate that is {listener:?}");
        stage
            .nothing_is_acknowledged(ON_ITS_WAY, REFUSAL, &certificate)
            .await;
        stage.expect(stage.said(cause) > before, format!("nobody said {cause:?}"));
    }
    stage.proxies(|proxy| proxy.lead_to(kafka.port(Listener::BehindProxy)));
}
