//! Reads the records that a function reports as failed:
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-kafka.html>.

use std::{collections::BTreeMap, ops::RangeInclusive};

use serde_json::Value;

/// The lowest failed offset of each partition with a failure, by partition key.
///
/// `batch` has the first and last offset of each partition in the event. Any response without
/// `batchItemFailures` is a success.
///
/// # Errors
/// Describes the invalid report. As in Lambda, the whole batch counts as failed then.
pub(super) fn failures(
    response: &[u8],
    batch: &BTreeMap<String, RangeInclusive<i64>>,
) -> Result<BTreeMap<String, i64>, String> {
    // A function that reports no failures may return anything, even invalid JSON.
    let response: Value = serde_json::from_slice(response).unwrap_or_default();
    let reported = match response.get("batchItemFailures") {
        None | Some(Value::Null) => return Ok(BTreeMap::new()),
        Some(Value::Array(items)) => items,
        Some(_) => return Err("batchItemFailures is not a list".to_owned()),
    };
    let mut failures = BTreeMap::new();
    for item in reported {
        let (key, offset) = identifier(item, batch).ok_or_else(|| invalid_item(item))?;
        let lowest = failures.entry(key).or_insert(offset);
        *lowest = offset.min(*lowest);
    }
    Ok(failures)
}

/// The partition key and the offset of a failure, if the batch contains that record.
fn identifier(
    item: &Value,
    batch: &BTreeMap<String, RangeInclusive<i64>>,
) -> Option<(String, i64)> {
    let identifier = item.get("itemIdentifier")?;
    let key = identifier.get("partition")?.as_str()?;
    let offset = identifier.get("offset")?.as_i64()?;
    let is_in_batch = batch.get(key)?.contains(&offset);
    is_in_batch.then(|| (key.to_owned(), offset))
}

fn invalid_item(item: &Value) -> String {
    let shown: String = item.to_string().chars().take(SHOWN_CHARS_MAX).collect();
    format!(
        "invalid item {shown} in batchItemFailures \
         (use an itemIdentifier with a partition and an offset of the batch)"
    )
}

/// Errors show at most this many characters of an invalid item.
const SHOWN_CHARS_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(response: &str) -> Result<Vec<(String, i64)>, ()> {
        let batch = BTreeMap::from([("a-0".to_owned(), 5..=9), ("b.c-10".to_owned(), 1..=1)]);
        let failures = failures(response.as_bytes(), &batch);
        failures
            .map(|failures| failures.into_iter().collect())
            .map_err(drop)
    }

    fn check_items(items: &[&str]) -> Result<Vec<(String, i64)>, ()> {
        check(&format!(r#"{{"batchItemFailures":[{}]}}"#, items.join(",")))
    }

    fn failed(failures: &[(&str, i64)]) -> Result<Vec<(String, i64)>, ()> {
        Ok(failures
            .iter()
            .map(|(key, offset)| ((*key).to_owned(), *offset))
            .collect())
    }

    #[test]
    fn a_response_without_failures_is_a_success() {
        for response in [
            "",
            "null",
            "{}",
            "\"ok\"",
            "[]",
            "17",
            "no JSON",
            r#"{"statusCode":500}"#,
            r#"{"batchItemFailures":null}"#,
            r#"{"batchItemFailures":[]}"#,
        ] {
            assert_eq!(check(response), Ok(vec![]), "{response}");
        }
    }

    #[test]
    fn the_lowest_offset_of_each_partition_counts() {
        let five = r#"{"itemIdentifier":{"partition":"a-0","offset":5}}"#;
        let nine = r#"{"itemIdentifier":{"partition":"a-0","offset":9}}"#;
        let other = r#"{"itemIdentifier":{"partition":"b.c-10","offset":1}}"#;
        assert_eq!(check_items(&[nine]), failed(&[("a-0", 9)]));
        assert_eq!(check_items(&[nine, five]), failed(&[("a-0", 5)]));
        assert_eq!(
            check_items(&[five, other, nine]),
            failed(&[("a-0", 5), ("b.c-10", 1)])
        );
    }

    #[test]
    fn an_invalid_identifier_fails_the_whole_batch() {
        let five = r#"{"itemIdentifier":{"partition":"a-0","offset":5}}"#;
        for item in [
            "null",
            "{}",
            r#"{"itemIdentifier":null}"#,
            r#"{"itemIdentifier":""}"#,
            r#"{"itemIdentifier":"5"}"#,
            r#"{"itemidentifier":{"partition":"a-0","offset":5}}"#,
            r#"{"itemIdentifier":{"partition":"a-0"}}"#,
            r#"{"itemIdentifier":{"partition":"a-0","offset":"5"}}"#,
            r#"{"itemIdentifier":{"partition":"a-0","offset":10}}"#,
            r#"{"itemIdentifier":{"partition":"a-0","offset":4}}"#,
            r#"{"itemIdentifier":{"partition":"a-1","offset":5}}"#,
        ] {
            assert_eq!(check_items(&[five, item]), Err(()), "{item}");
        }
        assert_eq!(check(r#"{"batchItemFailures":{}}"#), Err(()));
        assert_eq!(check(r#"{"batchItemFailures":"a-0"}"#), Err(()));
    }
}
