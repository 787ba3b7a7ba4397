//! Authorizes clients, once per connection and before `$connect` runs.

mod iam;
mod identity_source;
mod lambda;
mod policy;
mod response;

use sluice_contract::Authorizer;

use crate::{
    api::Api,
    event::{
        caller::{Caller, Request, Upgrade},
        principal::Principal,
    },
    http::{head::Head, refusal::HandshakeRefusal},
    log::entry::{Step, Steps},
};

/// Authorizes a handshake with the contract's authorizer; `None` if the contract has none.
///
/// # Errors
/// The client may not connect, or the authorizer failed.
pub(crate) async fn authorize(
    api: &Api,
    caller: &Caller,
    request: &Request,
    head: &Head,
    upgrade: &Upgrade,
    steps: &mut Steps,
) -> Result<Option<Principal>, HandshakeRefusal> {
    match &api.contract.authorizer {
        None => Ok(None),
        Some(Authorizer::AwsIam) => {
            let checked = iam::authenticate(head);
            steps.authenticate = match &checked {
                Ok(_) => Step::instant(200, None),
                Err(error) => Step::instant(403, Some(error.message.clone())),
            };
            match checked {
                Ok(user) => Ok(Some(Principal::Iam(user))),
                Err(error) => Err(HandshakeRefusal::of_signature(&error)),
            }
        }
        Some(Authorizer::Lambda {
            function,
            identity_source,
        }) => {
            lambda::check_identity(api, caller, request, upgrade, identity_source, steps)?;
            let custom = lambda::authorize(api, function, caller, request, upgrade, steps).await?;
            Ok(Some(Principal::Custom(custom)))
        }
    }
}
