//! `AWS_IAM`: the handshake is signed.

use chrono::Utc;
use local_sim_lambda::{ACCESS_KEY_ID, ACCOUNT_ID};
use sluice_sigv4::Request;

use crate::{
    event::principal::User,
    http::head::Head,
    signature::{Signature, error::SignatureError},
};

/// Finds the user whose signature a handshake carries: in the `Authorization` header, or in the query, which is
/// where a browser can put it.
///
/// # Errors
/// There is none, or it is wrong.
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

/// The one user there is, whose key the functions have.
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
    fn the_user_is_of_the_account() {
        assert_eq!(
            USER_ARN,
            format!("arn:aws:iam::{ACCOUNT_ID}:user/{ACCESS_KEY_ID}")
        );
    }
}
