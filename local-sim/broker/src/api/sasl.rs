//! SaslHandshake: tells clients that the broker has no SASL.

use kafka_protocol::{ResponseError, messages::SaslHandshakeResponse};

/// Responds like a Kafka listener without SASL.
pub(crate) fn sasl_handshake() -> SaslHandshakeResponse {
    SaslHandshakeResponse::default().with_error_code(ResponseError::IllegalSaslState.code())
}
