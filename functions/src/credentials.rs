//! Which parts of a handshake are credentials, and so never leave the function.
//!
//! Of the handshake's headers only `Origin` and `User-Agent` go into a record;
//! `Authorization`, `Cookie`, `Sec-WebSocket-Protocol` and `x-api-key` are not
//! even read, nor is `identity.apiKey`. The query goes into a record by name,
//! and this list says which names do not.

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

/// What the names of a presigned URL's parameters begin with, in lower case.
const PRESIGNED: &str = "x-amz-";

/// Whether a query parameter of this name carries a credential: it is one of a
/// known list, in any case, or one that the authorizer looks at.
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
