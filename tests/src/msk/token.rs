//! What AWS checks of a token: a URL that IAM credentials signed, in base64url.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>

use std::collections::BTreeMap;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use form_urlencoded::parse;
use sluice_sigv4::{
    ALGORITHM, DATE_FORMAT, Request, Scope, TIME_FORMAT, canonical_request, query_string,
    sha256_hex, signature, string_to_sign,
};

/// A token is good for this long at most, from the time that it names.
const EXPIRES_SECONDS_MAX: i64 = 900;

/// A signer's clock may be ahead by this much, as everywhere in AWS.
const AHEAD_MAX: TimeDelta = TimeDelta::minutes(5);

/// Who may connect.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// `AWS_ACCESS_KEY_ID`
    pub access_key_id: &'static str,
    /// `AWS_SECRET_ACCESS_KEY`
    pub secret_access_key: &'static str,
    /// `AWS_SESSION_TOKEN`
    pub session_token: Option<&'static str>,
}

/// What a good token tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// When it was made.
    pub(super) signed: DateTime<Utc>,
}

/// Verifies that a token is good at this time, in this region, for these credentials.
///
/// # Errors
/// What is wrong with it.
pub(super) fn verify(
    token: &str,
    now: DateTime<Utc>,
    region: &str,
    credentials: &Credentials,
) -> Result<Token, String> {
    let host = format!("kafka.{region}.amazonaws.com");
    let parameters = parameters(token, &host)?;
    let find = |name: &str| parameters.get(name).map_or("", String::as_str);
    let expect = |name: &str, expected: &str| match find(name) {
        found if found == expected => Ok(()),
        found => Err(format!("{name} is {found:?}, expected {expected:?}")),
    };

    let time = find("X-Amz-Date");
    let signed = NaiveDateTime::parse_from_str(time, TIME_FORMAT)
        .map_err(|_| format!("X-Amz-Date is {time:?}, expected a time"))?
        .and_utc();
    let date = signed.format(DATE_FORMAT).to_string();
    let scope = Scope {
        date: &date,
        region,
        service: "kafka-cluster",
    };
    expect("Action", "kafka-cluster:Connect")?;
    expect("X-Amz-Algorithm", ALGORITHM)?;
    expect(
        "X-Amz-Credential",
        &format!("{}/{scope}", credentials.access_key_id),
    )?;
    expect("X-Amz-SignedHeaders", "host")?;
    expect(
        "X-Amz-Security-Token",
        credentials.session_token.unwrap_or_default(),
    )?;
    in_time(signed, find("X-Amz-Expires"), now)?;

    let to_sign = string_to_sign(time, &scope, &canonical(&parameters, &host));
    let ours = signature(credentials.secret_access_key, &scope, &to_sign);
    if find("X-Amz-Signature") != ours {
        return Err("the signature does not match".to_owned());
    }
    Ok(Token { signed })
}

/// The parameters of a token's URL, each of which occurs once.
fn parameters(token: &str, host: &str) -> Result<BTreeMap<String, String>, String> {
    let url = BASE64_URL_SAFE_NO_PAD
        .decode(token)
        .map_err(|error| format!("the token is no base64url: {error}"))?;
    let url = String::from_utf8(url).map_err(|_| "the token is no text".to_owned())?;
    let query = url
        .strip_prefix(&format!("https://{host}/?"))
        .ok_or_else(|| format!("the token is {url:?}, expected a URL of {host}"))?;
    let mut parameters = BTreeMap::new();
    for (name, value) in parse(query.as_bytes()) {
        if parameters
            .insert(name.to_string(), value.to_string())
            .is_some()
        {
            return Err(format!("{name} occurs twice"));
        }
    }
    Ok(parameters)
}

/// A token is good from its time on, for as long as it says itself, or as it may at most.
fn in_time(signed: DateTime<Utc>, expires: &str, now: DateTime<Utc>) -> Result<(), String> {
    let seconds = expires
        .parse()
        .ok()
        .filter(|seconds| (1..=EXPIRES_SECONDS_MAX).contains(seconds))
        .ok_or_else(|| {
            format!("X-Amz-Expires is {expires:?}, expected 1 to {EXPIRES_SECONDS_MAX}")
        })?;
    if now > signed + TimeDelta::seconds(seconds) {
        return Err(format!("the token of {signed} has expired"));
    }
    if signed > now + AHEAD_MAX {
        return Err(format!("the token of {signed} is not good yet"));
    }
    Ok(())
}

