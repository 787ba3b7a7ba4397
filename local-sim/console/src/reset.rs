//! `/api/reset`: all is well again, or as bad as at the start.

use super::{
    answer::{Answer, Refusal},
    body::Body,
    controls::Console,
    faults,
};

/// Puts in force what was so at the start, and nothing else; has what was stopped on demand go on, gives up what
/// was unplugged, and forgets the invocations so far. Shows the faults that are in force then.
///
/// # Errors
/// 400 where the body is no empty object.
pub(super) fn reset(console: &Console, body: &[u8]) -> Result<Answer, Refusal> {
    Body::read(body, "{}")?.only(&[])?;
    console.faults.reset();
    console.lambda.reset();
    console.gateway.give_up_unplugged();
    Ok(faults::show(console.faults.as_ref()))
}
