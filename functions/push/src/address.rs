//! Which connections a record is addressed to.

use std::{collections::BTreeSet, fmt};

use crate::poison::Poison;

/// The header with a JSON list of connection ids.
const TO: &str = "to";
/// The header with one connection id. The gateway's functions set it on records of messages, and a
/// reply can copy it.
const CONNECTION_ID: &str = "ce_connectionid";

/// The most connections that one record can address.
pub const RECIPIENTS_MAX: usize = 1000;
/// The longest id. API Gateway's ids have 16 bytes, those of other simulators up to 36.
const ID_BYTES_MAX: usize = 128;

/// The id of a connection. It has no characters that could change the path of a URL.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(String);

impl ConnectionId {
    /// Parses an id of 1 to 128 ASCII letters, digits, `-`, `_` and `=`.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_=".contains(&byte);
        let is_id = (1..=ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(allowed);
        is_id.then(|| Self(text.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A record header: a name and an optional value.
pub type Header = (String, Option<Vec<u8>>);

/// The connections that a record is addressed to, without duplicates.
///
/// They are listed in the header `to`. Without it, the header `ce_connectionid` names one
/// connection; without both headers, the key does. If a header occurs twice, the last one applies,
/// as in Kafka's own clients.
///
/// # Errors
/// The record has no recipient, or the one that applies is malformed.
pub fn recipients(headers: &[Header], key: Option<&[u8]>) -> Result<Vec<ConnectionId>, Poison> {
    let find = |name| headers.iter().rfind(|(found, _)| found == name);
    if let Some((_, list)) = find(TO) {
        return listed(list.as_deref().unwrap_or_default());
    }
    let (field, id) = match (find(CONNECTION_ID), key) {
        (Some((_, id)), _) => (
            "header `ce_connectionid`",
            id.as_deref().unwrap_or_default(),
        ),
        (None, Some(key)) => ("key", key),
        (None, None) => return Err(Poison::NoRecipient),
    };
    let id = str::from_utf8(id).ok().and_then(ConnectionId::parse);
    Ok(vec![id.ok_or(Poison::InvalidId { field })?])
}

/// Parses a JSON list of ids. An empty list is valid, since a chat room may be empty.
fn listed(list: &[u8]) -> Result<Vec<ConnectionId>, Poison> {
    let ids: Vec<String> = serde_json::from_slice(list).map_err(|_| Poison::InvalidList)?;
    if ids.len() > RECIPIENTS_MAX {
        return Err(Poison::TooManyIds {
            ids: ids.len(),
            max: RECIPIENTS_MAX,
        });
    }
    let field = "header `to`";
    let ids: Option<BTreeSet<_>> = ids.iter().map(|id| ConnectionId::parse(id)).collect();
    Ok(ids
        .ok_or(Poison::InvalidId { field })?
        .into_iter()
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&str, &str)], key: Option<&str>) -> String {
        let headers: Vec<Header> = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Some(value.as_bytes().to_vec())))
            .collect();
        match recipients(&headers, key.map(str::as_bytes)) {
            Ok(ids) => format!("{ids:?}"),
            Err(poison) => poison.to_string(),
        }
    }

    #[test]
    fn the_list_takes_precedence_over_the_header_and_the_header_over_the_key() {
        let to = ("to", r#"["a=", "b="]"#);
        let id = ("ce_connectionid", "c=");
        assert_eq!(check(&[id, to], Some("d=")), "[a=, b=]");
        assert_eq!(check(&[id], Some("d=")), "[c=]");
        assert_eq!(check(&[], Some("d=")), "[d=]");
        assert_eq!(check(&[("ce_subject", "e=")], Some("d=")), "[d=]");
    }

    #[test]
    fn the_last_header_with_a_name_applies_and_names_are_case_sensitive() {
        assert_eq!(
            check(
                &[("ce_connectionid", "a="), ("ce_connectionid", "b=")],
                None
            ),
            "[b=]"
        );
        assert_eq!(check(&[("To", r#"["a="]"#)], Some("b=")), "[b=]");
    }

    #[test]
    fn duplicates_are_removed_and_an_empty_list_is_valid() {
        assert_eq!(check(&[("to", r#"["a=","a="]"#)], None), "[a=]");
        assert_eq!(check(&[("to", "[]")], Some("a=")), "[]");
    }

    #[test]
    fn a_malformed_recipient_is_an_error_rather_than_skipped() {
        let list = "header `to`: not a JSON list of connection ids";
        for malformed in ["", "a=", "null", r#"{"a":1}"#, "[1]", r#"["a""#] {
            assert_eq!(check(&[("to", malformed)], Some("b=")), list, "{malformed}");
        }
        let id = |field| format!("{field}: invalid connection id");
        assert_eq!(check(&[("to", r#"["a=",""]"#)], None), id("header `to`"));
        assert_eq!(
            check(&[("ce_connectionid", "")], Some("b=")),
            id("header `ce_connectionid`")
        );
        assert_eq!(check(&[], Some("")), id("key"));
    }

    #[test]
    fn an_id_cannot_change_the_path_of_a_url() {
        for text in [
            "..", ".", "a/b", "a%2Fb", "a b", "a?b", "a#b", "é", "a\n", "@a",
        ] {
            assert_eq!(ConnectionId::parse(text), None, "{text}");
        }
        assert_eq!(ConnectionId::parse(&"a".repeat(129)), None);
        for text in [
            "L0SM9cOFvHcCIhw=",
            "bdh_3cVkoAMCF-Q=",
            "0e2b6f0c-95b4-4c6e-8b1e",
        ] {
            assert!(ConnectionId::parse(text).is_some(), "{text}");
        }
    }

    #[test]
    fn a_missing_recipient_and_too_many_ids_are_errors() {
        assert_eq!(
            check(&[("content-type", "text/plain")], None),
            "no recipient (set the header `to`, the header `ce_connectionid` or the key)"
        );
        let list = |ids| serde_json::to_string(&vec!["a="; ids]).expect("a list");
        assert_eq!(check(&[("to", &list(1000))], None), "[a=]");
        assert_eq!(
            check(&[("to", &list(1001))], None),
            "header `to`: 1001 connection ids (the maximum is 1000)"
        );
    }
}
