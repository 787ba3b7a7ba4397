//! API Gateway's WebSocket APIs, Lambda and a Kafka broker in one process, for the functions of a contract.
//!
//! ```text
//! cli ─▶ simulator ─▶ gateway ─invoke▶ lambda ─Runtime API▶ functions ─▶ broker
//!                     mapping ─invoke▶   ┘                                 │
//!                        ▲───────────── records of push's topics ──────────┘
//! console: inspects and controls all of them; faults: what goes wrong on demand
//! ```
//! Each of these parts is a crate in the folder of its name. This crate starts and ends them.
//!
//! ```no_run
//! # async fn start() -> Result<(), local_sim::StartError> {
//! use local_sim::{Options, Simulator};
//!
//! let simulator = Simulator::start(Options {
//!     listen: ([127, 0, 0, 1], 0).into(),
//!     kafka_listen: ([127, 0, 0, 1], 0).into(),
//!     ..Options::default()
//! })
//! .await?;
//! println!("connect to {}", simulator.endpoints().websocket);
//! simulator.end().await;
//! # Ok(())
//! # }
//! ```

mod cli;
mod executables;
mod faults;
mod log;
mod simulator;
mod topics;
mod variables;
mod watch;

pub use self::{
    cli::Options,
    log::{Log, LogFormat, LogLayer},
    simulator::{Endpoints, Simulator, StartError},
};
