//! What a function says about a batch: <https://docs.aws.amazon.com/lambda/latest/dg/with-kafka.html>.

use std::{collections::BTreeMap, ops::RangeInclusive};

use serde_json::Value;

/// The lowest failed offset of each partition that has one, by its key.
///
/// `batch` is what the function got: each partition's first and last offset. A function that reports nothing, in
/// whatever way, has done everything.
///
/// # Errors
/// What is wrong with the report. The whole batch counts as failed then, as Lambda has it.
pub(super) fn failures(
    answer: &[u8],
    batch: &BTreeMap<String, RangeInclusive<i64>>,
) -> Result<BTreeMap<String, i64>, String> {
    // Functions that report nothing may answer anything.
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    let reported = match answer.get("batchItemFailures") {
        None | Some(Value::Null) => return Ok(BTreeMap::new()),
        Some(Value::Array(items)) => items,
        Some(_) => return Err("batchItemFailures is no list".to_owned()),
    };
    let mut failures = BTreeMap::new();
    for item in reported {
        let (key, offset) = identifier(item, batch).ok_or_else(|| wrong(item))?;
        let lowest = failures.entry(key).or_insert(offset);
        *lowest = offset.min(*lowest);
    }
    Ok(failures)
}

/// The partition and the offset of a failure, where the batch has them.
fn identifier(
    item: &Value,
    batch: &BTreeMap<String, RangeInclusive<i64>>,
) -> Option<(String, i64)> {
    let identifier = item.get("itemIdentifier")?;
    let key = identifier.get("partition")?.as_str()?;
    let offset = identifier.get("offset")?.as_i64()?;
    let is_there = batch.get(key)?.contains(&offset);
    is_there.then(|| (key.to_owned(), offset))
}

fn wrong(item: &Value) -> String {
    let found: String = item.to_string().chars().take(SHOWN_CHARS_MAX).collect();
    format!(
        "found {found} in batchItemFailures, expected an itemIdentifier with a partition and an offset of the batch"
    )
}

/// More of it helps nobody.
const SHOWN_CHARS_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(answer: &str) -> Result<Vec<(String, i64)>, ()> {
        let batch = BTreeMap::from([("a-0".to_owned(), 5..=9), ("b.c-10".to_owned(), 1..=1)]);
        let failures = failures(answer.as_bytes(), &batch);
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
    fn whoever_reports_nothing_has_done_everything() {
        for answer in [
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
            assert_eq!(check(answer), Ok(vec![]), "{answer}");
        }
    }

    #[test]
    fn of_each_partition_the_lowest_offset_counts() {
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
    fn what_is_no_identifier_of_the_batch_fails_it_whole() {
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
