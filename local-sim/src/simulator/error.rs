//! What keeps the simulator from starting.

use std::{error::Error, io, net::SocketAddr};

use local_sim_gateway::AccessLogError;
use sluice_contract::FileError;
use sluice_kafka::SettingsError;
use thiserror::Error;

use crate::{executables::ExecutableError, topics::TopicsError, variables::NotText};

/// Why the simulator does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The contract is wrong.
    #[error(transparent)]
    Contract(#[from] FileError),
    /// The faults to start with are wrong.
    #[error(transparent)]
    Faults(FileError),
    /// A function has no program.
    #[error(transparent)]
    Executable(#[from] ExecutableError),
    /// The access log cannot be written.
    #[error(transparent)]
    AccessLog(#[from] AccessLogError),
    /// A port cannot be had.
    #[error("cannot listen on {address}: {flag} takes another address{hint}")]
    Listen {
        /// The option that takes another address.
        flag: &'static str,
        /// The address that was asked for.
        address: SocketAddr,
        /// What else may help, or nothing.
        hint: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A variable cannot be handed on.
    #[error(transparent)]
    Variable(#[from] NotText),
    /// The cluster is not as the contract needs it.
    #[error(transparent)]
    Topics(#[from] TopicsError),
    /// The embedded broker does not take a topic.
    #[error("cannot create a topic of the contract")]
    Topic(#[source] Box<dyn Error + Send + Sync>),
    /// The event source mapping has nowhere to begin.
    #[error(transparent)]
    Mapping(#[from] local_sim_mapping::StartError),
    /// The event source mapping cannot connect as functions do.
    #[error("push")]
    Settings(#[source] SettingsError),
    /// There is no place for the functions to run in.
    #[error("cannot make a folder for the functions")]
    TaskRoot(#[source] io::Error),
    /// Lambda does not start.
    #[error("cannot start Lambda")]
    Lambda(#[source] io::Error),
}
