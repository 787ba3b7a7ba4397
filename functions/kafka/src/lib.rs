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
mod creation;
mod relay;
mod settings;
mod stream;

mod extension;
mod login;
mod msk_iam;
mod protocol;
mod sasl;
mod security;
mod tls;

pub use client::{ConnectError, Connection};
pub use relay::{BrokerErrors, BrokerStream, Duplex, PartitionCounts, Refusal};
pub use sasl::Remedy;
pub use security::Security;
pub use settings::{BROKERS, Settings};
// What settings fail with is theirs to name.
pub use sluice_aws::{CredentialsError, SettingsError};
