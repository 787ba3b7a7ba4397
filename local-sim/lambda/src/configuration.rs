//! The configuration of functions.

use std::{path::PathBuf, time::Duration};

use super::platform::Format;

/// The configuration of one function.
#[derive(Debug)]
pub struct Configuration {
    /// The name in the contract.
    pub name: String,
    /// The executable: `bootstrap` on Lambda.
    pub executable: PathBuf,
    /// The timeout of an invocation.
    pub timeout: Duration,
    /// Memory in megabytes. Passed to the function, but not enforced.
    pub memory_size: u32,
    /// Maximum concurrent invocations, reserved for this function.
    pub reserved_concurrent_executions: Option<u32>,
    /// Concurrent invocations per process; set only for a Managed Instance.
    pub max_concurrency: Option<u32>,
    /// The user's environment variables, which override Lambda's.
    pub environment: Vec<(String, String)>,
}

/// Settings for all functions.
#[derive(Debug)]
pub struct Settings {
    /// Maximum concurrent invocations of all functions together.
    pub account_concurrency: usize,
    /// How long an invocation waits for another one to finish before it starts an environment.
    ///
    /// Applies only if there are some environments already: many busy processes slow down a small
    /// machine.
    pub scale_after: Duration,
    /// An environment that is idle for this long is ended.
    pub reap_after: Duration,
}

#[cfg(test)]
impl Settings {
    /// Settings for tests: one invocation at a time.
    pub(super) fn sample() -> Self {
        Self {
            account_concurrency: 1,
            scale_after: Duration::ZERO,
            reap_after: Duration::from_hours(1),
        }
    }
}

impl Configuration {
    /// Concurrent invocations per environment.
    pub(super) fn slots(&self) -> usize {
        self.max_concurrency.map_or(1, |count| count as usize)
    }

    /// The value of `AWS_LAMBDA_INITIALIZATION_TYPE`.
    pub(super) fn initialization_type(&self) -> &'static str {
        match self.max_concurrency {
            Some(_) => "lambda-managed-instances",
            None => "on-demand",
        }
    }

    /// Timeout for the first poll of a process.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>
    pub(super) fn init_max(&self) -> Duration {
        match self.max_concurrency {
            Some(_) => self.timeout.max(MANAGED_INIT_MAX),
            None => INIT_MAX,
        }
    }

    /// The format that the user's `AWS_LAMBDA_LOG_FORMAT` sets; text by default.
    pub(super) fn log_format(&self) -> Format {
        let mut variables = self.environment.iter().rev();
        match variables.find(|(name, _)| name == "AWS_LAMBDA_LOG_FORMAT") {
            Some((_, format)) if format.eq_ignore_ascii_case("json") => Format::Json,
            _ => Format::Text,
        }
    }
}

#[cfg(test)]
impl Configuration {
    /// A configuration for tests.
    pub(super) fn example() -> Self {
        Self {
            name: "message".to_owned(),
            executable: "/bin/true".into(),
            timeout: Duration::from_secs(1),
            memory_size: 256,
            reserved_concurrent_executions: None,
            max_concurrency: None,
            environment: Vec::new(),
        }
    }
}

/// Init timeout.
const INIT_MAX: Duration = Duration::from_secs(10);
/// Init timeout on Managed Instances, unless the function's timeout is longer.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-execution-environment.html>
const MANAGED_INIT_MAX: Duration = Duration::from_secs(130);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_log_format_variable_wins() {
        let check = |formats: &[&str]| {
            let variable =
                |format: &&str| ("AWS_LAMBDA_LOG_FORMAT".to_owned(), (*format).to_owned());
            let configuration = Configuration {
                environment: formats.iter().map(variable).collect(),
                ..Configuration::example()
            };
            configuration.log_format()
        };
        assert_eq!(check(&[]), Format::Text);
        assert_eq!(check(&["JSON"]), Format::Json);
        assert_eq!(check(&["JSON", "Text"]), Format::Text);
    }
}
