//! Rules of the whole workspace that the compiler does not hold: no circles of imports.

mod circles;
mod modules;
mod names;

use std::{
    fs,
    path::{Path, PathBuf},
};

use self::{circles::Graph, modules::Modules};

/// The roots of all module trees in the workspace: libraries, programs and integration tests.
///
/// Circles through methods alone are not found, such as an `impl` of a parent's type in its child.
fn roots() -> Vec<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut roots = Vec::new();
    let mut folders = vec![workspace];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            let name = entry.file_name();
            if path.is_dir() {
                let is_source = name != "target" && !name.as_encoded_bytes().starts_with(b".");
                folders.extend(is_source.then_some(path));
            } else if name == "main.rs" || folder.ends_with("src") && name == "lib.rs" {
                roots.push(path);
            }
        }
    }
    roots.sort();
    assert!(roots.len() > 10, "{roots:?}");
    roots
}

#[test]
fn no_import_leads_back_to_where_it_began() {
    let mut circles = Vec::new();
    for root in roots() {
        let modules = Modules::load(&root);
        let graph = Graph::new(&modules);
        let found = graph
            .circles_of_files()
            .into_iter()
            .chain(graph.circles_of_folders());
        circles.extend(found.map(|circle| format!("{}: {circle}", root.display())));
    }
    assert!(
        circles.is_empty(),
        "{} circles:\n\n{}",
        circles.len(),
        circles.join("\n")
    );
}
