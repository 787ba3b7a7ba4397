//! The `AWS_IAM` authorizer, which verifies the signature of the handshake.

use chrono::Utc;
use local_sim_lambda::{ACCESS_KEY_ID, ACCOUNT_ID};
use sluice_sigv4::Request;

use crate::{
    event::principal::User,
    http::head::Head,
    signature::{Signature, error::SignatureError},
};

/// Verifies the signature of a handshake and returns the user.
///
/// The signature is in the `Authorization` header or in the query. Browsers can only put it in the
/// query.
///
/// # Errors
/// The signature is missing or invalid.
pub(crate) fn authenticate(head: &Head) -> Result<User, SignatureError> {
    let (path, query) = head.path_and_query();
    let request = Request {
        method: &head.method,
        path,
        query,
        headers: head
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect(),
    };
    Signature::find(&request, Utc::now())?.verify(&request, b"")?;
    Ok(SIMULATOR_USER)
}

/// The simulator's only user. The functions have its access key.
const SIMULATOR_USER: User = User {
    user_arn: USER_ARN,
    account_id: ACCOUNT_ID,
    id: "AIDASLUICEEXAMPLE0SIM",
    access_key: ACCESS_KEY_ID,
};
const USER_ARN: &str = "arn:aws:iam::123456789012:user/sluice";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_arn_contains_the_account_and_the_access_key() {
        assert_eq!(
            USER_ARN,
            format!("arn:aws:iam::{ACCOUNT_ID}:user/{ACCESS_KEY_ID}")
        );
    }
}
