//! Which variables go together, and what is said where they do not.

use super::*;

const USER: [(&str, &str); 2] = [
    ("KAFKA_SASL_USERNAME", "admin"),
    ("KAFKA_SASL_PASSWORD", "hunter2"),
];
const ARN: (&str, &str) = (
    "KAFKA_SASL_SECRET_ARN",
    "arn:aws:secretsmanager:eu-central-1:123456789012:secret:AmazonMSK_x",
);
const KEYS: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", "AKIA"),
    ("AWS_SECRET_ACCESS_KEY", "hunter2"),
    ("AWS_SESSION_TOKEN", "hunter2"),
];
const REGION: (&str, &str) = ("AWS_REGION", "eu-central-1");
const CA: (&str, &str) = ("KAFKA_SSL_CA", include_str!("../../tests/data/ca.pem"));

/// The settings of a protocol, a mechanism where it is not empty, and more variables.
fn security(
    protocol: &str,
    mechanism: &str,
    more: &[(&str, &str)],
) -> Result<Security, SettingsError> {
    let lookup = |name: &str| match name {
        "KAFKA_SECURITY_PROTOCOL" => Some(protocol.to_owned()),
        "KAFKA_SASL_MECHANISM" => Some(mechanism.to_owned()),
        _ => {
            let found = more.iter().find(|(found, _)| *found == name);
            found.map(|(_, value)| (*value).to_owned())
        }
    };
    Security::from_variables(&Variables(&lookup), &["b-1:9092".to_owned()])
}

/// What the client is told: whether to use TLS, and how to authenticate.
async fn accepted(protocol: &str, mechanism: &str, more: &[(&str, &str)]) -> (bool, String) {
    let security = security(protocol, mechanism, more).expect("settings that fit");
    assert!(!format!("{security:?}").contains("hunter2"), "{security:?}");
    let sasl = security.sasl().await.expect("credentials at hand");
    let sasl = match sasl {
        None => String::new(),
        Some(SaslConfig::Plain(who)) => format!("plain {} {}", who.username, who.password),
        Some(SaslConfig::ScramSha256(who)) => format!("256 {} {}", who.username, who.password),
        Some(SaslConfig::ScramSha512(who)) => format!("512 {} {}", who.username, who.password),
        Some(SaslConfig::Oauthbearer(_)) => "oauthbearer".to_owned(),
    };
    (security.tls().is_some(), sasl)
}

#[tokio::test]
async fn every_protocol_and_mechanism_reaches_the_client() {
    let [user, password] = USER;
    let login = |mechanism: &str| format!("{mechanism} admin hunter2");
    let keys = [&KEYS[..], &[REGION]].concat();
    for (protocol, mechanism, more, expected) in [
        ("", "", &[][..], (false, String::new())),
        ("PLAINTEXT", "", &[], (false, String::new())),
        ("SSL", "", &[], (true, String::new())),
        ("SSL", "", &[CA], (true, String::new())),
        ("SASL_PLAINTEXT", "PLAIN", &USER, (false, login("plain"))),
        ("SASL_SSL", "PLAIN", &USER, (true, login("plain"))),
        (
            "SASL_SSL",
            "PLAIN",
            &[user, password, CA],
            (true, login("plain")),
        ),
        (
            "SASL_PLAINTEXT",
            "SCRAM-SHA-256",
            &USER,
            (false, login("256")),
        ),
        ("SASL_SSL", "SCRAM-SHA-512", &USER, (true, login("512"))),
        (
            "SASL_SSL",
            "AWS_MSK_IAM",
            &keys,
            (true, "oauthbearer".to_owned()),
        ),
    ] {
        assert_eq!(
            accepted(protocol, mechanism, more).await,
            expected,
            "{protocol} {mechanism}"
        );
    }
}

fn refused(protocol: &str, mechanism: &str, more: &[(&str, &str)]) -> String {
    let error = security(protocol, mechanism, more).expect_err("settings that do not fit");
    assert!(
        !format!("{error:?} {error}").contains("hunter2"),
        "{error:?}"
    );
    error.to_string()
}

