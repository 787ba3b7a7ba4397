//! The section `functions`: how Lambda runs a function.

use std::{collections::BTreeMap, time::Duration};

use crate::{error::DocumentError, node::Node};

/// The settings of one function, named as in Lambda's API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Lambda stops an invocation that takes longer.
    pub timeout: Duration,
    /// Memory in megabytes.
    pub memory_size: u32,
    /// Concurrent invocations, at most; 0 throttles every invocation.
    pub reserved_concurrent_executions: Option<u32>,
    /// Concurrent invocations per environment, at most (Managed Instances).
    pub max_concurrency: Option<u32>,
    /// Environment variables, in addition to those that Lambda sets.
    pub environment: BTreeMap<String, String>,
}

impl Default for Function {
    fn default() -> Self {
        Self {
            timeout: TIMEOUT_DEFAULT,
            memory_size: MEMORY_MB_DEFAULT,
            reserved_concurrent_executions: None,
            max_concurrency: None,
            environment: BTreeMap::new(),
        }
    }
}

impl Function {
    pub(crate) fn read(node: &Node) -> Result<Self, DocumentError> {
        let fields = node.fields(&[
            "timeout",
            "memorySize",
            "reservedConcurrentExecutions",
            "maxConcurrency",
            "environment",
        ])?;
        Ok(Self {
            timeout: fields
                .optional("timeout", timeout)?
                .unwrap_or(TIMEOUT_DEFAULT),
            memory_size: fields
                .optional("memorySize", |node| {
                    node.whole(MEMORY_MB_MIN..=MEMORY_MB_MAX, "a whole number of megabytes")
                })?
                .unwrap_or(MEMORY_MB_DEFAULT),
            reserved_concurrent_executions: fields
                .optional("reservedConcurrentExecutions", |node| {
                    node.whole(0..=RESERVED_MAX, "a whole number of invocations")
                })?,
            max_concurrency: fields.optional("maxConcurrency", |node| {
                node.whole(1..=MAX_CONCURRENCY_MAX, "a whole number of invocations")
            })?,
            environment: fields
                .optional("environment", environment)?
                .unwrap_or_default(),
        })
    }
}

fn timeout(node: &Node) -> Result<Duration, DocumentError> {
    let seconds = node.whole(1..=TIMEOUT_SECONDS_MAX, "a whole number of seconds")?;
    Ok(Duration::from_secs(seconds.into()))
}

fn environment(node: &Node) -> Result<BTreeMap<String, String>, DocumentError> {
    let mut environment = BTreeMap::new();
    let mut bytes = 0;
    for (name, value) in node.entries("a mapping of environment variables")? {
        if !is_variable(name) {
            let expected = "a letter, then one or more letters, digits or `_`";
            return Err(value.refuse("invalid name of an environment variable", expected));
        }
        if RESERVED.contains(&name.as_str()) {
            let problem = "Lambda reserves this environment variable";
            return Err(value.reject(problem, "use another name"));
        }
        let text = value.text_that(
            |text| !text.contains('\0'),
            "a string without NUL characters",
        )?;
        bytes += name.len() + text.len();
        environment.insert(name.clone(), text);
    }
    if bytes > ENVIRONMENT_BYTES_MAX {
        let problem = format!("names and values have {bytes} bytes in total");
        let expected = format!("at most {ENVIRONMENT_BYTES_MAX}");
        return Err(node.refuse(&problem, &expected));
    }
    Ok(environment)
}

fn is_variable(name: &str) -> bool {
    name.len() >= 2
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Shorter than an integration's 29 s, so that the function's timeout fires first.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
/// Lambda's timeout limit. <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const TIMEOUT_SECONDS_MAX: u32 = 900;

/// Twice Lambda's default: the CPU share grows with memory, which shortens cold starts.
const MEMORY_MB_DEFAULT: u32 = 256;
/// Lambda's memory limits.
const MEMORY_MB_MIN: u32 = 128;
const MEMORY_MB_MAX: u32 = 10_240;

/// Far above any account's quota (1,000 unless raised); catches typos.
const RESERVED_MAX: u32 = 1_000_000;

/// Lambda's limit of `PerExecutionEnvironmentMaxConcurrency`.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_LambdaManagedInstancesCapacityProviderConfig.html>
const MAX_CONCURRENCY_MAX: u32 = 1600;

/// Lambda's limit for all environment variables of a function together.
const ENVIRONMENT_BYTES_MAX: usize = 4096;

/// The environment variables that Lambda reserves.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>
const RESERVED: &[&str] = &[
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_MAX_CONCURRENCY",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];
