//! State shared by all functions.

use std::{path::PathBuf, sync::Arc};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    configuration::Settings, history::History, log_sink::LogSink, process::guardian::Guardian,
};

/// State shared by all functions.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) root: PathBuf,
    pub(super) settings: Settings,
    pub(super) guardian: Guardian,
    pub(super) log: Arc<dyn LogSink>,
    pub(super) history: History,
    pub(super) tasks: TaskTracker,
    pub(super) shutdown: CancellationToken,
}
