//! `/api/faults`: shows and sets the injected faults.

use std::fmt::Debug;

use serde_json::value::RawValue;

use super::{
    body::bad,
    response::{self, ApiError, ApiResponse},
};

/// The faults of the whole simulator, implemented by the program that starts it.
pub trait FaultControl: Debug + Send + Sync {
    /// Returns the active faults, each with its remaining trigger.
    fn in_force(&self) -> Box<RawValue>;

    /// Changes the faults named in `body`, a JSON document, and keeps the others.
    ///
    /// # Errors
    /// A message for the client if the document is invalid; then nothing is changed.
    fn change(&self, body: &[u8]) -> Result<(), String>;

    /// Restores the faults that were set at startup and removes all others.
    fn reset(&self);
}

/// Shows the active faults, each with its remaining trigger.
pub(super) fn show(faults: &dyn FaultControl) -> ApiResponse {
    response::ok(&faults.in_force())
}

/// Changes the faults named in the body, and shows the active ones.
///
/// # Errors
/// 400 if the body is invalid; then nothing is changed.
pub(super) fn change(faults: &dyn FaultControl, body: &[u8]) -> Result<ApiResponse, ApiError> {
    faults.change(body).map_err(bad)?;
    Ok(show(faults))
}
