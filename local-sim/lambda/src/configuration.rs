//! What there is to know of functions before they run.

use std::{path::PathBuf, time::Duration};

use super::platform::Format;

/// One function.
#[derive(Debug)]
pub struct Configuration {
    /// As the contract names it.
    pub name: String,
    /// The program: Lambda's `bootstrap`.
    pub executable: PathBuf,
    /// How long an invocation may take.
    pub timeout: Duration,
    /// Megabytes. The function is told; nothing is enforced.
    pub memory_size: u32,
    /// How many invocations may be under way.
    pub reserved_concurrent_executions: Option<u32>,
    /// How many of them one process takes at once, on a Managed Instance.
    pub max_concurrency: Option<u32>,
    /// The user's variables, which win over Lambda's own.
    pub environment: Vec<(String, String)>,
}

/// What holds for all functions.
#[derive(Debug)]
pub struct Settings {
    /// Invocations that may be under way.
    pub account_concurrency: usize,
    /// How long an invocation waits for another to be done before an environment is started for it, where there
    /// are some already: many busy processes make a small machine slow.
    pub scale_after: Duration,
    /// An environment that is idle for so long is ended.
    pub reap_after: Duration,
}

#[cfg(test)]
impl Settings {
    /// For tests: one invocation at a time.
    pub(super) fn sample() -> Self {
        Self {
            account_concurrency: 1,
            scale_after: Duration::ZERO,
            reap_after: Duration::from_hours(1),
        }
    }
}

impl Configuration {
    /// Invocations that one environment takes at once.
    pub(super) fn slots(&self) -> usize {
        self.max_concurrency.map_or(1, |count| count as usize)
    }

    /// `AWS_LAMBDA_INITIALIZATION_TYPE`.
    pub(super) fn initialization_type(&self) -> &'static str {
        match self.max_concurrency {
            Some(_) => "lambda-managed-instances",
            None => "on-demand",
        }
    }

    /// A process has this long to poll for the first time.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>
    pub(super) fn init_max(&self) -> Duration {
        match self.max_concurrency {
            Some(_) => self.timeout.max(MANAGED_INIT_MAX),
            None => INIT_MAX,
        }
    }

    /// What the user's `AWS_LAMBDA_LOG_FORMAT` says; text where it does not.
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
    /// A function for tests.
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

/// Init, before the first invocation.
const INIT_MAX: Duration = Duration::from_secs(10);
/// The same on Managed Instances.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-execution-environment.html>
const MANAGED_INIT_MAX: Duration = Duration::from_secs(130);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_format_is_that_of_the_last_variable() {
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