/// The canonical request: every parameter but the signature, and the client's name, which the
/// signers for MSK add afterwards.
fn canonical(parameters: &BTreeMap<String, String>, host: &str) -> String {
    let signed: Vec<(&str, &str)> = parameters
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .filter(|(name, _)| *name != "User-Agent")
        .collect();
    let request = Request {
        method: "GET",
        path: "/",
        query: &query_string(&signed),
        headers: vec![("host", host)],
    };
    canonical_request(&request, &["host"], &sha256_hex(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tokens of other people's signers; the file's head says whose.
    const TOKENS: &str = include_str!("../../../functions/kafka/tests/data/msk-iam-tokens.tsv");

    /// A token, and where it is good.
    struct Sample {
        region: &'static str,
        credentials: Credentials,
        token: &'static str,
        signed: DateTime<Utc>,
    }

    fn samples() -> Vec<Sample> {
        let lines = TOKENS.lines().filter(|line| !line.starts_with('#'));
        let samples = lines.map(|line| {
            let columns: Vec<&str> = line.split('\t').collect();
            let [_, region, id, secret, session, token] = columns[..] else {
                panic!("not six columns: {line}");
            };
            let parameters = parameters(token, &format!("kafka.{region}.amazonaws.com")).unwrap();
            let time = parameters["X-Amz-Date"].replace('Z', "+0000");
            Sample {
                region,
                credentials: Credentials {
                    access_key_id: id,
                    secret_access_key: secret,
                    session_token: (session != "-").then_some(session),
                },
                token,
                signed: DateTime::parse_from_str(&time, "%Y%m%dT%H%M%S%z")
                    .unwrap()
                    .to_utc(),
            }
        });
        samples.collect()
    }

    impl Sample {
        /// What is wrong with the token so many seconds after its making.
        fn check(&self, seconds: i64) -> Option<String> {
            let now = self.signed + TimeDelta::seconds(seconds);
            verify(self.token, now, self.region, &self.credentials).err()
        }

        /// What is wrong with another URL.
        fn check_url(&self, change: impl Fn(&str) -> String) -> Option<String> {
            let token = BASE64_URL_SAFE_NO_PAD.encode(change(&self.url()));
            verify(&token, self.signed, self.region, &self.credentials).err()
        }

        fn url(&self) -> String {
            String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(self.token).unwrap()).unwrap()
        }
    }

    #[test]
    fn the_tokens_of_amazons_own_signers_are_good() {
        let samples = samples();
        assert_eq!(samples.len(), 6);
        for sample in samples {
            assert_eq!(sample.check(0), None, "{}", sample.url());
        }
    }

    #[test]
    fn a_token_is_good_for_a_quarter_of_an_hour() {
        let sample = &samples()[0];
        let time = sample.signed;
        assert_eq!(sample.check(900), None);
        assert_eq!(
            sample.check(901),
            Some(format!("the token of {time} has expired"))
        );
        assert_eq!(sample.check(-300), None);
        assert_eq!(
            sample.check(-301),
            Some(format!("the token of {time} is not good yet"))
        );
    }

    #[test]
    fn a_token_says_itself_when_it_expires_and_not_later_than_that() {
        let check = |expires| {
            let (from, to) = ("Expires=900", format!("Expires={expires}"));
            samples()[0].check_url(|url| url.replace(from, &to))
        };
        let mismatch = Some("the signature does not match".to_owned());
        let refused = |found| Some(format!("X-Amz-Expires is {found:?}, expected 1 to 900"));
        assert_eq!(check("900"), None);
        assert_eq!(check("899"), mismatch);
        assert_eq!(check("901"), refused("901"));
        assert_eq!(check("0"), refused("0"));
        assert_eq!(check(""), refused(""));
    }

    #[test]
    fn other_credentials_or_another_region_do_not_fit() {
        let mut sample = samples().remove(0);
        let region = std::mem::replace(&mut sample.region, "eu-north-1");
        assert!(
            sample
                .check(0)
                .is_some_and(|error| error.contains("expected a URL of kafka.eu-north-1"))
        );
        sample.region = region;
        sample.credentials.session_token = Some("session");
        assert!(
            sample
                .check(0)
                .is_some_and(|error| error.contains("X-Amz-Security-Token"))
        );
        sample.credentials.session_token = None;
        sample.credentials.secret_access_key = "another";
        assert_eq!(
            sample.check(0),
            Some("the signature does not match".to_owned())
        );
        sample.credentials.access_key_id = "another";
        assert!(
            sample
                .check(0)
                .is_some_and(|error| error.contains("X-Amz-Credential"))
        );
    }

    #[test]
    fn a_token_with_any_byte_changed_is_refused() {
        let sample = &samples()[0];
        let url = sample.url();
        let signed = url.find("&User-Agent=").unwrap();
        for at in 0..signed {
            let other = if url[at..].starts_with('x') { "y" } else { "x" };
            let refusal =
                sample.check_url(|url| format!("{}{other}{}", &url[..at], &url[at + 1..]));
            assert!(refusal.is_some(), "byte {at} of {url}");
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let sample = &samples()[0];
        let twice = sample.check_url(|url| format!("{url}&X-Amz-Date=20260101T000000Z"));
        assert_eq!(twice, Some("X-Amz-Date occurs twice".to_owned()));
        let refused = |token| verify(token, sample.signed, sample.region, &sample.credentials);
        assert!(refused("").is_err());
        assert!(refused("a+b/").is_err_and(|error| error.contains("base64url")));
        let padded = format!("{}=", sample.token);
        assert!(refused(&padded).is_err_and(|error| error.contains("base64url")));
    }
}
