//! Environment variables, each found, required or refused by name.

use std::fmt;

use thiserror::Error;

/// The environment, as a function from a name to a value.
#[derive(Clone, Copy)]
pub struct Variables<'a>(pub &'a dyn Fn(&str) -> Option<String>);

impl fmt::Debug for Variables<'_> {
    /// Some of them are secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Variables(..)")
    }
}

impl Variables<'_> {
    /// The value of a variable; an empty one is unset.
    pub fn find(&self, name: &str) -> Option<String> {
        self.0(name).filter(|value| !value.is_empty())
    }

    /// The value of a variable that has to be there.
    ///
    /// # Errors
    /// It is not set.
    pub fn require(&self, variable: &'static str, expected: &str) -> Result<String, SettingsError> {
        self.find(variable)
            .ok_or_else(|| SettingsError::new(variable, "not set", expected))
    }

    /// What the value of a variable stands for among `words`.
    ///
    /// # Errors
    /// It is none of them.
    pub fn word<T: Copy>(
        &self,
        variable: &'static str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, SettingsError> {
        let Some(found) = self.find(variable) else {
            return Ok(None);
        };
        match words.iter().find(|(word, _)| *word == found) {
            Some((_, meaning)) => Ok(Some(*meaning)),
            None => Err(SettingsError::quoting(variable, &found, &one_of(words))),
        }
    }

    /// Refuses the variables that have no meaning here. Their values may be
    /// secret, and are not shown.
    ///
    /// # Errors
    /// One of them is set.
    pub fn none_of(&self, variables: &[&'static str], because: &str) -> Result<(), SettingsError> {
        match variables.iter().find(|name| self.find(name).is_some()) {
            Some(variable) => Err(SettingsError::new(
                variable,
                "set",
                &format!("no value, since {because}"),
            )),
            None => Ok(()),
        }
    }
}

/// `A, B or C`.
pub fn one_of<T>(words: &[(&str, T)]) -> String {
    let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

/// A variable that is missing or cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{variable} is {found}, expected {expected}")]
pub struct SettingsError {
    /// The variable's name.
    pub variable: &'static str,
    /// What it holds, in quotes, or a word for it; never a secret.
    pub found: String,
    /// What it may hold.
    pub expected: String,
}

impl SettingsError {
    /// An error that says of the value what `found` says.
    pub fn new(variable: &'static str, found: impl Into<String>, expected: &str) -> Self {
        Self {
            variable,
            found: found.into(),
            expected: expected.to_owned(),
        }
    }

    /// An error that shows the value. Not for secrets.
    pub fn quoting(variable: &'static str, value: &str, expected: &str) -> Self {
        Self::new(variable, format!("{value:?}"), expected)
    }
}
