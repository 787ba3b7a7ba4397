//! From the environment's settings to a connected Kafka client.
//!
//! ```text
//! environment ─from_lookup▶ Settings ─connect▶ Connection ─deref▶ rskafka's Client
//!                                    └─stream─▶ BrokerStream, to one broker
//! ```
//!
//! All that speaks to the cluster connects here, so that the variables mean the
//! same everywhere.

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
// Settings fail with these.
pub use sluice_aws::{CredentialsError, SettingsError};
