//! The environment variables of a function's process.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>

use std::{net::SocketAddr, path::Path};

use super::Configuration;
pub(super) use crate::account::{ACCOUNT_ID, REGION};

/// Lambda's variables, then the user's, which win.
pub(super) fn variables(
    configuration: &Configuration,
    task_root: &Path,
    environment: u64,
    runtime_api: SocketAddr,
) -> Vec<(String, String)> {
    let name = &configuration.name;
    let own = [
        (
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
            configuration.memory_size.to_string(),
        ),
        ("AWS_LAMBDA_FUNCTION_NAME", name.clone()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}")),
        (
            "AWS_LAMBDA_LOG_STREAM_NAME",
            format!("[$LATEST]{environment:032x}"),
        ),
        ("AWS_LAMBDA_RUNTIME_API", runtime_api.to_string()),
        ("LAMBDA_TASK_ROOT", task_root.display().to_string()),
    ];
    let fixed = FIXED
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    let lambdas = fixed
        .chain(own)
        .chain(search_path().map(|path| ("PATH", path)));
    lambdas
        .map(|(name, value)| (name.to_owned(), value))
        .chain(configuration.environment.iter().cloned())
        .collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one variable of its own that the simulator hands on"
)]
fn search_path() -> Option<String> {
    std::env::var("PATH").ok()
}

const FIXED: &[(&str, &str)] = &[
    ("AWS_ACCESS_KEY_ID", "sluice"),
    ("AWS_DEFAULT_REGION", REGION),
    ("AWS_EC2_METADATA_DISABLED", "true"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
    ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
    ("AWS_REGION", REGION),
    ("AWS_SECRET_ACCESS_KEY", "sluice"),
    ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR"),
    ("LANG", "en_US.UTF-8"),
    ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
    ("TZ", ":UTC"),
    ("_HANDLER", "bootstrap"),
];

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, time::Duration};

    use super::*;

    #[test]
    fn the_users_variables_win_over_lambdas() {
        let configuration = Configuration {
            name: "message".into(),
            executable: "/bin/true".into(),
            timeout: Duration::from_secs(1),
            memory_size: 256,
            reserved_concurrent_executions: None,
            environment: vec![
                ("AWS_REGION".into(), "eu-west-1".into()),
                ("A".into(), "1".into()),
            ],
        };
        let address = SocketAddr::from(([127, 0, 0, 1], 9001));
        let variables: HashMap<_, _> =
            variables(&configuration, Path::new("/var/task"), 7, address)
                .into_iter()
                .collect();
        assert_eq!(variables["AWS_REGION"], "eu-west-1");
        assert_eq!(variables["A"], "1");
        assert_eq!(variables["AWS_LAMBDA_FUNCTION_NAME"], "message");
        assert_eq!(variables["AWS_LAMBDA_RUNTIME_API"], "127.0.0.1:9001");
        assert_eq!(variables["LAMBDA_TASK_ROOT"], "/var/task");
    }
}
