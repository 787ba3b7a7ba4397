//! State shared by all functions.

use std::path::PathBuf;

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    configuration::Settings, history::History, process::guardian::Guardian, stderr::Lines,
};

/// State shared by all functions.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) root: PathBuf,
    pub(super) settings: Settings,
    pub(super) guardian: Guardian,
    pub(super) lines: Lines,
    pub(super) history: History,
    pub(super) tasks: TaskTracker,
    pub(super) shutdown: CancellationToken,
}
