//! Reads the events that an event source mapping sent to `tests/functions/pushed.py`.

use std::collections::BTreeMap;
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tempfile::TempDir;

use crate::simulator::Launch;
use crate::wait::eventually;

/// A contract that pushes one topic to the function `pushed`. `settings` is YAML in flow style.
pub fn contract(topic: &str, settings: &str) -> String {
    let settings = if settings.is_empty() {
        String::new()
    } else {
        format!(", {settings}")
    };
    format!(
        "routeSelectionExpression: $request.body.action\n\
         routes: {{ $default: {{ function: message, topic: {topic}.unused }} }}\n\
         push: {{ function: pushed, topics: [{topic}]{settings} }}\n"
    )
}

/// The events that the function received, in order.
#[derive(Debug)]
pub struct Pushed {
    directory: TempDir,
}

impl Pushed {
    /// Creates the directory that the function writes its events to.
    #[expect(clippy::new_without_default, reason = "it creates a directory")]
    pub fn new() -> Self {
        let directory = TempDir::new().unwrap();
        Self { directory }
    }

    /// Configures a simulator whose function writes its events here.
    pub fn launch(&self, contract: &str) -> Launch {
        let path = self.directory.path().join("events");
        Launch::default()
            .contract(contract)
            .function("pushed", "pushed.py")
            .env("PUSHED", path.to_str().unwrap())
    }

    /// Waits for at least `count` events and returns all of them.
    pub async fn events(&self, count: usize) -> Vec<Value> {
        eventually(&format!("{count} events"), async || {
            let events = self.read();
            (events.len() >= count).then_some(events)
        })
        .await
    }

    /// Waits for `count` records and returns their values by partition, without redeliveries.
    pub async fn values(&self, count: usize) -> BTreeMap<String, Vec<String>> {
        eventually(&format!("{count} records"), async || {
            let values = values(&self.read());
            (values.values().map(Vec::len).sum::<usize>() >= count).then_some(values)
        })
        .await
    }

    /// Waits until the function has received this record.
    pub async fn until(&self, partition: &str, value: &str) {
        eventually(&format!("{value} of {partition}"), async || {
            self.is_done_with(partition, value).then_some(())
        })
        .await;
    }

    /// Whether the function received this record first in a batch, or after records that succeed.
    pub fn is_done_with(&self, partition: &str, value: &str) -> bool {
        let fails = |value: &String| {
            value
                .split_once(':')
                .is_some_and(|(_, path)| path.starts_with('/') && !fs::exists(path).unwrap())
        };
        self.read().into_iter().any(|event| {
            let values = values(&[event]).remove(partition).unwrap_or_default();
            let mut good = values.iter().take_while(|value| !fails(value));
            good.any(|found| found == value)
        })
    }

    fn read(&self) -> Vec<Value> {
        let path = self.directory.path().join("events");
        let text = fs::read_to_string(path).unwrap_or_default();
        let lines = text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'));
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// The values of all records by partition, without redeliveries.
fn values(events: &[Value]) -> BTreeMap<String, Vec<String>> {
    let mut seen = BTreeMap::<String, BTreeMap<i64, String>>::new();
    let mut order = BTreeMap::<String, Vec<i64>>::new();
    for event in events {
        for (key, records) in event["records"].as_object().unwrap() {
            for record in records.as_array().unwrap() {
                let offset = record["offset"].as_i64().unwrap();
                let value = STANDARD
                    .decode(record["value"].as_str().unwrap_or_default())
                    .unwrap();
                let value = String::from_utf8(value).unwrap();
                if seen
                    .entry(key.clone())
                    .or_default()
                    .insert(offset, value)
                    .is_none()
                {
                    order.entry(key.clone()).or_default().push(offset);
                }
            }
        }
    }
    let by_order = |(key, offsets): (String, Vec<i64>)| {
        let values = offsets
            .iter()
            .map(|offset| seen[&key][offset].clone())
            .collect();
        (key, values)
    };
    order.into_iter().map(by_order).collect()
}
