//! Reads files and texts in YAML: contracts and faults.

use std::path::Path;

use crate::{
    error::{DocumentError, FileError},
    file,
    node::Node,
    yaml,
};

/// Reads documents of one kind, each in YAML.
///
/// JSON is YAML too, but for characters that are escaped in two halves (`\ud83d\ude00`), which are refused.
#[derive(Clone, Copy, Debug)]
pub struct Document {
    /// What errors call such a file: `the contract`.
    pub file: &'static str,
    /// What errors call its content: `the fields of a contract`.
    pub content: &'static str,
}

impl Document {
    /// Reads a file of bounded size, which errors name as `path` does.
    ///
    /// # Errors
    /// Where the file cannot be read or is not YAML, or those of `read`, with their line.
    pub fn load<T>(
        self,
        path: &Path,
        read: impl FnOnce(&Node) -> Result<T, DocumentError>,
    ) -> Result<T, FileError> {
        let name = path.display().to_string();
        let text = file::read(path, &name, self.file)?;
        self.parse(&text, read)
            .map_err(|refusal| refusal.in_file(&name))
    }

    /// Reads a text.
    ///
    /// # Errors
    /// Where it is not YAML, or those of `read`.
    pub fn parse<T>(
        self,
        text: &str,
        read: impl FnOnce(&Node) -> Result<T, DocumentError>,
    ) -> Result<T, DocumentError> {
        read(&yaml::read(text, self.content)?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const NUMBERS: Document = Document {
        file: "a file of numbers",
        content: "numbers",
    };

    fn numbers(root: &Node) -> Result<BTreeMap<String, Option<u32>>, DocumentError> {
        let number = |node: &Node| match node.is_null() {
            true => Ok(None),
            false => node.whole(0..=9, "a digit").map(Some),
        };
        let entries = root.entries("names and digits")?.iter();
        entries
            .map(|(name, node)| Ok((name.clone(), number(node)?)))
            .collect()
    }

    #[track_caller]
    fn check(text: &str, expected: &[(&str, Option<u32>)]) {
        let read = NUMBERS.parse(text, numbers);
        let expected = expected
            .iter()
            .map(|(name, number)| ((*name).to_owned(), *number));
        assert_eq!(read, Ok(expected.collect()), "{text}");
    }

    #[track_caller]
    fn refuse(text: &str, expected: &str) {
        let refusal = NUMBERS.parse(text, numbers).expect_err("a refusal");
        assert_eq!(refusal.to_string(), expected, "{text}");
    }

    #[test]
    fn yaml_and_json_are_read_alike() {
        let both = [("a", Some(1)), ("b c", None)];
        check("a: 1\nb c: null\n", &both);
        check(r#"{"a":1,"b c":null}"#, &both);
        check(
            "{\n\t\"a\":\n\t\t1\t,\r\n\t\"b\\u0020c\" : null\n}\n",
            &both,
        );
        check(r#"{"a\/\u00e9😀":1}"#, &[("a/é😀", Some(1))]);
        check("{}", &[]);
    }

    #[test]
    fn what_is_wrong_is_named_by_its_path() {
        refuse("a: b", "a: found `b`, expected a digit from 0 to 9");
        refuse("a:", "a: found nothing, expected a digit from 0 to 9");
        refuse(
            r#"{"a":"1"}"#,
            "a: found the text `1`, expected a digit from 0 to 9",
        );
        refuse(
            r#"{"a":1,"a":2}"#,
            "a: found a duplicate key (first on line 1), expected every key once",
        );
        refuse("", "found an empty document, expected numbers");
    }

    #[test]
    fn what_yaml_does_not_read_is_told_apart() {
        let is_not_yaml = |text| {
            let refusal = NUMBERS.parse(text, numbers).expect_err("a refusal");
            refusal.is_not_yaml()
        };
        assert!(is_not_yaml(r#"{"\ud83d\ude00":1}"#));
        assert!(!is_not_yaml(r#"{"a":"not YAML: "}"#));
        assert!(!is_not_yaml("a: b"));
    }

    #[test]
    fn a_file_is_named_with_the_line() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("numbers.yaml");
        let name = path.display();
        let load = || NUMBERS.load(&path, numbers).unwrap_err().to_string();
        assert_eq!(
            load(),
            format!("{name}: found no such file, expected a file of numbers")
        );
        std::fs::write(&path, "a: 1\nb: 10\n").unwrap();
        assert_eq!(
            load(),
            format!("{name}:2: b: found the number `10`, expected a digit from 0 to 9")
        );
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let names = prop::collection::btree_map("\\PC{0,9}", prop::option::of(0..10_u32), 0..5);
        names.prop_map(|names| serde_json::json!(names))
    }

    proptest! {
        /// Whatever the names are, and however it is written.
        #[test]
        fn json_of_any_names_is_read(json in json()) {
            let expected = serde_json::from_value(json.clone()).unwrap();
            for text in [json.to_string(), serde_json::to_string_pretty(&json).unwrap()] {
                let read = NUMBERS.parse(&text, numbers);
                prop_assert_eq!(read.as_ref(), Ok(&expected), "{}", text);
            }
        }
    }
}
