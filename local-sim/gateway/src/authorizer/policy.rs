//! Parses and evaluates the policy from an authorizer's response, as IAM does.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

/// A policy document.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Policy {
    #[serde(rename = "Version", default)]
    _version: Version,
    #[serde(rename = "Id", default)]
    _id: Option<String>,
    #[serde(deserialize_with = "statements")]
    statement: Vec<Statement>,
}

#[derive(Debug, Default, Deserialize)]
enum Version {
    #[default]
    #[serde(rename = "2012-10-17")]
    Current,
    #[serde(rename = "2008-10-17")]
    Old,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Statement {
    #[serde(rename = "Sid", default)]
    _sid: Option<String>,
    effect: Effect,
    #[serde(deserialize_with = "strings")]
    action: Vec<String>,
    #[serde(deserialize_with = "strings")]
    resource: Vec<String>,
    #[serde(rename = "Condition", default, deserialize_with = "no_condition")]
    _condition: (),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum Effect {
    Allow,
    Deny,
}

/// The result of evaluating a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    Allow,
    /// At least one statement denies access. Other statements may allow it.
    Deny,
    /// No statement applies.
    NoMatch,
}

impl Policy {
    /// Evaluates the policy for the route with this ARN.
    pub(crate) fn decide(&self, arn: &str) -> Decision {
        let has_matching = |effect| {
            self.statement
                .iter()
                .any(|statement| statement.effect == effect && statement.applies_to(arn))
        };
        if has_matching(Effect::Deny) {
            Decision::Deny
        } else if has_matching(Effect::Allow) {
            Decision::Allow
        } else {
            Decision::NoMatch
        }
    }

    /// All resources, for the log.
    pub(crate) fn resources(&self) -> String {
        let all: Vec<&str> = self
            .statement
            .iter()
            .flat_map(|statement| &statement.resource)
            .map(String::as_str)
            .collect();
        match all[..] {
            [] => "none".to_owned(),
            _ => all.join(", "),
        }
    }
}

impl Statement {
    /// Whether the statement covers invoking this ARN. Actions ignore case; resources do not.
    fn applies_to(&self, arn: &str) -> bool {
        let invoke = self
            .action
            .iter()
            .any(|action| matches(&action.to_ascii_lowercase(), INVOKE));
        invoke && self.resource.iter().any(|resource| matches(resource, arn))
    }
}

/// Whether a text matches a pattern. `*` matches any text and `?` any single character.
fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut read) = (0, 0);
    // Where to continue after a mismatch: the last `*` then matches one more character.
    let mut retry = None;
    while read < text.len() {
        match pattern.get(at) {
            Some('*') => {
                retry = Some((at + 1, read));
                at += 1;
            }
            Some(&c) if c == '?' || c == text[read] => {
                at += 1;
                read += 1;
            }
            _ => {
                let Some((after_star, taken)) = retry else {
                    return false;
                };
                retry = Some((after_star, taken + 1));
                (at, read) = (after_star, taken + 1);
            }
        }
    }
    pattern[at..].iter().all(|&c| c == '*')
}

/// A list that IAM also accepts as a single value.
fn one_or_many(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        one => vec![one],
    }
}

fn statements<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Statement>, D::Error> {
    one_or_many(Value::deserialize(deserializer)?)
        .into_iter()
        .map(|item| match item {
            Value::Object(_) => Statement::deserialize(item)
                .map_err(|error| D::Error::custom(format!("Statement: {error}"))),
            _ => Err(D::Error::custom("a Statement must be an object")),
        })
        .collect()
}

fn strings<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    one_or_many(Value::deserialize(deserializer)?)
        .into_iter()
        .map(|item| match item {
            Value::String(text) => Ok(text),
            other => Err(D::Error::custom(format!("{other} is not a string"))),
        })
        .collect()
}

/// Rejects conditions, which the simulator does not evaluate.
///
/// Ignoring a condition would change the meaning of the policy.
fn no_condition<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Object(conditions) if conditions.is_empty() => Ok(()),
        _ => Err(D::Error::custom("the simulator does not support Condition")),
    }
}

