//! Passwords that change, and certificates that nobody should trust.

use std::time::Duration;

use super::site::{OURS, USERNAME};
use super::stage::{ON_ITS_WAY, REFUSAL, Stage};
use crate::proxy::Proxy;
use crate::secured_kafka::{Listener, SESSION_MS, SecuredKafka};

/// Another password than the functions'.
const THEIRS: &str = "another-password-that-they-do-not";

/// Whoever is connected stays so for as long as the session lasts.
const LET_IN: Duration = Duration::from_millis(SESSION_MS as u64).saturating_add(ON_ITS_WAY);

/// What the log says of a password that the broker does not take.
const REFUSED: &str = "a broker refused the credentials with error 58";

/// The listeners that nobody should trust, and what the log says of each.
const BAD: [(Listener, &str); 3] = [
    (Listener::Expired, "certificate expired"),
    (Listener::SelfSigned, "UnknownIssuer"),
    (Listener::OtherName, "not valid for name \"localhost\""),
];

/// The functions' password is not theirs any more, and then it is.
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

/// Whoever connects is shown one bad certificate after the other, and then the good one.
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
