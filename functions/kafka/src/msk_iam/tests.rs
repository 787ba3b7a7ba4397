//! Tokens beside those of other signers, and the regions to sign for.

use sluice_aws::{
    CONTAINER_CREDENTIALS as FULL_URI, Secret,
    fake::{Answer, Fake},
};

use super::*;

/// One line per token; its head says where they are from.
const TOKENS: &str = include_str!("../../tests/data/msk-iam-tokens.tsv");

/// A token of another signer.
struct Theirs {
    region: &'static str,
    credentials: AwsCredentials,
    token: &'static str,
}

fn theirs(signer: &str) -> Vec<Theirs> {
    let lines = TOKENS.lines().filter(|line| !line.starts_with('#'));
    let tokens = lines.map(|line| {
        let columns: Vec<&str> = line.split('\t').collect();
        let [signer, region, id, secret, session, token] = columns[..] else {
            panic!("not six columns: {line}");
        };
        let credentials = AwsCredentials {
            access_key_id: id.to_owned(),
            secret_access_key: Secret::new(secret),
            session_token: (session != "-").then(|| Secret::new(session)),
        };
        (
            signer,
            Theirs {
                region,
                credentials,
                token,
            },
        )
    });
    tokens
        .filter(|(by, _)| *by == signer)
        .map(|(_, theirs)| theirs)
        .collect()
}

impl Theirs {
    /// Our token for the time in theirs, with their name in it.
    fn ours(&self) -> String {
        let url = url(self.token);
        let parameter = |name: &str| {
            let (_, rest) = url.split_once(&format!("&{name}=")).expect("the parameter");
            rest.split('&').next().expect("a value").to_owned()
        };
        let time = parameter("X-Amz-Date").replace('Z', "+0000");
        let time = DateTime::parse_from_str(&time, "%Y%m%dT%H%M%S%z").expect("a time");
        let user_agent = parameter("User-Agent").replace("%2F", "/");
        token(self.region, &self.credentials, time.to_utc(), &user_agent)
    }
}

fn url(token: &str) -> String {
    String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(token).expect("base64")).expect("a text")
}

#[test]
fn a_token_is_byte_equal_to_that_of_the_rust_signer() {
    let tokens = theirs("rs");
    assert_eq!(tokens.len(), 3);
    for theirs in tokens {
        assert_eq!(theirs.ours(), theirs.token, "{}", url(theirs.token));
    }
}

/// It has the same parameters in another order, which the signature does not cover.
#[test]
fn a_token_says_the_same_as_that_of_the_python_signer() {
    let sorted = |token: &str| {
        let url = url(token);
        let (path, query) = url.split_once('?').expect("a query");
        let mut parameters: Vec<&str> = query.split('&').collect();
        parameters.sort_unstable();
        (path.to_owned(), parameters.join("&"))
    };
    let tokens = theirs("py");
    assert_eq!(tokens.len(), 3);
    for theirs in tokens {
        assert_eq!(sorted(&theirs.ours()), sorted(theirs.token));
    }
}

#[tokio::test]
async fn every_connection_gets_a_token_of_its_own() {
    let lookup = |name: &str| match name {
        "AWS_REGION" => Some("eu-central-1".to_owned()),
        "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("x".to_owned()),
        _ => None,
    };
    let signer = MskIam::from_variables(&Variables(&lookup), &[]).unwrap();
    let first = "2026-01-01T00:00:00Z".parse().unwrap();
    let second = "2026-01-01T00:00:01Z".parse().unwrap();

    let first = url(&signer.token(first).await.unwrap());
    let second = url(&signer.token(second).await.unwrap());

    assert!(first.contains("&X-Amz-Date=20260101T000000Z&"), "{first}");
    assert!(second.contains("&X-Amz-Date=20260101T000001Z&"), "{second}");
    assert!(first.ends_with(concat!(
        "&User-Agent=sluice-kafka%2F",
        env!("CARGO_PKG_VERSION")
    )));

    let SaslConfig::Oauthbearer(sasl) = Arc::new(signer).sasl().await.unwrap() else {
        panic!("another mechanism");
    };
    let token = (sasl.callback)().await.unwrap();
    assert!(url(&token).starts_with("https://kafka.eu-central-1.amazonaws.com/?Action="));
}

#[tokio::test]
async fn credentials_that_cannot_be_had_are_no_error_of_a_broker() {
    let fake = Fake::answering([Answer::status(403), Answer::status(500)]);
    let lookup = |name: &str| match name {
        "AWS_REGION" => Some("eu-central-1".to_owned()),
        FULL_URI => Some(format!("http://127.0.0.1:{}/", fake.port)),
        _ => None,
    };
    let signer = Arc::new(MskIam::from_variables(&Variables(&lookup), &[]).unwrap());
    for is_final in [true, false] {
        let error = signer.sasl().await.expect_err("no credentials");
        assert_eq!((error.variable, error.is_final()), (FULL_URI, is_final));
    }
}

#[test]
fn the_region_is_in_the_brokers_name() {
    for (broker, region) in [
        (
            "b-1.c.abc.c2.kafka.us-east-1.amazonaws.com:9098",
            Some("us-east-1"),
        ),
        (
            "boot-x.c1.kafka-serverless.eu-west-3.amazonaws.com:9098",
            Some("eu-west-3"),
        ),
        (
            "b-1.c.abc.c2.kafka.cn-north-1.amazonaws.com.cn:9098",
            Some("cn-north-1"),
        ),
        ("kafka.eu-west-3.amazonaws.com:9098", Some("eu-west-3")),
        ("b-1.kafka.example.com:9098", None),
        ("mykafka.us-east-1.amazonaws.com:9098", None),
        ("b-1.kafka.us-east-1.amazonaws.com.evil.com:9098", None),
        ("kafka.US_EAST.amazonaws.com:9098", None),
        ("localhost:9098", None),
        ("[::1]:9098", None),
    ] {
        assert_eq!(region_of(broker), region, "{broker}");
    }
}
