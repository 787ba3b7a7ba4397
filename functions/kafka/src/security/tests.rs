//! Valid combinations of variables, and the errors of invalid ones.

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

/// Reads settings with this protocol and mechanism, if not empty, and more variables.
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

/// The client's configuration: whether to use TLS, and how to authenticate.
async fn accepted(protocol: &str, mechanism: &str, more: &[(&str, &str)]) -> (bool, String) {
    let security = security(protocol, mechanism, more).expect("valid settings");
    assert!(!format!("{security:?}").contains("hunter2"), "{security:?}");
    let sasl = security.sasl().await.expect("credentials");
    let sasl = match sasl {
        None => String::new(),
        Some(SaslConfig::Plain(login)) => format!("plain {} {}", login.username, login.password),
        Some(SaslConfig::ScramSha256(login)) => {
            format!("256 {} {}", login.username, login.password)
        }
        Some(SaslConfig::ScramSha512(login)) => {
            format!("512 {} {}", login.username, login.password)
        }
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

fn error(protocol: &str, mechanism: &str, more: &[(&str, &str)]) -> String {
    let error = security(protocol, mechanism, more).expect_err("invalid settings");
    assert!(
        !format!("{error:?} {error}").contains("hunter2"),
        "{error:?}"
    );
    error.to_string()
}

#[test]
fn an_invalid_combination_is_an_error_that_names_the_variable() {
    let [user, password] = USER;
    let [id, key, token] = KEYS;
    for (protocol, mechanism, more, expected) in [
        // Unknown values.
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
            "KAFKA_SASL_USERNAME is not set, expected a user name (or set KAFKA_SASL_SECRET_ARN instead)",
        ),
        (
            "SASL_SSL",
            "PLAIN",
            &[password],
            "KAFKA_SASL_USERNAME is not set, expected a user name (or set KAFKA_SASL_SECRET_ARN instead)",
        ),
        (
            "SASL_SSL",
            "SCRAM-SHA-512",
            &[user],
            "KAFKA_SASL_PASSWORD is not set, expected the password of KAFKA_SASL_USERNAME",
        ),
        // A secret together with a user name or password, and invalid secrets.
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
            r#"KAFKA_SASL_SECRET_ARN is not the ARN of a secret, expected arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME"#,
        ),
        (
            "SASL_SSL",
            "PLAIN",
            &[ARN],
            "AWS_SESSION_TOKEN is not set, expected Lambda's session token (needed because KAFKA_SASL_SECRET_ARN is set)",
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
            "AWS_REGION is not set, expected the cluster's region (needed because it cannot be derived from KAFKA_BROKERS)",
        ),
        (
            "SASL_SSL",
            "AWS_MSK_IAM",
            &[("AWS_REGION", "x/y")],
            r#"AWS_REGION is "x/y", expected the cluster's region (needed because it cannot be derived from KAFKA_BROKERS)"#,
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
        // Certificate authorities without TLS, and unreadable ones.
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
            r#"KAFKA_SSL_CA is "/nowhere", which cannot be read (No such file or directory (os error 2)), expected PEM certificates or the path of a PEM file"#,
        ),
    ] {
        assert_eq!(error(protocol, mechanism, more), expected);
    }
}

#[test]
fn only_a_secret_is_fetched_during_invocations_only() {
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
async fn forget_keeps_credentials_from_the_environment() {
    let security = security("SASL_SSL", "PLAIN", &USER).unwrap();
    security.forget();
    assert!(security.sasl().await.is_ok_and(|sasl| sasl.is_some()));
}

#[test]
fn the_remedy_depends_on_the_source_of_the_credentials() {
    let keys = [&KEYS[..], &[REGION]].concat();
    let check =
        |mechanism: &str, more: &[_]| security("SASL_SSL", mechanism, more).unwrap().remedy();
    assert_eq!(check("PLAIN", &USER), Remedy::None);
    assert_eq!(check("SCRAM-SHA-512", &[ARN, KEYS[2]]), Remedy::Fetch);
    assert_eq!(check("AWS_MSK_IAM", &keys), Remedy::Time);
    assert_eq!(Security::default().remedy(), Remedy::None);
}
