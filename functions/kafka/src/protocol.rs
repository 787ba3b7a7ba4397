//! The security protocols by Kafka's names.

/// The variable with the security protocol.
pub(crate) const PROTOCOL: &str = "KAFKA_SECURITY_PROTOCOL";

/// What a security protocol adds to Kafka's own.
#[derive(Clone, Copy, Default)]
pub(crate) struct Protocol {
    pub(crate) tls: bool,
    pub(crate) sasl: bool,
}

pub(crate) const PROTOCOLS: &[(&str, Protocol)] = &[
    (PROTOCOL_DEFAULT, protocol(false, false)),
    ("SSL", protocol(true, false)),
    ("SASL_PLAINTEXT", protocol(false, true)),
    ("SASL_SSL", protocol(true, true)),
];
/// The default, as it is Kafka's.
pub(crate) const PROTOCOL_DEFAULT: &str = "PLAINTEXT";

const fn protocol(tls: bool, sasl: bool) -> Protocol {
    Protocol { tls, sasl }
}
