//! Which query parameters are credentials, and so never leave the function.
//!
//! Of the handshake's headers, only `Origin` and `User-Agent` go into a record. `Authorization`,
//! `Cookie`, `Sec-WebSocket-Protocol`, `x-api-key` and `identity.apiKey` are not even read. Query
//! parameters go into a record unless their name is in this list.

use std::collections::BTreeSet;

/// Names of query parameters that carry a credential, in lower case.
const NAMES: [&str; 9] = [
    "access_token",
    "api_key",
    "apikey",
    "code",
    "id_token",
    "password",
    "secret",
    "ticket",
    "token",
];

/// The prefix of the parameters of a presigned URL, in lower case.
const PRESIGNED: &str = "x-amz-";

/// Whether a query parameter with this name is a credential: a known name in any case, or one that
/// the authorizer reads.
pub(crate) fn is_credential(name: &str, authorizers: &BTreeSet<&str>) -> bool {
    let lower = name.to_lowercase();
    NAMES.contains(&lower.as_str())
        || lower.starts_with(PRESIGNED)
        || authorizers
            .iter()
            .any(|source| source.to_lowercase() == lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str) -> bool {
        is_credential(name, &BTreeSet::from(["Sig"]))
    }

    #[test]
    fn credentials_are_known_by_name_in_any_case() {
        for name in NAMES {
            assert!(check(name), "{name}");
            assert!(check(&name.to_uppercase()), "{name}");
        }
        assert!(check("Access_Token"));
    }

    #[test]
    fn everything_of_a_presigned_url_is_a_credential() {
        for name in ["X-Amz-Signature", "x-amz-security-token", "X-AMZ-Date"] {
            assert!(check(name), "{name}");
        }
    }

    #[test]
    fn what_the_authorizer_looks_at_is_a_credential() {
        assert!(check("Sig") && check("sig") && check("SIG"));
    }

    #[test]
    fn anything_else_is_not() {
        for name in [
            "",
            "room",
            "tokens",
            "my_token",
            "codec",
            "x-am",
            "signature",
        ] {
            assert!(!check(name), "{name}");
        }
    }
}
