//! The modules of a crate: which file each is in, what it defines and what it imports.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use syn::{Attribute, Item, ItemMod, UseTree};

/// The path of a module from the root of its crate, which is empty.
pub(crate) type ModulePath = Vec<String>;

/// All modules of a crate but its tests.
#[derive(Default)]
pub(crate) struct Modules(BTreeMap<ModulePath, Module>);

/// A module: a file, or a part of one.
pub(crate) struct Module {
    /// The module that the whole file is.
    pub(crate) file: ModulePath,
    /// What the names in it stand for, but for those of modules below it.
    pub(crate) names: BTreeMap<String, Name>,
    /// What it imports by `*`.
    pub(crate) globs: Vec<ModulePath>,
    pub(crate) items: Vec<Item>,
}

/// What a name stands for.
#[derive(Debug, Clone)]
pub(crate) enum Name {
    /// An item defined in this module.
    Item,
    /// Something found at this path.
    Import(Vec<String>),
}

impl Modules {
    /// Reads a crate from its root, `lib.rs` or `main.rs`.
    pub(crate) fn load(root: &Path) -> Self {
        let mut modules = Self::default();
        modules.load_file(root, &Vec::new(), root.parent().expect("a folder"));
        modules
    }

    /// Reads a crate from its files' texts, by their modules' paths.
    #[cfg(test)]
    pub(crate) fn parse(files: &[(&str, &str)]) -> Self {
        let mut modules = Self::default();
        for (path, text) in files {
            let path: ModulePath = path
                .split("::")
                .filter(|it| !it.is_empty())
                .map(str::to_owned)
                .collect();
            let items = syn::parse_file(text).expect("Rust").items;
            modules.add(path.clone(), &path, items, &mut |_, _| {});
        }
        modules
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&ModulePath, &Module)> {
        self.0.iter()
    }

    pub(crate) fn get(&self, path: &[String]) -> Option<&Module> {
        self.0.get(path)
    }

    /// `folder` is where the files of the modules below it are.
    fn load_file(&mut self, file: &Path, path: &ModulePath, folder: &Path) {
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{file:?}: {error}"));
        let items = syn::parse_file(&text).expect("Rust").items;
        let mut below = Vec::new();
        self.add(path.clone(), path, items, &mut |path, name| {
            below.push((path, name.to_owned()));
        });
        for (path, name) in below {
            let (file, folder) = find(folder, &name);
            self.load_file(&file, &path, &folder);
        }
    }

    /// Adds a module and those written inside it; `below` is told of those that are files of their own.
    fn add(
        &mut self,
        path: ModulePath,
        file: &ModulePath,
        items: Vec<Item>,
        below: &mut impl FnMut(ModulePath, &str),
    ) {
        let mut module = Module {
            file: file.clone(),
            names: BTreeMap::new(),
            globs: Vec::new(),
            items: Vec::new(),
        };
        for item in items.into_iter().filter(|it| !is_test(attributes(it))) {
            let item = match item {
                Item::Mod(ItemMod { ident, content, .. }) => {
                    let mut child = path.clone();
                    child.push(ident.to_string());
                    match content {
                        Some((_, items)) => self.add(child, file, items, below),
                        None => below(child, &ident.to_string()),
                    }
                    continue;
                }
                item => item,
            };
            if let Item::Use(it) = &item {
                imports(&it.tree, Vec::new(), &mut |path, name| match name {
                    Some(name) => drop(module.names.insert(name, Name::Import(path))),
                    None => module.globs.push(path),
                });
            } else if let Some(name) = defined(&item) {
                module.names.insert(name, Name::Item);
            }
            module.items.push(item);
        }
        self.0.insert(path, module);
    }
}

/// A module's file, and the folder of those below it.
fn find(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    let below = folder.join(name);
    let file = folder.join(format!("{name}.rs"));
    let file = if file.exists() {
        file
    } else {
        below.join("mod.rs")
    };
    (file, below)
}

/// Tells of each path that a `use` imports, and of the name that it is given; of `*` without one.
pub(crate) fn imports(
    tree: &UseTree,
    mut path: Vec<String>,
    tell: &mut impl FnMut(Vec<String>, Option<String>),
) {
    match tree {
        UseTree::Path(it) => {
            path.push(it.ident.to_string());
            imports(&it.tree, path, tell);
        }
        UseTree::Name(it) if it.ident == "self" => {
            let name = path.last().cloned();
            tell(path, name);
        }
        UseTree::Name(it) => {
            path.push(it.ident.to_string());
            tell(path, Some(it.ident.to_string()));
        }
        UseTree::Rename(it) => {
            if it.ident != "self" {
                path.push(it.ident.to_string());
            }
            tell(path, Some(it.rename.to_string()));
        }
        UseTree::Glob(_) => tell(path, None),
        UseTree::Group(it) => {
            for tree in &it.items {
                imports(tree, path.clone(), tell);
            }
        }
    }
}

fn defined(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(it) => &it.ident,
        Item::Enum(it) => &it.ident,
        Item::Fn(it) => &it.sig.ident,
        Item::Macro(it) => it.ident.as_ref()?,
        Item::Static(it) => &it.ident,
        Item::Struct(it) => &it.ident,
        Item::Trait(it) => &it.ident,
        Item::Type(it) => &it.ident,
        Item::Union(it) => &it.ident,
        _ => return None,
    };
    Some(ident.to_string())
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(it) => &it.attrs,
        Item::Enum(it) => &it.attrs,
        Item::Fn(it) => &it.attrs,
        Item::Impl(it) => &it.attrs,
        Item::Macro(it) => &it.attrs,
        Item::Mod(it) => &it.attrs,
        Item::Static(it) => &it.attrs,
        Item::Struct(it) => &it.attrs,
        Item::Trait(it) => &it.attrs,
        Item::Type(it) => &it.attrs,
        Item::Use(it) => &it.attrs,
        _ => &[],
    }
}

/// Whether an item is there for tests only: `#[cfg(test)]`, alone or among other conditions.
pub(crate) fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else {
            return false;
        };
        let condition = list.tokens.to_string();
        list.path.is_ident("cfg")
            && (condition == "test" || condition.starts_with("all") && condition.contains("test"))
    })
}