#[test]
fn what_does_not_fit_together_is_refused_with_the_variables_name() {
    let [user, password] = USER;
    let [id, key, token] = KEYS;
    for (protocol, mechanism, more, expected) in [
        // Unknown words.
        (
            "TLS",
            "",
            &[][..],
            r#"KAFKA_SECURITY_PROTOCOL is "TLS", expected PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"#,
        ),
        (
            "ssl",
            "",
            &[],
            r#"KAFKA_SECURITY_PROTOCOL is "ssl", expected PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"#,
        ),
        (
            "SASL_SSL",
            "GSSAPI",
            &[],
            r#"KAFKA_SASL_MECHANISM is "GSSAPI", expected PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or AWS_MSK_IAM"#,
        ),
        // SASL's variables without SASL.
        (
            "",
            "PLAIN",
            &USER,
            "KAFKA_SASL_MECHANISM is set, expected no value, since KAFKA_SECURITY_PROTOCOL is PLAINTEXT",
        ),
        (
            "SSL",
            "PLAIN",
            &USER,
            "KAFKA_SASL_MECHANISM is set, expected no value, since KAFKA_SECURITY_PROTOCOL is SSL",
        ),
        (
            "SSL",
            "",
            &[user],
            "KAFKA_SASL_USERNAME is set, expected no value, since KAFKA_SECURITY_PROTOCOL is SSL",
        ),
        (
            "SSL",
            "",
            &[password],
            "KAFKA_SASL_PASSWORD is set, expected no value, since KAFKA_SECURITY_PROTOCOL is SSL",
        ),
        (
            "SSL",
            "",
            &[ARN],
            "KAFKA_SASL_SECRET_ARN is set, expected no value, since KAFKA_SECURITY_PROTOCOL is SSL",
        ),
        // SASL without its variables.
        (
            "SASL_SSL",
            "",
            &USER,
            "KAFKA_SASL_MECHANISM is not set, expected PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or AWS_MSK_IAM",
        ),
        (
            "SASL_SSL",
            "PLAIN",
            &[],
            "KAFKA_SASL_USERNAME is not set, expected the user to authenticate, or KAFKA_SASL_SECRET_ARN instead",
        ),
        (
            "SASL_SSL",
            "PLAIN",
            &[password],
            "KAFKA_SASL_USERNAME is not set, expected the user to authenticate, or KAFKA_SASL_SECRET_ARN instead",
        ),
        (
            "SASL_SSL",
            "SCRAM-SHA-512",
            &[user],
            "KAFKA_SASL_PASSWORD is not set, expected the password of KAFKA_SASL_USERNAME",
        ),
        // A secret, and something beside it.
        (
            "SASL_SSL",
            "PLAIN",
            &[password, ARN, token],
            "KAFKA_SASL_PASSWORD is set, expected no value, since KAFKA_SASL_SECRET_ARN is set",
        ),
        (
            "SASL_SSL",
            "PLAIN",
            &[user, ARN, token],
            "KAFKA_SASL_USERNAME is set, expected no value, since KAFKA_SASL_SECRET_ARN is set",
        ),
        (
            "SASL_SSL",
            "PLAIN",
            &[(ARN.0, "my-secret"), token],
            r#"KAFKA_SASL_SECRET_ARN is no ARN of a secret, expected arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME"#,
        ),
        (
            "SASL_SSL",
            "PLAIN",
            &[ARN],
            "AWS_SESSION_TOKEN is not set, expected what Lambda sets, since KAFKA_SASL_SECRET_ARN is",
        ),
        // IAM.
        (
            "SASL_PLAINTEXT",
            "AWS_MSK_IAM",
            &KEYS,
            r#"KAFKA_SECURITY_PROTOCOL is "SASL_PLAINTEXT", expected SASL_SSL, since KAFKA_SASL_MECHANISM is AWS_MSK_IAM"#,
        ),
        (
            "SASL_SSL",
            "AWS_MSK_IAM",
            &USER,
            "KAFKA_SASL_USERNAME is set, expected no value, since KAFKA_SASL_MECHANISM is AWS_MSK_IAM",
        ),
        (
            "SASL_SSL",
            "AWS_MSK_IAM",
            &[ARN],
            "KAFKA_SASL_SECRET_ARN is set, expected no value, since KAFKA_SASL_MECHANISM is AWS_MSK_IAM",
        ),
        (
            "SASL_SSL",
            "AWS_MSK_IAM",
            &KEYS,
            "AWS_REGION is not set, expected the cluster's region, which KAFKA_BROKERS does not name",
        ),
        (
            "SASL_SSL",
            "AWS_MSK_IAM",
            &[("AWS_REGION", "x/y")],
            r#"AWS_REGION is "x/y", expected the cluster's region, which KAFKA_BROKERS does not name"#,
        ),
        (
            "SASL_SSL",
            "AWS_MSK_IAM",
            &[REGION],
            "AWS_ACCESS_KEY_ID is not set, expected AWS credentials, or AWS_CONTAINER_CREDENTIALS_FULL_URI instead",
        ),
        (
            "SASL_SSL",
            "AWS_MSK_IAM",
            &[REGION, key],
            "AWS_ACCESS_KEY_ID is not set, expected AWS credentials, or AWS_CONTAINER_CREDENTIALS_FULL_URI instead",
        ),
        (
            "SASL_SSL",
            "AWS_MSK_IAM",
            &[REGION, id],
            "AWS_SECRET_ACCESS_KEY is not set, expected the key of AWS_ACCESS_KEY_ID",
        ),
        // An authority that is of no use.
        (
            "",
            "",
            &[CA],
            "KAFKA_SSL_CA is set, expected no value, since KAFKA_SECURITY_PROTOCOL is PLAINTEXT",
        ),
        (
            "SASL_PLAINTEXT",
            "PLAIN",
            &[CA],
            "KAFKA_SSL_CA is set, expected no value, since KAFKA_SECURITY_PROTOCOL is SASL_PLAINTEXT",
        ),
        (
            "SSL",
            "",
            &[("KAFKA_SSL_CA", "/nowhere")],
            r#"KAFKA_SSL_CA is "/nowhere", which cannot be read (No such file or directory (os error 2)), expected certificates in PEM, or the path of a file with them"#,
        ),
    ] {
        assert_eq!(refused(protocol, mechanism, more), expected);
    }
}

