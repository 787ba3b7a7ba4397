//! Parses the parameters of a request's signature: credential, date, signed headers.

use chrono::{DateTime, TimeDelta, Utc};
use percent_encoding::percent_decode_str;
use sluice_sigv4::{ALGORITHM, DATE_FORMAT, Request, Scope, TERMINATOR};

use crate::signature::{error::SignatureError, time::SKEW_MAX};

/// The parameters of a signature as the request states them, not verified.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) access_key_id: String,
    /// Date, region, service and terminator.
    scope: [String; 4],
    /// The time of the signature, as sent.
    pub(crate) date: String,
    /// In lower case, in the order of the request.
    pub(crate) signed_headers: Vec<String>,
    pub(crate) signature: String,
    pub(crate) location: Location,
}

/// Where a signature is, which determines how long it is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Location {
    /// In the `Authorization` header.
    Header,
    /// In the query. It is valid for as long as the signer chose.
    Query { expires: TimeDelta },
}

impl Claim {
    pub(crate) fn find(request: &Request<'_>) -> Result<Self, SignatureError> {
        if let Some(authorization) = header(request, "authorization") {
            return Self::in_header(request, authorization);
        }
        if parameter(request, "X-Amz-Algorithm").is_some()
            || parameter(request, "X-Amz-Signature").is_some()
        {
            return Self::in_query(request);
        }
        Err(SignatureError::missing())
    }

    /// The credential scope without its terminator, which [`Claim::check_scope`] checks.
    pub(crate) fn scope(&self) -> Scope<'_> {
        let [date, region, service, _] = &self.scope;
        Scope {
            date,
            region,
            service,
        }
    }

    pub(crate) fn check_scope(&self, at: DateTime<Utc>) -> Result<(), SignatureError> {
        let [date, _, service, terminator] = &self.scope;
        let mut faults = String::new();
        if service != SERVICE {
            faults.push_str(&format!(
                "Credential should be scoped to correct service: '{SERVICE}'. "
            ));
        }
        if terminator != TERMINATOR {
            faults.push_str(&format!(
                "Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{terminator}'. "
            ));
        }
        let day = at.format(DATE_FORMAT).to_string();
        if *date != day {
            faults.push_str(&format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
                 '{date}' != '{day}', from '{}'. ",
                self.date
            ));
        }
        match faults.trim_end() {
            "" => Ok(()),
            faults => Err(SignatureError::bad_scope(faults.to_owned())),
        }
    }

    fn in_header(request: &Request<'_>, authorization: &str) -> Result<Self, SignatureError> {
        let authorization = authorization.trim();
        let Some((algorithm, rest)) = authorization.split_once(' ') else {
            return Err(missing_parts(authorization, &PARTS, false));
        };
        if algorithm != ALGORITHM {
            return Err(SignatureError::incomplete(format!(
                "Unsupported AWS 'algorithm': '{algorithm}'."
            )));
        }
        let part = |name: &str| {
            rest.split(',')
                .filter_map(|part| part.trim().split_once('='))
                .find(|(known, _)| *known == name)
                .map(|(_, value)| value.to_owned())
                .filter(|value| !value.is_empty())
        };
        let date = header(request, "x-amz-date").or_else(|| header(request, "date"));
        let [credential, headers, signature] = PARTS.map(part);
        match (credential, headers, signature, date) {
            (Some(credential), Some(headers), Some(signature), Some(date)) => {
                Self::new(&credential, date, &headers, signature, Location::Header)
            }
            (credential, headers, signature, date) => {
                let absent = [
                    (PARTS[0], credential.is_none()),
                    (PARTS[1], headers.is_none()),
                    (PARTS[2], signature.is_none()),
                ];
                let absent: Vec<&str> = absent
                    .iter()
                    .filter(|(_, absent)| *absent)
                    .map(|(name, _)| *name)
                    .collect();
                Err(missing_parts(authorization, &absent, date.is_some()))
            }
        }
    }

    fn in_query(request: &Request<'_>) -> Result<Self, SignatureError> {
        let required = |name: &str| {
            parameter(request, name)
                .filter(|value| !value.is_empty())
                .ok_or_else(|| {
                    SignatureError::incomplete(format!(
                        "AWS query-string parameters must include '{name}'. Re-examine the query-string parameters."
                    ))
                })
        };
        let algorithm = required("X-Amz-Algorithm")?;
        if algorithm != ALGORITHM {
            return Err(SignatureError::incomplete(format!(
                "Unsupported AWS 'algorithm': '{algorithm}'."
            )));
        }
        let expires = match parameter(request, "X-Amz-Expires") {
            Some(text) => expires(&text)?,
            None => SKEW_MAX,
        };
        Self::new(
            &required("X-Amz-Credential")?,
            &required("X-Amz-Date")?,
            &required("X-Amz-SignedHeaders")?,
            required("X-Amz-Signature")?,
            Location::Query { expires },
        )
    }

    fn new(
        credential: &str,
        date: &str,
        signed_headers: &str,
        signature: String,
        location: Location,
    ) -> Result<Self, SignatureError> {
        // An access key id may contain slashes, the scope may not.
        let mut parts = credential.rsplitn(5, '/').map(str::to_owned);
        let mut next = || {
            parts.next().filter(|part| !part.is_empty()).ok_or_else(|| {
                SignatureError::bad_scope(format!(
                    "Credential must have exactly 5 slash-delimited elements, e.g. \
                     keyid/date/region/service/term, got '{credential}'"
                ))
            })
        };
        let (terminator, service, region, day) = (next()?, next()?, next()?, next()?);
        Ok(Self {
            access_key_id: next()?,
            scope: [day, region, service, terminator],
            date: date.to_owned(),
            signed_headers: signed_headers
                .split(';')
                .map(str::to_ascii_lowercase)
                .collect(),
            signature,
            location,
        })
    }
}

fn missing_parts(authorization: &str, absent: &[&str], has_date: bool) -> SignatureError {
    let mut message: String = absent
        .iter()
        .map(|name| format!("Authorization header requires '{name}' parameter. "))
        .collect();
    if !has_date {
        message.push_str(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ",
        );
    }
    SignatureError::incomplete(format!("{message}Authorization={authorization}"))
}

fn expires(text: &str) -> Result<TimeDelta, SignatureError> {
    match text.parse() {
        Ok(seconds @ 1..=EXPIRES_SECONDS_MAX) => Ok(TimeDelta::seconds(seconds)),
        _ => Err(SignatureError::incomplete(format!(
            "X-Amz-Expires must be a number between 1 and {EXPIRES_SECONDS_MAX}, got '{text}'"
        ))),
    }
}

fn header<'a>(request: &Request<'a>, name: &str) -> Option<&'a str> {
    request
        .headers
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| *value)
}

fn parameter(request: &Request<'_>, name: &str) -> Option<String> {
    request
        .query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(known, _)| *known == name)
        .map(|(_, value)| percent_decode_str(value).decode_utf8_lossy().into_owned())
}

const PARTS: [&str; 3] = ["Credential", "SignedHeaders", "Signature"];
const SERVICE: &str = "execute-api";
/// The maximum validity of a presigned URL in seconds: a week.
const EXPIRES_SECONDS_MAX: i64 = 7 * 24 * 3600;
