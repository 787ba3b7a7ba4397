//! `/api/faults`: trouble on demand.

use super::{
    answer::{self, Answer, Refusal},
    body::bad,
};
use crate::faults::{Faults, Switchboard};

/// Shows what is in force, with what is left of it.
pub(super) fn show(switchboard: &Switchboard) -> Answer {
    answer::ok(&switchboard.in_force())
}

/// Changes what the body speaks of, and shows what is in force then.
///
/// # Errors
/// 400 where the body says what cannot be; nothing is changed.
pub(super) fn change(switchboard: &Switchboard, body: &[u8]) -> Result<Answer, Refusal> {
    let faults =
        Faults::parse(body, &switchboard.scope()).map_err(|error| bad(error.to_string()))?;
    switchboard.apply(&faults);
    Ok(show(switchboard))
}