#[test]
fn only_a_secret_needs_an_invocation() {
    let keys = [&KEYS[..], &[REGION]].concat();
    let check = |mechanism: &str, more: &[_]| {
        security("SASL_SSL", mechanism, more)
            .unwrap()
            .needs_invocation()
    };
    assert!(check("PLAIN", &[ARN, KEYS[2]]));
    assert!(!check("PLAIN", &USER));
    assert!(!check("AWS_MSK_IAM", &keys));
    assert!(!Security::default().needs_invocation());
}

#[tokio::test]
async fn forgetting_is_harmless_where_there_is_no_secret() {
    let security = security("SASL_SSL", "PLAIN", &USER).unwrap();
    security.forget();
    assert!(security.sasl().await.is_ok_and(|sasl| sasl.is_some()));
}

#[test]
fn what_helps_after_a_refusal_depends_on_where_the_credentials_are_from() {
    let keys = [&KEYS[..], &[REGION]].concat();
    let check =
        |mechanism: &str, more: &[_]| security("SASL_SSL", mechanism, more).unwrap().remedy();
    assert_eq!(check("PLAIN", &USER), Remedy::None);
    assert_eq!(check("SCRAM-SHA-512", &[ARN, KEYS[2]]), Remedy::Fetch);
    assert_eq!(check("AWS_MSK_IAM", &keys), Remedy::Time);
    assert_eq!(Security::default().remedy(), Remedy::None);
}
