//! Verifies Signature Version 4 in the `Authorization` header or in the query (presigned).
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>
//!
//! The simulator can only verify signatures made with its own key. It accepts any region in the
//! scope.

mod credential;
pub(crate) mod error;
mod time;

use chrono::{DateTime, Utc};
use local_sim_lambda::{ACCESS_KEY_ID, SECRET_ACCESS_KEY};
use sluice_sigv4::{Request, canonical_request, sha256_hex, signature, string_to_sign};

use self::{
    credential::{Claim, Location},
    error::SignatureError,
    time::{SKEW_MAX, SKEW_MINUTES, parse, stamp},
};

/// A well-formed, current signature for `execute-api`. [`Signature::verify`] checks whether it is
/// correct.
#[derive(Debug)]
pub(crate) struct Signature {
    claim: Claim,
    at: DateTime<Utc>,
}

impl Signature {
    /// Finds the signature of a request.
    ///
    /// # Errors
    /// The signature is missing, incomplete, for another service, expired or not yet valid.
    pub(crate) fn find(request: &Request<'_>, now: DateTime<Utc>) -> Result<Self, SignatureError> {
        let claim = Claim::find(request)?;
        let at = parse(&claim.date).ok_or_else(|| SignatureError::bad_date(&claim.date))?;
        claim.check_scope(at)?;
        if !claim.signed_headers.iter().any(|name| name == "host") {
            return Err(SignatureError::host_not_signed());
        }
        let signature = Self { claim, at };
        signature.check_freshness(now)?;
        Ok(signature)
    }

    /// Whether the signature claims to be made with the simulator's own key.
    pub(crate) fn is_of_known_key(&self) -> bool {
        self.claim.access_key_id == ACCESS_KEY_ID
    }

    /// Checks that the signature was made with the simulator's own key for exactly this request.
    ///
    /// # Errors
    /// The key is unknown, or the signature does not match. Then the error contains the expected
    /// canonical request.
    pub(crate) fn verify(&self, request: &Request<'_>, body: &[u8]) -> Result<(), SignatureError> {
        if !self.is_of_known_key() {
            return Err(SignatureError::unknown_key());
        }
        let claim = &self.claim;
        let scope = claim.scope();
        let canonical = canonical_request(request, &claim.signed_headers, &sha256_hex(body));
        let to_sign = string_to_sign(&stamp(self.at), &scope, &canonical);
        if signature(SECRET_ACCESS_KEY, &scope, &to_sign) == claim.signature {
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
        let (age_max, why) = match self.claim.location {
            Location::Header => (SKEW_MAX, format!("{SKEW_MINUTES} min.")),
            Location::Query { expires } => (expires, format!("{} s", expires.num_seconds())),
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

#[cfg(test)]
mod tests;
