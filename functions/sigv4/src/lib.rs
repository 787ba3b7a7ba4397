//! AWS Signature Version 4, for signers and for those that verify.
//!
//! A signature is made in three steps, each a function: [`canonical_request`],
//! [`string_to_sign`] and [`signature`]. The signer then puts the signature
//! into the `Authorization` header, or into the query of a presigned URL.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

mod canonical;
mod encoding;
mod signing;

pub use self::{
    canonical::{Request, canonical_request},
    encoding::{percent_encode, query_string, sha256_hex},
    signing::{ALGORITHM, DATE_FORMAT, Scope, TERMINATOR, TIME_FORMAT, signature, string_to_sign},
};
