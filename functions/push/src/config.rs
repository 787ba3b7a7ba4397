//! The configuration, read from environment variables.

use hyper::Uri;
use sluice_aws::{
    AwsCredentialsSource, NotInLambda, NotText, SettingsError, Variables, function_name,
    has_usable_port, require_text, variable,
};
use thiserror::Error;

/// The variable with the URL of the gateway's stage.
const CALLBACK_URL: &str = "CALLBACK_URL";
/// The variable with the region that requests are signed for.
const REGION: &str = "AWS_REGION";

/// The function's configuration.
#[derive(Debug)]
pub struct Config {
    /// `AWS_LAMBDA_FUNCTION_NAME`, for the log.
    pub function: String,
    /// `CALLBACK_URL`: the URL of the connections' stage, without a trailing slash.
    pub callback_url: String,
    /// `AWS_REGION`: the API's region.
    pub region: String,
    /// The credentials that sign requests: `AWS_ACCESS_KEY_ID` etc. or a container's endpoint.
    pub credentials: AwsCredentialsSource,
}

impl Config {
    /// Reads the process's environment variables.
    ///
    /// # Errors
    /// A variable is missing or invalid. The error names the first such variable.
    pub fn from_env() -> Result<Self, ConfigError> {
        require_text()?;
        Self::from_lookup(variable)
    }

    /// Reads the configuration. `lookup` returns the value of a variable by its name.
    ///
    /// # Errors
    /// A variable is missing or invalid. The error names the first such variable.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let variables = Variables(&lookup);
        Ok(Self {
            function: function_name(&lookup)?,
            callback_url: callback_url(&variables)?,
            region: variables.require(REGION, "the region of the API")?,
            credentials: AwsCredentialsSource::from_variables(&variables)?,
        })
    }
}

/// A variable is missing or invalid.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// The process does not run in Lambda.
    #[error(transparent)]
    NotInLambda(#[from] NotInLambda),
    /// A variable is not valid Unicode.
    #[error(transparent)]
    NotText(#[from] NotText),
    /// A variable of this function is missing or invalid.
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

fn callback_url(variables: &Variables<'_>) -> Result<String, SettingsError> {
    let url = variables.require(CALLBACK_URL, EXPECTED)?;
    if is_callback_url(&url) {
        return Ok(url.trim_end_matches('/').to_owned());
    }
    let found = match may_have_password(&url) {
        true => "invalid (value not shown because it may contain a password)".to_owned(),
        false => format!("{url:?}"),
    };
    Err(SettingsError::new(CALLBACK_URL, found, EXPECTED))
}

fn may_have_password(url: &str) -> bool {
    match Uri::try_from(url) {
        Ok(uri) => uri.authority().is_some_and(|it| it.as_str().contains('@')),
        Err(_) => url.contains('@'),
    }
}

const EXPECTED: &str = "the stage's URL, such as https://API.execute-api.REGION.amazonaws.com/STAGE, without /@connections";

fn is_callback_url(url: &str) -> bool {
    let Ok(uri) = Uri::try_from(url) else {
        return false;
    };
    matches!(uri.scheme_str(), Some("http" | "https"))
        && uri.host().is_some_and(|host| !host.is_empty())
        && has_usable_port(&uri)
        && uri.query().is_none()
        && !url.contains(['#', '@'])
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAMBDA: [(&str, &str); 8] = [
        ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"),
        ("AWS_LAMBDA_FUNCTION_NAME", "push"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        (CALLBACK_URL, "http://localhost/dev"),
        (REGION, "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2"),
    ];

    /// Reads Lambda's environment with this variable set to `value`.
    fn check(name: &str, value: &str) -> Result<Config, String> {
        Config::from_lookup(|found| {
            let variable = LAMBDA.iter().find(|(name, _)| *name == found)?;
            let value = if found == name { value } else { variable.1 };
            Some(value.to_owned())
        })
        .map_err(|error| error.to_string())
    }

    fn url(url: &str) -> Result<String, String> {
        check(CALLBACK_URL, url).map(|config| config.callback_url)
    }

    #[test]
    fn the_callback_url_may_be_of_a_stage_or_of_a_custom_domain() {
        for good in [
            "https://abcdef123.execute-api.eu-central-1.amazonaws.com/prod",
            "https://ws.example.com",
            "https://ws.example.com/chat",
            "http://127.0.0.1:3001/dev",
            "http://[::1]:3001/dev",
        ] {
            assert_eq!(url(good), Ok(good.to_owned()));
            assert_eq!(url(&format!("{good}/")), Ok(good.to_owned()));
        }
    }

    #[test]
    fn any_other_callback_url_is_an_error() {
        for bad in [
            "wss://ws.example.com",
            "ws.example.com/prod",
            "https://",
            "https:///prod",
            "https://ws.example.com/a?b=c",
            "https://ws.example.com/a#b",
            "https://ws.example.com/prod/@connections",
            "https://ws.example.com/a b",
            "http://127.0.0.1:65536/dev",
            "http://localhost:/dev",
            "http://localhost:x/dev",
            "http://[::1]:65536/dev",
            "http://localhost:0/dev",
        ] {
            assert_eq!(
                url(bad),
                Err(format!("CALLBACK_URL is {bad:?}, expected {EXPECTED}"))
            );
        }
        for secret in [
            "https://user:hunter2@ws.example.com/prod",
            "https://user:hunter2@ws.example.com/prod/@connections",
            "https://user:hunter 2@ws.example.com/prod",
        ] {
            assert_eq!(
                url(secret),
                Err(format!(
                    "CALLBACK_URL is invalid (value not shown because it may contain a password), expected {EXPECTED}"
                ))
            );
        }
    }

    #[test]
    fn a_missing_variable_is_named() {
        for (name, _) in LAMBDA {
            let error = check(name, "").expect_err(name);
            assert!(error.starts_with(name), "{error}");
        }
    }
}
