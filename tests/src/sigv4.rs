//! Signs requests to API Gateway with Signature Version 4, in headers or in the query of a URL.

use chrono::{DateTime, Utc};
use sluice_sigv4::{
    ALGORITHM, DATE_FORMAT, Request, Scope, TIME_FORMAT, canonical_request, query_string,
    sha256_hex, signature, string_to_sign,
};

use crate::net::Url;

/// Credentials, region and service to sign with.
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
    /// The service: `execute-api`, except in tests of wrong signatures.
    pub service: String,
}

impl Default for Signer {
    /// The simulator's default credentials.
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
    /// Reads the usual AWS variables. Without them, uses the simulator's default credentials.
    pub fn from_env() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "only this module reads these variables"
        )]
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

    /// The headers that sign a request now, including `Host`.
    pub fn headers(&self, method: &str, url: &str, body: &[u8]) -> Vec<(String, String)> {
        self.headers_at(Utc::now(), method, url, body)
    }

    /// The headers that sign a request at the given time.
    pub fn headers_at(
        &self,
        at: DateTime<Utc>,
        method: &str,
        url: &str,
        body: &[u8],
    ) -> Vec<(String, String)> {
        let url = Url::parse(url);
        let time = at.format(TIME_FORMAT).to_string();
        let mut headers = vec![
            ("host".to_owned(), url.host.clone()),
            ("x-amz-date".to_owned(), time),
        ];
        if let Some(token) = &self.session_token {
            headers.push(("x-amz-security-token".to_owned(), token.clone()));
        }
        let request = Request {
            method,
            path: url.path(),
            query: url.query(),
            headers: headers
                .iter()
                .map(|(name, value)| (&**name, &**value))
                .collect(),
        };
        let (names, signature) = self.signature(at, &request, body);
        let credential = self.credential(at);
        headers.push((
            "authorization".to_owned(),
            format!(
                "{ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
            ),
        ));
        headers
    }

    /// A presigned WebSocket URL, since browsers cannot set headers.
    pub fn presigned(&self, url: &str) -> String {
        let now = Utc::now();
        let parsed = Url::parse(url);
        let (credential, time) = (self.credential(now), now.format(TIME_FORMAT).to_string());
        let mut parameters = vec![
            ("X-Amz-Algorithm", ALGORITHM),
            ("X-Amz-Credential", &credential),
            ("X-Amz-Date", &time),
            ("X-Amz-Expires", EXPIRES_SECONDS),
            ("X-Amz-SignedHeaders", "host"),
        ];
        if let Some(token) = &self.session_token {
            parameters.push(("X-Amz-Security-Token", token));
        }
        let mut query = query_string(&parameters);
        if !parsed.query().is_empty() {
            query = format!("{}&{query}", parsed.query());
        }
        let request = Request {
            method: "GET",
            path: parsed.path(),
            query: &query,
            headers: vec![("host", &parsed.host)],
        };
        let (_, signature) = self.signature(now, &request, b"");
        let bare = url.split('?').next().unwrap_or_default();
        format!("{bare}?{query}&X-Amz-Signature={signature}")
    }

    fn credential(&self, at: DateTime<Utc>) -> String {
        let date = at.format(DATE_FORMAT).to_string();
        format!("{}/{}", self.access_key_id, self.scope(&date))
    }

    fn scope<'a>(&'a self, date: &'a str) -> Scope<'a> {
        Scope {
            date,
            region: &self.region,
            service: &self.service,
        }
    }

    /// The signed header names (all headers of the request) and the signature.
    fn signature(&self, at: DateTime<Utc>, request: &Request<'_>, body: &[u8]) -> (String, String) {
        let names: Vec<&str> = request.headers.iter().map(|(name, _)| *name).collect();
        let canonical = canonical_request(request, &names, &sha256_hex(body));
        let date = at.format(DATE_FORMAT).to_string();
        let time = at.format(TIME_FORMAT).to_string();
        let scope = self.scope(&date);
        let to_sign = string_to_sign(&time, &scope, &canonical);
        let signature = signature(&self.secret_access_key, &scope, &to_sign);
        (names.join(";"), signature)
    }
}

/// How long a presigned URL is valid, in seconds.
const EXPIRES_SECONDS: &str = "300";

#[cfg(test)]
mod tests {
    use super::*;

    /// Source: `get-vanilla` of the AWS test suite for Signature Version 4.
    #[test]
    fn the_signature_matches_the_aws_test_suite() {
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
