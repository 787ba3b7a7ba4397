//! The console's handles to the running simulator.

use std::sync::Arc;

use local_sim_broker::Control;
use local_sim_gateway::Gateway;
use local_sim_lambda::Lambda;
use tokio::sync::Semaphore;

use crate::{faults::FaultControl, limits::STREAMS_MAX};

/// The parts of the simulator that the console inspects and controls.
#[derive(Debug)]
pub struct Console {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) lambda: Arc<Lambda>,
    pub(crate) broker: Option<Control>,
    pub(crate) faults: Box<dyn FaultControl>,
    /// One permit per client of `/api/stream`.
    pub(crate) streams: Arc<Semaphore>,
}

impl Console {
    /// Creates a console; `broker` is the embedded broker, if it runs.
    pub fn new(
        gateway: Arc<Gateway>,
        lambda: Arc<Lambda>,
        broker: Option<Control>,
        faults: Box<dyn FaultControl>,
    ) -> Self {
        Self {
            gateway,
            lambda,
            broker,
            faults,
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
        }
    }
}
