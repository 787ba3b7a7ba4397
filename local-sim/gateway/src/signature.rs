//! Signature Version 4, as AWS checks it: in the `Authorization` header, or presigned in the query.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>
//!
//! There is one key that the simulator can check, its own. Any region is taken: there is only one of everything here.

mod canonical;
mod credential;
mod error;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

pub(super) use self::error::SignatureError;
use self::{
    canonical::{hex, hex_of_hash},
    credential::{Claim, Place},
};
use local_sim_lambda::{ACCESS_KEY_ID, SECRET_ACCESS_KEY};

/// What of a request can be signed.
#[derive(Debug, Clone)]
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    /// As sent: still encoded.
    pub(super) path: &'a str,
    /// As sent, without `?`; empty where there is none.
    pub(super) query: &'a str,
    /// Names in any case.
    pub(super) headers: Vec<(&'a str, &'a str)>,
}

/// A signature in good form, made lately for `execute-api`; whether it is right is for [`Signature::verify`] to say.
#[derive(Debug)]
pub(super) struct Signature {
    claim: Claim,
    at: DateTime<Utc>,
}

impl Signature {
    /// Finds the signature that a request carries.
    ///
    /// # Errors
    /// There is none, it is incomplete, for another service, or not of now.
    pub(super) fn find(request: &Request<'_>, now: DateTime<Utc>) -> Result<Self, SignatureError> {
        let claim = Claim::find(request)?;
        let at = time(&claim.date).ok_or_else(|| SignatureError::bad_date(&claim.date))?;
        claim.check_scope(at)?;
        if !claim.signed_headers.iter().any(|name| name == "host") {
            return Err(SignatureError::host_not_signed());
        }
        let signature = Self { claim, at };
        signature.check_freshness(now)?;
        Ok(signature)
    }

    /// Whether it claims to be made with the simulator's own key.
    pub(super) fn is_of_known_key(&self) -> bool {
        self.claim.access_key_id == ACCESS_KEY_ID
    }

    /// Checks that the signature was made with the simulator's own key, for this very request.
    ///
    /// # Errors
    /// The key is another one, or the signature does not fit; then with what should have been signed.
    pub(super) fn verify(&self, request: &Request<'_>, body: &[u8]) -> Result<(), SignatureError> {
        if !self.is_of_known_key() {
            return Err(SignatureError::unknown_key());
        }
        let claim = &self.claim;
        let canonical = canonical::request(request, &claim.signed_headers, body);
        let to_sign = format!(
            "{ALGORITHM}\n{}\n{}\n{}",
            stamp(self.at),
            claim.scope(),
            hex_of_hash(canonical.as_bytes())
        );
        if sign(SECRET_ACCESS_KEY, &claim.scope(), &to_sign) == claim.signature {
            return Ok(());
        }
        Err(SignatureError::mismatch(&canonical, &to_sign))
    }

    fn check_freshness(&self, now: DateTime<Utc>) -> Result<(), SignatureError> {
        let [at, current] = [self.at, now].map(stamp);
        let latest = now + SKEW_MAX;
        if self.at > latest {
            let latest = stamp(latest);
            return Err(SignatureError::stale(format!(
                "Signature not yet current: {at} is still later than {latest} ({current} + {SKEW_MINUTES} min.)"
            )));
        }
        let (age_max, why) = match self.claim.place {
            Place::Header => (SKEW_MAX, format!("{SKEW_MINUTES} min.")),
            Place::Query { expires } => (expires, format!("{} s", expires.num_seconds())),
        };
        let earliest = now - age_max;
        if self.at < earliest {
            let earliest = stamp(earliest);
            return Err(SignatureError::stale(format!(
                "Signature expired: {at} is now earlier than {earliest} ({current} - {why})"
            )));
        }
        Ok(())
    }
}

/// The hexadecimal signature of a text.
fn sign(secret: &str, scope: &str, to_sign: &str) -> String {
    let key = scope
        .split('/')
        .chain([to_sign])
        .fold(format!("AWS4{secret}").into_bytes(), |key, text| {
            hmac(&key, text)
        });
    hex(&key)
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length is a key");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Reads `20150830T123600Z`, or what else `Date` may say.
fn time(text: &str) -> Option<DateTime<Utc>> {
    match NaiveDateTime::parse_from_str(text, STAMP) {
        Ok(time) => Some(time.and_utc()),
        Err(_) => DateTime::parse_from_rfc2822(text)
            .ok()
            .map(|time| time.to_utc()),
    }
}

fn stamp(time: DateTime<Utc>) -> String {
    time.format(STAMP).to_string()
}

const STAMP: &str = "%Y%m%dT%H%M%SZ";
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How many minutes the clocks of client and gateway may differ.
const SKEW_MINUTES: i64 = 5;
/// The same as a time.
const SKEW_MAX: TimeDelta = TimeDelta::minutes(SKEW_MINUTES);

#[cfg(test)]
mod tests;
