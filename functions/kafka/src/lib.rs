//! From the environment's settings to a connected Kafka client.
//!
//! ```text
//! environment ─from_lookup▶ Settings ─connect▶ Connection ─deref▶ rskafka's Client
//!                                    └─stream─▶ BrokerStream, to one broker
//! ```
//!
//! Whoever speaks to the cluster connects here, so that all of them
//! understand the same variables in the same way.

mod client;
mod relay;
mod settings;
mod stream;

mod aws;
mod container;
mod extension;
mod msk_iam;
mod sasl;
mod security;
mod tls;

mod fetch;
mod file;
mod secret;
mod variables;

#[cfg(test)]
mod fake;

pub use client::{ConnectError, Connection};
pub use relay::{Refusal, Troubles};
pub use security::{CredentialsError, Security};
pub use settings::{BROKERS, Settings};
pub use stream::{BrokerStream, Duplex};
pub use variables::SettingsError;
