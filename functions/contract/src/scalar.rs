//! How YAML parsers interpret an unquoted scalar.

/// The type of an unquoted scalar.
///
/// YAML 1.1 and 1.2 disagree about many words, and Terraform's `yamldecode` follows neither
/// exactly (zclconf/go-cty-yaml, `resolve.go`). A scalar is [`Plain::Text`] only if all of them
/// read a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plain {
    Null,
    Boolean,
    Number,
    Date,
    Text,
}

impl Plain {
    pub(crate) fn of(text: &str) -> Self {
        if NULLS.contains(&text) {
            Self::Null
        } else if BOOLEANS.contains(&text) {
            Self::Boolean
        } else if is_number(text) {
            Self::Number
        } else if is_date(text) {
            Self::Date
        } else {
            Self::Text
        }
    }

    /// The type's name with an article, for errors.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Null => "a null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::Date => "a date",
            Self::Text => "a string",
        }
    }
}

fn is_number(text: &str) -> bool {
    let text = text.replace('_', "");
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(&text);
    match unsigned.get(..2) {
        Some("0x" | "0X") => are_digits(&unsigned[2..], 16),
        Some("0o" | "0O") => are_digits(&unsigned[2..], 8),
        Some("0b" | "0B") => are_digits(&unsigned[2..], 2),
        _ => NOT_FINITE.contains(&unsigned) || is_decimal(unsigned) || is_base_60(unsigned),
    }
}

/// `12`, `1.5`, `.5`, `1.`, `1e3`, and Go's binary exponent `1p3`.
fn is_decimal(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E', 'p', 'P']) {
        Some((mantissa, exponent)) => (
            mantissa,
            exponent.strip_prefix(['-', '+']).unwrap_or(exponent),
        ),
        None => (text, "0"),
    };
    are_digits(&mantissa.replacen('.', "", 1), 10) && are_digits(exponent, 10)
}

/// `1:30` is 90 in YAML 1.1.
fn is_base_60(text: &str) -> bool {
    text.contains(':')
        && text
            .split(':')
            .all(|digits| are_digits(&digits.replacen('.', "", 1), 10))
}

/// `2026-01-31`, alone or before a time of day.
fn is_date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let (Some(year), Some(month), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let day = rest.split(['T', 't', ' ', '\t']).next().unwrap_or(rest);
    let fits = |digits: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&digits.len()) && are_digits(digits, 10)
    };
    fits(year, 4..=4) && fits(month, 1..=2) && fits(day, 1..=2)
}

fn are_digits(text: &str, radix: u32) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_digit(radix))
}

const NULLS: &[&str] = &["", "~", "null", "Null", "NULL"];

const BOOLEANS: &[&str] = &[
    "y", "Y", "yes", "Yes", "YES", "n", "N", "no", "No", "NO", //
    "true", "True", "TRUE", "false", "False", "FALSE", //
    "on", "On", "ON", "off", "Off", "OFF",
];

const NOT_FINITE: &[&str] = &[".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"];

#[cfg(test)]
mod tests {
    use super::Plain;

    #[track_caller]
    fn check(texts: &[&str], expected: Plain) {
        for text in texts {
            assert_eq!(Plain::of(text), expected, "{text}");
        }
    }

    #[test]
    fn nulls_and_booleans_of_any_yaml_version_are_not_text() {
        check(&["", "~", "null", "NULL"], Plain::Null);
        check(
            &["true", "False", "yes", "NO", "on", "Off", "y", "N"],
            Plain::Boolean,
        );
    }

    #[test]
    fn numbers_and_dates_of_any_yaml_version_are_not_text() {
        check(
            &["5", "-5", "+5", "1.5", ".5", "1.", "1e3", "-1.5E-3"],
            Plain::Number,
        );
        check(
            &["0x1F", "0o17", "017", "0b101", "1_000", "1:30", "1p3"],
            Plain::Number,
        );
        check(&[".inf", "-.INF", ".NaN"], Plain::Number);
        check(
            &["2026-01-31", "2026-1-3", "2026-01-31T10:00:00Z"],
            Plain::Date,
        );
    }

    #[test]
    fn everything_else_is_text() {
        check(
            &[
                "chat", "$default", "nO", "tRue", "nul", "Y2", "0xg", "1.2.3",
            ],
            Plain::Text,
        );
        check(
            &["e5", "5e", "1:x", ":", ".", "-", "é5", "0é", "10-2026-1"],
            Plain::Text,
        );
    }
}
