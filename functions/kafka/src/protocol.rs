//! Kafka's security protocols by name.

/// The variable that names the security protocol.
pub(crate) const PROTOCOL: &str = "KAFKA_SECURITY_PROTOCOL";

/// What a security protocol adds to plain Kafka.
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
/// Kafka's own default.
pub(crate) const PROTOCOL_DEFAULT: &str = "PLAINTEXT";

const fn protocol(tls: bool, sasl: bool) -> Protocol {
    Protocol { tls, sasl }
}
