//! Checks the signature of a request as API Gateway does.

use sluice_sigv4::{Scope, canonical_request, sha256_hex, signature, string_to_sign};

use crate::endpoint::Request;

/// Asserts that a request is signed with this key for the tests' region.
pub(crate) fn assert_signed(request: &Request, secret_access_key: &str) {
    let authorization = request.header("authorization");
    let (_, signed) = authorization
        .split_once("SignedHeaders=")
        .expect("the signed headers");
    let (names, theirs) = signed.split_once(", Signature=").expect("a signature");
    let names: Vec<&str> = names.split(';').collect();
    let time = request.header("x-amz-date");
    let (date, _) = time.split_once('T').expect("a time");
    let scope = Scope {
        date,
        region: "eu-central-1",
        service: "execute-api",
    };
    let sent = sluice_sigv4::Request {
        method: &request.method,
        path: &request.path,
        query: "",
        headers: request
            .headers
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect(),
    };
    let canonical = canonical_request(&sent, &names, &sha256_hex(&request.body));
    let to_sign = string_to_sign(time, &scope, &canonical);
    let ours = signature(secret_access_key, &scope, &to_sign);
    assert_eq!(theirs, ours, "{canonical}");
}
