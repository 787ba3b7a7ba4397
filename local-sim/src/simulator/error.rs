//! Why the simulator does not start.

use std::{error::Error, io, net::SocketAddr};

use local_sim_gateway::AccessLogError;
use sluice_contract::FileError;
use sluice_kafka::SettingsError;
use thiserror::Error;

use crate::{executables::ExecutableError, topics::TopicsError, variables::NotText};

/// Why the simulator does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The contract is invalid.
    #[error(transparent)]
    Contract(#[from] FileError),
    /// The file of `--faults` is invalid.
    #[error(transparent)]
    Faults(FileError),
    /// A function has no program.
    #[error(transparent)]
    Executable(#[from] ExecutableError),
    /// The access log cannot be written.
    #[error(transparent)]
    AccessLog(#[from] AccessLogError),
    /// An address is taken, or cannot be bound.
    #[error("cannot listen on {address} ({flag} sets another address{hint})")]
    Listen {
        /// The option that sets the address.
        flag: &'static str,
        /// The address.
        address: SocketAddr,
        /// A further hint, or empty.
        hint: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A variable cannot be passed to functions.
    #[error(transparent)]
    Variable(#[from] NotText),
    /// The cluster is not reachable, or lacks topics.
    #[error(transparent)]
    Topics(#[from] TopicsError),
    /// The embedded broker refuses a topic.
    #[error("cannot create a topic of the contract")]
    Topic(#[source] Box<dyn Error + Send + Sync>),
    /// The event source mapping cannot read its topics.
    #[error(transparent)]
    Mapping(#[from] local_sim_mapping::StartError),
    /// The settings of the event source mapping are invalid.
    #[error("push")]
    Settings(#[source] SettingsError),
    /// The folder of the functions cannot be created.
    #[error("cannot create a folder for the functions")]
    TaskRoot(#[source] io::Error),
    /// The thread that writes the log cannot be started.
    #[error("cannot start the log")]
    Log(#[source] io::Error),
    /// Lambda cannot be started.
    #[error("cannot start Lambda")]
    Lambda(#[source] io::Error),
}
