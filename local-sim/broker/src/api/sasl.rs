//! SaslHandshake: there is no security here, and a client that expects some should hear so.

use kafka_protocol::{ResponseError, messages::SaslHandshakeResponse};

/// Says what a listener without SASL says.
pub(crate) fn sasl_handshake() -> SaslHandshakeResponse {
    SaslHandshakeResponse::default().with_error_code(ResponseError::IllegalSaslState.code())
}
