//! Reads YAML files and strings: contracts and faults.

use std::path::Path;

use crate::{
    error::{DocumentError, FileError},
    file,
    node::Node,
    yaml,
};

/// Reads YAML documents of one kind.
///
/// JSON is accepted too, except for surrogate pairs written as escapes (`\ud83d\ude00`),
/// which YAML does not allow.
#[derive(Clone, Copy, Debug)]
pub struct Document {
    /// The name of such a file in errors: `the contract`.
    pub file: &'static str,
    /// The name of its content in errors: `the fields of a contract`.
    pub content: &'static str,
}

impl Document {
    /// Reads a file of at most 256 KiB. Errors show `path` as it was passed.
    ///
    /// # Errors
    /// If the file cannot be read or is not YAML, or if `read` fails, with the line.
    pub fn load<T>(
        self,
        path: &Path,
        read: impl FnOnce(&Node) -> Result<T, DocumentError>,
    ) -> Result<T, FileError> {
        let name = path.display().to_string();
        let text = file::read(path, &name, self.file)?;
        self.parse(&text, read)
            .map_err(|error| error.in_file(&name))
    }

    /// Parses a string.
    ///
    /// # Errors
    /// If it is not YAML, or if `read` fails.
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
    fn check_error(text: &str, expected: &str) {
        let error = NUMBERS.parse(text, numbers).expect_err("an error");
        assert_eq!(error.to_string(), expected, "{text}");
    }

    #[test]
    fn yaml_and_json_give_the_same_values() {
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
    fn an_error_starts_with_the_path_of_the_field() {
        check_error("a: b", "a: `b` is invalid (expected a digit from 0 to 9)");
        check_error("a:", "a: value is missing (expected a digit from 0 to 9)");
        check_error(
            r#"{"a":"1"}"#,
            "a: the string `1` is invalid (expected a digit from 0 to 9)",
        );
        check_error(
            r#"{"a":1,"a":2}"#,
            "a: duplicate key, first used on line 1 (remove or rename one of them)",
        );
        check_error("", "the document is empty (expected numbers)");
    }

    #[test]
    fn only_a_yaml_syntax_error_is_not_yaml() {
        let is_not_yaml = |text| {
            let error = NUMBERS.parse(text, numbers).expect_err("an error");
            error.is_not_yaml()
        };
        assert!(is_not_yaml(r#"{"\ud83d\ude00":1}"#));
        assert!(!is_not_yaml(r#"{"a":"not YAML: "}"#));
        assert!(!is_not_yaml("a: b"));
    }

    #[test]
    fn an_error_in_a_file_starts_with_its_name_and_line() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("numbers.yaml");
        let name = path.display();
        let load = || NUMBERS.load(&path, numbers).unwrap_err().to_string();
        assert_eq!(
            load(),
            format!("{name}: file not found (expected a file of numbers)")
        );
        std::fs::write(&path, "a: 1\nb: 10\n").unwrap();
        assert_eq!(
            load(),
            format!("{name}:2: b: the number `10` is invalid (expected a digit from 0 to 9)")
        );
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let names = prop::collection::btree_map("\\PC{0,9}", prop::option::of(0..10_u32), 0..5);
        names.prop_map(|names| serde_json::json!(names))
    }

    proptest! {
        /// Compact and pretty-printed.
        #[test]
        fn json_with_any_member_names_is_read(json in json()) {
            let expected = serde_json::from_value(json.clone()).unwrap();
            for text in [json.to_string(), serde_json::to_string_pretty(&json).unwrap()] {
                let read = NUMBERS.parse(&text, numbers);
                prop_assert_eq!(read.as_ref(), Ok(&expected), "{}", text);
            }
        }
    }
}
