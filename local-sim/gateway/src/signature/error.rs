//! Errors of signatures, with AWS's messages.

use thiserror::Error;

/// A missing or invalid signature. The status is always 403.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub(crate) struct SignatureError {
    /// The value of `x-amzn-ErrorType`.
    pub(crate) error_type: &'static str,
    /// The message for the client.
    pub(crate) message: String,
}

impl SignatureError {
    fn new(error_type: &'static str, message: impl Into<String>) -> Self {
        Self {
            error_type,
            message: message.into(),
        }
    }

    pub(crate) fn missing() -> Self {
        Self::new(
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        )
    }

    pub(crate) fn incomplete(message: String) -> Self {
        Self::new("IncompleteSignatureException", message)
    }

    pub(crate) fn bad_date(found: &str) -> Self {
        Self::incomplete(format!(
            "Date must be in ISO-8601 'basic format'. Got '{found}'. See http://en.wikipedia.org/wiki/ISO_8601"
        ))
    }

    pub(crate) fn bad_scope(message: String) -> Self {
        Self::new("InvalidSignatureException", message)
    }

    pub(crate) fn host_not_signed() -> Self {
        Self::new(
            "InvalidSignatureException",
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
        )
    }

    pub(crate) fn stale(message: String) -> Self {
        Self::new("InvalidSignatureException", message)
    }

    pub(crate) fn unknown_key() -> Self {
        Self::new(
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        )
    }

    pub(crate) fn mismatch(canonical: &str, to_sign: &str) -> Self {
        Self::new(
            "InvalidSignatureException",
            format!(
                "The request signature we calculated does not match the signature you provided. Check your AWS \
                 Secret Access Key and signing method. Consult the service documentation for details.\n\n\
                 The Canonical String for this request should have been\n'{canonical}'\n\n\
                 The String-to-Sign should have been\n'{to_sign}'\n"
            ),
        )
    }
}
