//! Circles: files, or folders, of which each leads to the next by what it names, and the last to the first.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use crate::{
    modules::{ModulePath, Modules},
    names::named,
};

/// Which file of a crate names what of which other.
#[derive(Debug)]
pub(crate) struct Graph(BTreeMap<(ModulePath, ModulePath), BTreeSet<String>>);

impl Graph {
    pub(crate) fn new(modules: &Modules) -> Self {
        let mut arrows = BTreeMap::<_, BTreeSet<String>>::new();
        for (path, module) in modules.iter() {
            for (file, name) in named(modules, path, module) {
                let arrow = (module.file.clone(), file);
                arrows.entry(arrow).or_default().insert(name);
            }
        }
        Self(arrows)
    }

    /// The circles of files, a parent and its child included.
    pub(crate) fn circles_of_files(&self) -> Vec<String> {
        self.circles()
    }

    /// The circles of what lies side by side in a folder: each file together with the folder of the modules below it.
    pub(crate) fn circles_of_folders(&self) -> Vec<String> {
        let parents: BTreeSet<&[String]> = self
            .0
            .keys()
            .flat_map(|(from, to)| [from, to])
            .flat_map(|path| (0..path.len()).map(|depth| &path[..depth]))
            .collect();
        let collapsed = parents.into_iter().map(|parent| {
            let child = |path: &ModulePath| {
                (path.starts_with(parent) && path.len() > parent.len())
                    .then(|| path[..=parent.len()].to_vec())
            };
            let mut arrows = BTreeMap::<_, BTreeSet<String>>::new();
            for ((from, to), names) in &self.0 {
                if let (Some(from), Some(to)) = (child(from), child(to))
                    && from != to
                {
                    arrows.entry((from, to)).or_default().extend(names.clone());
                }
            }
            Self(arrows)
        });
        collapsed.flat_map(|graph| graph.circles()).collect()
    }

    /// Says each circle: its members, and what of each the others name.
    fn circles(&self) -> Vec<String> {
        let mut members: BTreeSet<&ModulePath> = self.0.keys().map(|(from, _)| from).collect();
        let mut circles = Vec::new();
        while let Some(first) = members.pop_first() {
            let ahead = self.reachable(first, false);
            let behind = self.reachable(first, true);
            let circle: BTreeSet<&ModulePath> = ahead.intersection(&behind).copied().collect();
            if !circle.contains(first) {
                continue;
            }
            members.retain(|it| !circle.contains(it));
            circles.push(self.tell(&circle));
        }
        circles
    }

    fn tell(&self, circle: &BTreeSet<&ModulePath>) -> String {
        let mut told = format!("a circle of {}:\n", circle.len());
        for ((from, to), names) in &self.0 {
            if circle.contains(from) && circle.contains(to) {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let (from, to) = (from.join("/"), to.join("/"));
                let _ = writeln!(told, "  {from} -> {to}: {}", names.join(", "));
            }
        }
        told
    }

    /// Every file that arrows lead to from this one, or, backwards, from which they lead to it.
    fn reachable<'a>(&'a self, first: &'a ModulePath, backwards: bool) -> BTreeSet<&'a ModulePath> {
        let mut reached = BTreeSet::new();
        let mut open = vec![first];
        while let Some(at) = open.pop() {
            for (from, to) in self.0.keys() {
                let (from, to) = if backwards { (to, from) } else { (from, to) };
                if from == at && reached.insert(to) {
                    open.push(to);
                }
            }
        }
        reached
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)]) -> (usize, usize) {
        let graph = Graph::new(&Modules::parse(files));
        (
            graph.circles_of_files().len(),
            graph.circles_of_folders().len(),
        )
    }

    #[test]
    fn two_files_that_name_each_other_are_a_circle() {
        let files = [
            ("", "mod a; mod b;"),
            ("a", "use crate::b::B; pub struct A;"),
            ("b", "pub struct B; fn f() -> super::a::A { super::a::A }"),
        ];
        assert_eq!(check(&files), (1, 1));
        let one_way = [files[0], files[1], ("b", "pub struct B;")];
        assert_eq!(check(&one_way), (0, 0));
    }

    #[test]
    fn a_parent_and_its_child_are_a_circle() {
        let parent = "mod a; use self::a::A; const MAX: usize = 1;";
        assert_eq!(
            check(&[("", parent), ("a", "pub struct A([u8; super::MAX]);")]),
            (1, 0)
        );
        assert_eq!(check(&[("", parent), ("a", "pub struct A;")]), (0, 0));
    }

    #[test]
    fn a_name_is_looked_for_where_it_is_defined() {
        let a = ("a", "use super::B; struct A;");
        let b = ("b", "pub struct B;");
        assert_eq!(
            check(&[("", "mod a; mod b; pub use self::b::B; use a::A;"), a, b]),
            (0, 0)
        );
        assert_eq!(
            check(&[("", "mod a; mod b; pub use self::b::*; use a::A;"), a, b]),
            (0, 0)
        );
    }

    #[test]
    fn paths_in_macros_and_of_imported_modules_count() {
        let files = [
            ("", "mod a; mod b;"),
            ("a", "use super::b; fn f() { println!(\"{}\", b::g()) }"),
            (
                "b",
                "use crate::a; fn g() -> u8 { let it = vec![a::f(), 1]; 1 }",
            ),
        ];
        assert_eq!(check(&files), (1, 1));
    }

    #[test]
    fn tests_and_modules_themselves_do_not_count() {
        let files = [
            ("", "mod a; mod b;"),
            (
                "a",
                "use super::b; #[cfg(test)] mod tests { use crate::b::B; }",
            ),
            (
                "b",
                "use super::a; pub struct B; #[cfg(test)] use crate::a::f;",
            ),
        ];
        assert_eq!(check(&files), (0, 0));
    }

    #[test]
    fn folders_are_a_circle_where_their_files_are_none() {
        let files = [
            ("", "mod a; mod b;"),
            ("a", "mod high; mod low;"),
            ("a::high", "use crate::b::B; struct A;"),
            ("a::low", "pub struct Low;"),
            ("b", "use crate::a::low::Low; pub struct B;"),
        ];
        assert_eq!(check(&files), (0, 1));
    }
}
