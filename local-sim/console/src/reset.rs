//! `/api/reset`: restores the state of the start.

use super::{
    body::Body,
    controls::Console,
    faults,
    response::{ApiError, ApiResponse},
};

/// Restores the faults that were set at startup, and shows them.
///
/// Also thaws frozen environments, drops unplugged connections, and clears the list of invocations.
///
/// # Errors
/// 400 if the body is not an empty object.
pub(super) fn reset(console: &Console, body: &[u8]) -> Result<ApiResponse, ApiError> {
    Body::read(body, "{}")?.only(&[])?;
    console.faults.reset();
    console.lambda.reset();
    console.gateway.give_up_unplugged();
    Ok(faults::show(console.faults.as_ref()))
}
