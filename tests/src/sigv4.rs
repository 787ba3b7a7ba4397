//! Signature Version 4, as clients of API Gateway sign: in headers, or in the query of a URL.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>, written after its text
//! and with nothing in common with the code that verifies.

use std::fmt::Write;

use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use crate::net::Url;

/// Who signs, where, for which service.
#[derive(Clone, Debug)]
pub struct Signer {
    /// `AWS_ACCESS_KEY_ID`
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`
    pub secret_access_key: String,
    /// `AWS_SESSION_TOKEN`
    pub session_token: Option<String>,
    /// `AWS_REGION`
    pub region: String,
    /// `execute-api`, unless a test wants it wrong.
    pub service: String,
}

impl Default for Signer {
    /// The simulator's own key.
    fn default() -> Self {
        Self {
            access_key_id: "sluice".to_owned(),
            secret_access_key: "sluice".to_owned(),
            session_token: None,
            region: "us-east-1".to_owned(),
            service: "execute-api".to_owned(),
        }
    }
}

impl Signer {
    /// Reads AWS's usual variables; the simulator's own key where there are none.
    pub fn from_env() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this module owns these settings")]
        let find = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let default = Self::default();
        let Some(access_key_id) = find("AWS_ACCESS_KEY_ID") else {
            return default;
        };
        Self {
            access_key_id,
            secret_access_key: find("AWS_SECRET_ACCESS_KEY").unwrap_or_default(),
            session_token: find("AWS_SESSION_TOKEN"),
            region: find("AWS_REGION")
                .or_else(|| find("AWS_DEFAULT_REGION"))
                .unwrap_or(default.region),
            service: default.service,
        }
    }

    /// The headers that sign a request made now, `Host` among them.
    pub fn headers(&self, method: &str, url: &str, body: &[u8]) -> Vec<(String, String)> {
        self.headers_at(Utc::now(), method, url, body)
    }

    /// The headers that sign a request made at this time.
    pub fn headers_at(
        &self,
        at: DateTime<Utc>,
        method: &str,
        url: &str,
        body: &[u8],
    ) -> Vec<(String, String)> {
        let url = Url::parse(url);
        let date = at.format(TIME).to_string();
        let mut headers = vec![
            ("host".to_owned(), url.host.clone()),
            ("x-amz-date".to_owned(), date.clone()),
        ];
        if let Some(token) = &self.session_token {
            headers.push(("x-amz-security-token".to_owned(), token.clone()));
        }
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(";");
        let lines = headers.iter().fold(String::new(), |lines, (name, value)| {
            lines + &format!("{name}:{value}\n")
        });
        let canonical = format!(
            "{method}\n{}\n{}\n{lines}\n{names}\n{}",
            encoded_path(url.path()),
            sorted(url.query()),
            hash(body)
        );
        let signature = self.signature(&date, &canonical);
        let credential = format!("{}/{}", self.access_key_id, self.scope(&date));
        headers.push((
            "authorization".to_owned(),
            format!(
                "{ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
            ),
        ));
        headers
    }

    /// A URL to open a WebSocket with that carries its signature, as browsers need it.
    pub fn presigned(&self, url: &str) -> String {
        let date = Utc::now().format(TIME).to_string();
        let parsed = Url::parse(url);
        let credential = encoded(&format!("{}/{}", self.access_key_id, self.scope(&date)));
        let mut parameters = format!(
            "X-Amz-Algorithm={ALGORITHM}&X-Amz-Credential={credential}&X-Amz-Date={date}\
             &X-Amz-Expires={EXPIRES_SECONDS}&X-Amz-SignedHeaders=host"
        );
        if let Some(token) = &self.session_token {
            parameters.push_str(&format!("&X-Amz-Security-Token={}", encoded(token)));
        }
        if !parsed.query().is_empty() {
            parameters = format!("{}&{parameters}", parsed.query());
        }
        let canonical = format!(
            "GET\n{}\n{}\nhost:{}\n\nhost\n{}",
            encoded_path(parsed.path()),
            sorted(&parameters),
            parsed.host,
            hash(b"")
        );
        let bare = url.split('?').next().unwrap_or_default();
        let signature = self.signature(&date, &canonical);
        format!("{bare}?{parameters}&X-Amz-Signature={signature}")
    }

    fn scope(&self, date: &str) -> String {
        let (region, service) = (&self.region, &self.service);
        format!("{}/{region}/{service}/aws4_request", &date[..DAY_CHARS])
    }

    fn signature(&self, date: &str, canonical: &str) -> String {
        signature(&self.secret_access_key, date, &self.scope(date), canonical)
    }
}

/// The signature of a canonical request.
pub(crate) fn signature(
    secret_access_key: &str,
    date: &str,
    scope: &str,
    canonical: &str,
) -> String {
    let hash = hash(canonical.as_bytes());
    let to_sign = format!("{ALGORITHM}\n{date}\n{scope}\n{hash}");
    let key = scope.split('/').fold(
        format!("AWS4{secret_access_key}").into_bytes(),
        |key, part| hmac(&key, part),
    );
    hex(&hmac(&key, &to_sign))
}

/// The path as it is sent, encoded once more, as every service but S3 wants it.
fn encoded_path(path: &str) -> String {
    let parts: Vec<String> = path.split('/').map(encoded).collect();
    parts.join("/")
}

/// The parameters by name and value; they are encoded already.
fn sorted(query: &str) -> String {
    let mut parameters: Vec<String> = query
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| match parameter.contains('=') {
            true => parameter.to_owned(),
            false => format!("{parameter}="),
        })
        .collect();
    parameters.sort_unstable();
    parameters.join("&")
}

/// Percent-encodes as RFC 3986 has it.
pub fn encoded(text: &str) -> String {
    const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~');
    utf8_percent_encode(text, RESERVED).to_string()
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

pub(crate) fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const TIME: &str = "%Y%m%dT%H%M%SZ";
/// A time begins with its day.
const DAY_CHARS: usize = 8;
/// How long a presigned URL is good.
const EXPIRES_SECONDS: u32 = 300;

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of AWS's own test suite for Signature Version 4, `get-vanilla`.
    #[test]
    fn awss_own_example_is_signed_alike() {
        let signer = Signer {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
            service: "service".to_owned(),
            ..Signer::default()
        };
        let at = DateTime::parse_from_rfc3339("2015-08-30T12:36:00Z").unwrap();
        let url = "https://example.amazonaws.com/";
        let headers = signer.headers_at(at.to_utc(), "GET", url, b"");
        let (_, authorization) = headers.last().unwrap();
        let expected = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
        assert!(authorization.ends_with(expected), "{authorization}");
    }
}
