//! Which files a module names: the paths in its code, and where what they name is defined.

use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, ImplItem, Item, ItemUse, Macro, Path,
    visit::{self, Visit},
};

use crate::modules::{Module, ModulePath, Modules, Name, imports, is_test};

/// What a module names of other files: each with the name.
pub(crate) fn named(
    modules: &Modules,
    path: &ModulePath,
    module: &Module,
) -> BTreeSet<(ModulePath, String)> {
    let mut paths = Paths::default();
    for item in &module.items {
        paths.visit_item(item);
    }
    let found = paths.0.into_iter().filter_map(|named| {
        let name = named.join("::");
        let file = definition(modules, path, &named, 0)?;
        (file != module.file).then_some((file, name))
    });
    let globs = module.globs.iter().filter_map(|glob| {
        let file = &modules.get(&absolute(modules, path, glob)?)?.file;
        (*file != module.file).then(|| (file.clone(), format!("{}::*", glob.join("::"))))
    });
    found.chain(globs).collect()
}

/// The file that defines what a path in a module names; `None` for a module, or something of another crate.
fn definition(
    modules: &Modules,
    from: &ModulePath,
    path: &[String],
    depth: usize,
) -> Option<ModulePath> {
    // The name of another crate that is imported under its own name leads to itself.
    if depth > DEPTH_MAX {
        return None;
    }
    let (mut at, mut rest) = start(from, path)?;
    while let [first, behind @ ..] = rest {
        let module = modules.get(&at)?;
        let child: ModulePath = at.iter().chain([first]).cloned().collect();
        if !behind.is_empty() && modules.get(&child).is_some() {
            (at, rest) = (child, behind);
            continue;
        }
        return match module.names.get(first) {
            Some(Name::Item) => Some(module.file.clone()),
            Some(Name::Import(import)) => {
                let whole: Vec<String> = import.iter().chain(behind).cloned().collect();
                definition(modules, &at, &whole, depth + 1)
            }
            None => module.globs.iter().find_map(|glob| {
                let whole: Vec<String> = glob.iter().chain(rest).cloned().collect();
                definition(modules, &at, &whole, depth + 1)
            }),
        };
    }
    None
}

/// The module that a path of modules leads to.
fn absolute(modules: &Modules, from: &ModulePath, path: &[String]) -> Option<ModulePath> {
    let (mut at, rest) = start(from, path)?;
    at.extend_from_slice(rest);
    modules.get(&at).map(|_| at)
}

/// Where a path begins, and what of it leads on from there. A name may be another crate's, and is then not found.
fn start<'a>(from: &ModulePath, path: &'a [String]) -> Option<(ModulePath, &'a [String])> {
    let mut at = from.clone();
    let mut rest = path;
    match path.first()?.as_str() {
        "crate" => {
            at.clear();
            rest = &path[1..];
        }
        "self" => rest = &path[1..],
        _ => {
            while let [first, behind @ ..] = rest
                && first == "super"
            {
                at.pop();
                rest = behind;
            }
        }
    }
    Some((at, rest))
}

/// Every path in some code, in macros too.
#[derive(Default)]
struct Paths(BTreeSet<Vec<String>>);

impl<'ast> Visit<'ast> for Paths {
    fn visit_item(&mut self, item: &'ast Item) {
        visit::visit_item(self, item);
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        imports(&item.tree, Vec::new(), &mut |path, name| {
            if name.is_some() {
                self.0.insert(path);
            }
        });
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes = match item {
            ImplItem::Fn(it) => &it.attrs,
            ImplItem::Const(it) => &it.attrs,
            _ => &Vec::new(),
        };
        if !is_test(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_path(&mut self, path: &'ast Path) {
        if path.segments.len() > 1 && path.leading_colon.is_none() {
            let segments = path.segments.iter().map(|it| it.ident.to_string());
            self.0.insert(segments.collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, it: &'ast Macro) {
        self.add_tokens(it.tokens.clone());
    }
}

impl Paths {
    fn add_tokens(&mut self, tokens: TokenStream) {
        let mut path = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.add(&mut path);
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    self.add(&mut path);
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.add_tokens(group.stream());
                    }
                }
            }
        }
        self.add(&mut path);
    }

    fn add(&mut self, path: &mut Vec<String>) {
        let path = std::mem::take(path);
        if path.len() > 1 {
            self.0.insert(path);
        }
    }
}

/// More re-exports of one name than anybody follows.
const DEPTH_MAX: usize = 32;
