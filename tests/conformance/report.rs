//! What the probe reports of an invocation, and the checks that many rows share.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tests::probe::Posted;

/// A report.
#[derive(Debug)]
pub(crate) struct Report {
    /// The event, byte for byte.
    pub(crate) text: String,
    /// The event.
    pub(crate) event: Value,
    /// The answers to the probe's own posts.
    pub(crate) posts: Vec<Posted>,
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    event: &'a RawValue,
    posts: Vec<Posted>,
}

impl Report {
    /// Reads the text of a report.
    ///
    /// # Panics
    /// Panics where it is none.
    pub(crate) fn parse(text: &str) -> Self {
        match serde_json::from_str::<Document<'_>>(text) {
            Ok(document) => Self {
                text: document.event.get().to_owned(),
                event: serde_json::from_str(document.event.get()).unwrap(),
                posts: document.posts,
            },
            Err(error) => panic!("this is no report: {text}: {error}"),
        }
    }

    /// A text of the request context; empty where there is none.
    pub(crate) fn context(&self, name: &str) -> String {
        let value = &self.event["requestContext"][name];
        value.as_str().unwrap_or_default().to_owned()
    }

    /// A number of the request context.
    pub(crate) fn number(&self, name: &str) -> i64 {
        let value = &self.event["requestContext"][name];
        value
            .as_i64()
            .unwrap_or_else(|| panic!("{name}: {}", self.text))
    }

    /// Whether the event has a key at its top.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.event.get(key).is_some()
    }

    /// Whether the request context has a key.
    pub(crate) fn context_has(&self, key: &str) -> bool {
        self.event["requestContext"].get(key).is_some()
    }
}

/// Checks an error frame byte for byte, for what it says, and returns its connection id and request id.
pub(crate) fn check_frame(frame: &str, message: &str) -> (String, String) {
    let json: Value = serde_json::from_str(frame).unwrap_or_default();
    let id = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
    let (connection, request) = (id("connectionId"), id("requestId"));
    let expected = format!(
        r#"{{"message": "{message}", "connectionId":"{connection}", "requestId":"{request}"}}"#
    );
    assert_eq!(frame, expected);
    tests::anatomy::check_id(&connection);
    tests::anatomy::check_id(&request);
    (connection, request)
}

/// The keys of one object of an event, in their order.
pub(crate) fn keys(report: &Report, path: &str) -> Vec<String> {
    let prefix = format!("{path}/");
    paths(&report.text)
        .iter()
        .filter_map(|path| path.strip_prefix(&prefix))
        .filter(|rest| !rest.contains('/'))
        .map(str::to_owned)
        .collect()
}

/// The paths of all keys of a JSON text, in the order in which they stand.
pub(crate) fn paths(json: &str) -> Vec<String> {
    let mut paths = Vec::new();
    collect(&serde_json::from_str(json).unwrap(), "", &mut paths);
    paths
}

fn collect(node: &Ordered, path: &str, paths: &mut Vec<String>) {
    let Ordered::Object(entries) = node else {
        return;
    };
    for (key, value) in entries {
        let path = format!("{path}/{key}");
        paths.push(path.clone());
        collect(value, &path, paths);
    }
}

/// A JSON value whose keys stand as they stood.
enum Ordered {
    Object(Vec<(String, Self)>),
    Other,
}

impl<'de> Deserialize<'de> for Ordered {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        if !raw.get().starts_with('{') {
            return Ok(Self::Other);
        }
        let mut parser = serde_json::Deserializer::from_str(raw.get());
        let entries = serde::Deserializer::deserialize_map(&mut parser, Entries);
        entries.map(Self::Object).map_err(serde::de::Error::custom)
    }
}

struct Entries;

impl<'de> serde::de::Visitor<'de> for Entries {
    type Value = Vec<(String, Ordered)>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(entries)
    }
}
