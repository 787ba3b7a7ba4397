//! Who may connect: asked once, before `$connect` runs.

mod answer;
mod iam;
mod identity_source;
mod lambda;
mod policy;

use sluice_contract::Authorizer;

use super::{
    Gateway,
    access_log::{Step, Steps},
    event::{Caller, Request, Upgrade},
    head::Head,
    principal::Principal,
    refusal::Refusal,
};

/// Finds out who connects, as the contract's authorizer sees it, and whether they may.
///
/// # Errors
/// They may not, or nobody can tell.
pub(super) async fn authorize(
    gateway: &Gateway,
    caller: &Caller,
    request: &Request,
    head: &Head,
    upgrade: &Upgrade,
    steps: &mut Steps,
) -> Result<Option<Principal>, Refusal> {
    match &gateway.contract.authorizer {
        None => Ok(None),
        Some(Authorizer::AwsIam) => {
            let checked = iam::authenticate(head);
            steps.authenticate = match &checked {
                Ok(_) => Step::of(200, None),
                Err(error) => Step::of(403, Some(error.message.clone())),
            };
            match checked {
                Ok(user) => Ok(Some(Principal::Iam(user))),
                Err(error) => Err(Refusal::of_signature(&error)),
            }
        }
        Some(Authorizer::Lambda {
            function,
            identity_source,
        }) => {
            lambda::check_identity(gateway, caller, request, upgrade, identity_source, steps)?;
            let custom = lambda::ask(gateway, function, caller, request, upgrade, steps).await?;
            Ok(Some(Principal::Custom(custom)))
        }
    }
}