const INVOKE: &str = "execute-api:invoke";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const ARN: &str = "arn:aws:execute-api:us-east-1:123456789012:s1u1ce0sim/dev/$connect";

    fn decide(statement: &Value) -> Decision {
        let policy = json!({"Version": "2012-10-17", "Statement": statement});
        Policy::deserialize(policy).unwrap().decide(ARN)
    }

    fn check(effect: &str, action: &Value, resource: &Value) -> Decision {
        decide(&json!([{"Effect": effect, "Action": action, "Resource": resource}]))
    }

    fn resource(resource: &str) -> Decision {
        check("Allow", &json!("execute-api:Invoke"), &json!(resource))
    }

    #[test]
    fn a_resource_is_an_arn_or_a_pattern() {
        for allowed in [
            ARN,
            "*",
            "arn:aws:execute-api:us-east-1:123456789012:s1u1ce0sim/*",
            "arn:aws:execute-api:*:*:*/dev/$connect",
            "arn:aws:execute-api:us-east-?:123456789012:s1u1ce0sim/*/*",
            "arn:aws:*",
        ] {
            assert_eq!(resource(allowed), Decision::Allow, "{allowed}");
        }
        for other in [
            "",
            "arn:aws:execute-api:us-east-1:123456789012:s1u1ce0sim/dev/*/*",
            "arn:aws:execute-api:us-east-1:123456789012:s1u1ce0sim/dev",
            "arn:aws:execute-api:us-east-1:123456789012:s1u1ce0sim/prod/*",
            "arn:aws:execute-api:us-east-1:123456789012:s1u1ce0sim/dev/$CONNECT",
            "arn:aws:execute-api:us-east-1:123456789012:s1u1ce0sim/dev/?connect?",
        ] {
            assert_eq!(resource(other), Decision::NoMatch, "{other}");
        }
    }

    #[test]
    fn an_action_is_invoke_or_a_pattern_in_any_case() {
        let action = |action: &str| check("Allow", &json!(action), &json!("*"));
        for allowed in [
            "execute-api:Invoke",
            "execute-api:*",
            "*",
            "execute-API:invoke",
            "execute-api:Inv*",
        ] {
            assert_eq!(action(allowed), Decision::Allow, "{allowed}");
        }
        for other in ["execute-api:ManageConnections", "lambda:*", ""] {
            assert_eq!(action(other), Decision::NoMatch, "{other}");
        }
    }

    #[test]
    fn a_single_value_is_equivalent_to_a_list() {
        let (actions, resources) = (json!(["s3:Get", "execute-api:Invoke"]), json!(["a", ARN]));
        assert_eq!(check("Allow", &actions, &resources), Decision::Allow);
        let one =
            json!({"Sid": "a", "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {}});
        assert_eq!(decide(&one), Decision::Allow);
        assert_eq!(decide(&json!([])), Decision::NoMatch);
    }

    #[test]
    fn a_deny_statement_wins_regardless_of_its_position() {
        let allow = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
        let deny = json!({"Effect": "Deny", "Action": "*", "Resource": ARN});
        let elsewhere = json!({"Effect": "Deny", "Action": "*", "Resource": "arn:else"});
        assert_eq!(decide(&json!([allow, deny])), Decision::Deny);
        assert_eq!(decide(&json!([deny, allow])), Decision::Deny);
        assert_eq!(decide(&json!([elsewhere, allow])), Decision::Allow);
    }

    #[test]
    fn the_error_names_what_is_invalid_in_a_policy() {
        let error = |policy: Value| Policy::deserialize(policy).unwrap_err().to_string();
        let statement = |fields: Value| error(json!({"Statement": [fields]}));
        assert!(error(json!({})).contains("Statement"));
        assert!(error(json!({"Statement": ["a"]})).contains("must be an object"));
        assert!(error(json!({"Version": "2012-10-18", "Statement": []})).contains("2012-10-18"));
        assert!(error(json!({"Statements": []})).contains("Statements"));
        assert!(
            statement(json!({"Effect": "allow", "Action": "*", "Resource": "*"}))
                .contains("`allow`")
        );
        assert!(statement(json!({"Effect": "Allow", "Action": "*"})).contains("Resource"));
        assert!(
            statement(json!({"Effect": "Allow", "Action": 5, "Resource": "*"}))
                .contains("5 is not a string")
        );
        let condition =
            json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"Bool": {}}});
        assert!(statement(condition).contains("Condition"));
    }

    /// A slow reference implementation that follows the definition.
    fn fits(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|taken| fits(rest, &text[taken..])),
            Some((c, rest)) => text
                .split_first()
                .is_some_and(|(first, text)| (*c == '?' || c == first) && fits(rest, text)),
        }
    }

    proptest! {
        #[test]
        fn matches_agrees_with_the_reference_implementation(pattern in "[ab*?é]{0,8}", text in "[abé]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(matches(&pattern, &text), fits(&chars(&pattern), &chars(&text)));
        }

        #[test]
        fn a_text_matches_itself_with_and_without_an_inserted_star(text in "[a-z:/$]{0,40}", at in 0usize..40) {
            prop_assert!(matches(&text, &text));
            let at = at.min(text.len());
            let starred = format!("{}*{}", &text[..at], &text[at..]);
            prop_assert!(matches(&starred, &text));
        }
    }
}
