//! The environment variables of a function's process.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>

use std::net::SocketAddr;

use chrono::Utc;

use super::{
    account::{ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY},
    configuration::Configuration,
    platform::Format,
    sandbox_dir::SandboxDir,
};

/// Returns Lambda's variables, then the user's, which override them.
///
/// `TMPDIR` is an addition: on Lambda each environment has its own `/tmp`.
pub(super) fn variables(
    configuration: &Configuration,
    sandbox: &SandboxDir,
    instance: &str,
    runtime_api: SocketAddr,
) -> Vec<(String, String)> {
    let name = &configuration.name;
    let task = sandbox.task().display().to_string();
    let date = Utc::now().format("%Y/%m/%d");
    let own = [
        (
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
            configuration.memory_size.to_string(),
        ),
        ("AWS_LAMBDA_FUNCTION_NAME", name.clone()),
        (
            "AWS_LAMBDA_INITIALIZATION_TYPE",
            configuration.initialization_type().to_owned(),
        ),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}")),
        (
            "AWS_LAMBDA_LOG_STREAM_NAME",
            format!("{date}/[$LATEST]{instance}"),
        ),
        ("AWS_LAMBDA_RUNTIME_API", runtime_api.to_string()),
        ("LAMBDA_TASK_ROOT", task.clone()),
        ("LD_LIBRARY_PATH", format!("{task}:{task}/lib:/opt/lib")),
        ("TMPDIR", sandbox.temporary().display().to_string()),
    ];
    let log_level = (configuration.log_format() == Format::Json)
        .then(|| ("AWS_LAMBDA_LOG_LEVEL", "INFO".to_owned()));
    let max_concurrency = configuration
        .max_concurrency
        .map(|count| ("AWS_LAMBDA_MAX_CONCURRENCY", count.to_string()));
    let fixed = FIXED
        .iter()
        .chain(credentials(configuration))
        .map(|(name, value)| (*name, (*value).to_owned()));
    let lambdas = fixed
        .chain(own)
        .chain(max_concurrency)
        .chain(log_level)
        .chain(search_path().map(|path| ("PATH", path)));
    lambdas
        .map(|(name, value)| (name.to_owned(), value))
        .chain(configuration.environment.iter().cloned())
        .collect()
}

/// The simulator's credentials, or none if the user sets any: a mixture would be invalid.
fn credentials(configuration: &Configuration) -> &'static [(&'static str, &'static str)] {
    let is_credential = |name: &str| CREDENTIALS.iter().any(|(own, _)| *own == name);
    let mut set = configuration.environment.iter();
    if set.any(|(name, _)| is_credential(name)) {
        &[]
    } else {
        CREDENTIALS
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "PATH is the only variable passed on from the simulator"
)]
fn search_path() -> Option<String> {
    std::env::var("PATH").ok()
}

const FIXED: &[(&str, &str)] = &[
    ("AWS_DEFAULT_REGION", REGION),
    ("AWS_EC2_METADATA_DISABLED", "true"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
    ("AWS_LAMBDA_LOG_FORMAT", "Text"),
    ("AWS_REGION", REGION),
    ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR"),
    ("AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1:2000"),
    ("LANG", "en_US.UTF-8"),
    ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
    ("TZ", ":UTC"),
    ("_HANDLER", "bootstrap"),
];

const CREDENTIALS: &[(&str, &str)] = &[
    ("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID),
    ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY),
    ("AWS_SESSION_TOKEN", "sluice"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn check(max_concurrency: Option<u32>, given: &[(&str, &str)]) -> BTreeMap<String, String> {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join(crate::PACKAGE)).unwrap();
        let sandbox = SandboxDir::create(root.path(), "message-7").unwrap();
        let given = given
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let configuration = Configuration {
            max_concurrency,
            environment: given.collect(),
            ..Configuration::example()
        };
        let address = SocketAddr::from(([127, 0, 0, 1], 9001));
        variables(&configuration, &sandbox, "0af1", address)
            .into_iter()
            .collect()
    }

    #[test]
    fn the_users_variables_override_lambdas() {
        let variables = check(None, &[("AWS_REGION", "eu-west-1"), ("A", "1")]);
        assert_eq!(variables["AWS_REGION"], "eu-west-1");
        assert_eq!(variables["A"], "1");
        assert_eq!(variables["AWS_LAMBDA_FUNCTION_NAME"], "message");
        assert_eq!(variables["AWS_LAMBDA_RUNTIME_API"], "127.0.0.1:9001");
        assert!(variables["LAMBDA_TASK_ROOT"].ends_with("message-7/task"));
        assert!(variables["TMPDIR"].ends_with("message-7/tmp"));
        assert!(variables["AWS_LAMBDA_LOG_STREAM_NAME"].ends_with("/[$LATEST]0af1"));
    }

    #[test]
    fn only_a_managed_instance_gets_its_max_concurrency() {
        assert!(!check(None, &[]).contains_key("AWS_LAMBDA_MAX_CONCURRENCY"));
        let managed = check(Some(16), &[]);
        assert_eq!(managed["AWS_LAMBDA_MAX_CONCURRENCY"], "16");
        assert_eq!(
            managed["AWS_LAMBDA_INITIALIZATION_TYPE"],
            "lambda-managed-instances"
        );
    }

    #[test]
    fn the_log_level_is_set_only_for_json_logs() {
        let check = |given: &[(&str, &str)]| check(None, given).remove("AWS_LAMBDA_LOG_LEVEL");
        let json = ("AWS_LAMBDA_LOG_FORMAT", "JSON");
        assert_eq!(check(&[]), None);
        assert_eq!(check(&[json]).as_deref(), Some("INFO"));
        let debug = ("AWS_LAMBDA_LOG_LEVEL", "DEBUG");
        assert_eq!(check(&[debug, json]).as_deref(), Some("DEBUG"));
    }

    #[test]
    fn credentials_are_the_users_or_the_simulators_but_never_mixed() {
        assert_eq!(check(None, &[])["AWS_SESSION_TOKEN"], "sluice");
        let given = check(
            None,
            &[("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")],
        );
        assert_eq!(given["AWS_ACCESS_KEY_ID"], "a");
        assert!(!given.contains_key("AWS_SESSION_TOKEN"));
    }
}
