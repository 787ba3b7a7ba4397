//! `/api/faults`: faults on demand.

use std::fmt::Debug;

use serde_json::value::RawValue;

use super::{
    answer::{self, Answer, Refusal},
    body::bad,
};

/// The faults of the whole simulator, kept by the program that starts it.
pub trait FaultControl: Debug + Send + Sync {
    /// The faults in force, with what is left of each.
    fn in_force(&self) -> Box<RawValue>;

    /// Changes the faults that `body`, a JSON document, names; the others stay.
    ///
    /// # Errors
    /// The message for the client, where the document is wrong; nothing is changed then.
    fn change(&self, body: &[u8]) -> Result<(), String>;

    /// Puts the faults of the start back in force, and no others.
    fn reset(&self);
}

/// Shows the faults in force, with what is left of each.
pub(super) fn show(faults: &dyn FaultControl) -> Answer {
    answer::ok(&faults.in_force())
}

/// Changes the faults that the body names, and shows those in force then.
///
/// # Errors
/// 400 where the body is wrong; nothing is changed.
pub(super) fn change(faults: &dyn FaultControl, body: &[u8]) -> Result<Answer, Refusal> {
    faults.change(body).map_err(bad)?;
    Ok(show(faults))
}
