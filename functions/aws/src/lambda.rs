//! What Lambda tells every function, and a function that it does not run.

use thiserror::Error;

/// The variables that `lambda_runtime` panics without, or with blanks in them.
const RUNTIME: [&str; 2] = ["AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_FUNCTION_VERSION"];
const MEMORY_SIZE: &str = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE";
const FUNCTION_NAME: &str = "AWS_LAMBDA_FUNCTION_NAME";

/// The function's name, `AWS_LAMBDA_FUNCTION_NAME`, where everything is there
/// that the runtime needs.
///
/// # Errors
/// The first variable that is missing or cannot be used.
pub fn function_name(lookup: impl Fn(&str) -> Option<String>) -> Result<String, NotInLambda> {
    let set = |name| lookup(name).filter(|value| !value.is_empty());
    for name in RUNTIME {
        set(name)
            .filter(|value| value.bytes().all(|byte| byte.is_ascii_graphic()))
            .ok_or(NotInLambda(name))?;
    }
    set(MEMORY_SIZE)
        .and_then(|size| size.parse::<i32>().ok())
        .ok_or(NotInLambda(MEMORY_SIZE))?;
    set(FUNCTION_NAME).ok_or(NotInLambda(FUNCTION_NAME))
}

/// A variable is missing that Lambda, or a simulator of it, always sets.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0} is missing or invalid: this program is started by Lambda, or by local-sim")]
pub struct NotInLambda(pub &'static str);

/// Checks that every variable of the process is text, so that [`variable`]
/// misses none.
///
/// # Errors
/// The first variable that is not.
pub fn require_text() -> Result<(), NotText> {
    match std::env::vars_os().find(|(_, value)| value.to_str().is_none()) {
        Some((name, _)) => Err(NotText(name.to_string_lossy().into_owned())),
        None => Ok(()),
    }
}

/// A variable holds bytes that are no text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0} is not UTF-8, expected text")]
pub struct NotText(pub String);

/// A variable of the process.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the environment"
)]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(wrong: &str, value: &str) -> String {
        let lookup = |name: &str| {
            let found = match name {
                _ if name == wrong => value,
                "AWS_LAMBDA_RUNTIME_API" => "127.0.0.1:9001",
                "AWS_LAMBDA_FUNCTION_VERSION" => "$LATEST",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE" => "256",
                "AWS_LAMBDA_FUNCTION_NAME" => "message",
                _ => return None,
            };
            Some(found.to_owned())
        };
        function_name(lookup).unwrap_or_else(|NotInLambda(name)| name.to_owned())
    }

    #[test]
    fn the_function_has_a_name_where_the_runtime_has_all_that_it_needs() {
        assert_eq!(check("", ""), "message");
    }

    #[test]
    fn a_variable_that_is_missing_or_wrong_is_named() {
        for (name, value) in [
            ("AWS_LAMBDA_RUNTIME_API", ""),
            ("AWS_LAMBDA_RUNTIME_API", "not an address"),
            ("AWS_LAMBDA_FUNCTION_VERSION", ""),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "much"),
            ("AWS_LAMBDA_FUNCTION_NAME", ""),
        ] {
            assert_eq!(check(name, value), name);
        }
    }
}
