//! Connects to a Kafka cluster as the environment variables configure it.
//!
//! ```text
//! environment ─from_lookup▶ Settings ─connect▶ Connection ─deref▶ rskafka's Client
//!                                    └─stream─▶ BrokerStream, to one broker
//! ```
//!
//! Every part of Sluice that connects to a cluster uses this crate, so the variables mean the same
//! everywhere.

mod client;
mod create_topic;
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
// The error types of `Settings`.
pub use sluice_aws::{CredentialsError, SettingsError};
