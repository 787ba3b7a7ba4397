//! From a canonical request to its signature.

use std::fmt;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::encoding::{hex, sha256_hex};

/// The name of the algorithm, as signatures state it.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What a scope ends with.
pub const TERMINATOR: &str = "aws4_request";

/// The time of a signature, for `strftime`: `20150830T123600Z`, in UTC.
pub const TIME_FORMAT: &str = "%Y%m%dT%H%M%SZ";

/// The date of a scope, for `strftime`: `20150830`, in UTC.
pub const DATE_FORMAT: &str = "%Y%m%d";

/// What a signing key is good for.
///
/// Displayed as in a credential: `20150830/us-east-1/execute-api/aws4_request`.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The date of the signature, in [`DATE_FORMAT`].
    pub date: &'a str,
    /// The region, such as `us-east-1`.
    pub region: &'a str,
    /// The service, such as `execute-api`.
    pub service: &'a str,
}

impl fmt::Display for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            date,
            region,
            service,
        } = self;
        write!(f, "{date}/{region}/{service}/{TERMINATOR}")
    }
}

/// The string to sign of a canonical request, at a time in [`TIME_FORMAT`].
pub fn string_to_sign(time: &str, scope: &Scope<'_>, canonical_request: &str) -> String {
    let hash = sha256_hex(canonical_request);
    format!("{ALGORITHM}\n{time}\n{scope}\n{hash}")
}

/// The signature of a string to sign, in lowercase hexadecimal.
pub fn signature(secret_access_key: &str, scope: &Scope<'_>, string_to_sign: &str) -> String {
    let key = signing_key(secret_access_key, scope);
    hex(&hmac(&key, string_to_sign))
}

fn signing_key(secret_access_key: &str, scope: &Scope<'_>) -> Vec<u8> {
    [scope.date, scope.region, scope.service, TERMINATOR]
        .into_iter()
        .fold(
            format!("AWS4{secret_access_key}").into_bytes(),
            |key, part| hmac(&key, part),
        )
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length is a key");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}
