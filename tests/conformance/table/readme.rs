//! The table as `README.md` shows it.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::{
    check::Names,
    row::{Held, Row, Sure},
    sections::SECTIONS,
};

/// Checks that `README.md` has the table as it is, and writes it there where `UPDATE` is set.
///
/// # Panics
/// Panics where it has another.
pub(crate) fn check_readme(names: &Names) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let expected = format!("{before}{BEGIN}\n{}{END}{after}", markdown(names));
    #[expect(clippy::disallowed_methods, reason = "the one setting of the table")]
    let is_to_be_written = std::env::var_os("UPDATE").is_some();
    if is_to_be_written {
        fs::write(&path, &expected).unwrap();
        return;
    }
    assert!(
        readme == expected,
        "the table in {} is old: UPDATE=1 cargo test -p tests --test conformance table",
        path.display()
    );
}

fn markdown(names: &Names) -> String {
    let mut text = String::new();
    for (title, rows) in SECTIONS {
        write!(text, "\n### {title}\n\n").unwrap();
        text.push_str("| row | what is known | how sure | says who | here |\n");
        text.push_str("| --- | --- | --- | --- | --- |\n");
        for row in *rows {
            let sources: Vec<String> = row.sources.iter().copied().map(link).collect();
            let fact = row.fact.replace('|', "\\|");
            let (id, sure, sources) = (row.id, sure(row.sure), sources.join(", "));
            let held = held(row, names);
            writeln!(text, "| {id} | {fact} | {sure} | {sources} | {held} |").unwrap();
        }
    }
    text.push('\n');
    text
}

fn sure(sure: Sure) -> &'static str {
    match sure {
        Sure::Documented => "documented",
        Sure::Observed => "observed",
        Sure::Inferred => "inferred",
        Sure::Unknown => "unknown",
    }
}

fn held(row: &Row, names: &Names) -> String {
    let tests = || {
        let names = names.get(row.id).map_or(&[][..], Vec::as_slice);
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        names.join(", ")
    };
    match row.held {
        Held::Tested => format!("passed: {}", tests()),
        Held::Chosen(flag) => format!("chosen ({flag}): {}", tests()),
        Held::As(others) => format!("as {}", others.join(", ")),
        Held::Outside(reason) => format!("out of scope: {reason}"),
    }
}

/// A source as a link, where there is something to link to.
fn link(source: &str) -> String {
    if let Some(page) = source.strip_prefix("dg:") {
        return format!("[{page}]({GUIDE}{page}.html)");
    }
    if let Some(rest) = source.strip_prefix("https://") {
        let name = rest
            .trim_end_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or(rest);
        return format!("[{name}]({source})");
    }
    match source.split_once('#') {
        Some((repository, number)) => {
            format!("[{source}](https://github.com/{repository}/issues/{number})")
        }
        None => source.to_owned(),
    }
}

const GUIDE: &str = "https://docs.aws.amazon.com/apigateway/latest/developerguide/";
const BEGIN: &str = "<!-- table -->";
const END: &str = "<!-- end of table -->";
