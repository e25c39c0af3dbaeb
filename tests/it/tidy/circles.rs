//! Which file uses which, and where that goes in a circle.
//!
//! A file uses the one in which what it names is defined. A module that only hands on what a child
//! of it defines (`pub use`) is passed through, and to have a child is not to use it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::imports::{self, Imports};
use super::tokens;
use super::tree::Module;

/// By file: the files that it uses.
pub type Uses = BTreeMap<String, BTreeSet<String>>;

/// What a module of the crate has.
struct Known<'t> {
    path: &'t str,
    imports: Imports<'t>,
}

/// The modules of the crate by their names from its root on.
struct Tree<'t> {
    modules: BTreeMap<Vec<&'t str>, Known<'t>>,
}

/// So many names may be handed on from one module to the next.
const STEPS_MAX: usize = 16;

/// What the files of the crate use of each other. `modules`: those that are no tests; `codes`:
/// their texts without comments, strings and tests.
pub fn uses(modules: &[&Module], codes: &BTreeMap<&str, String>) -> Uses {
    let known = modules.iter().map(|module| {
        let imports = imports::of(&tokens::of_code(&codes[module.path.as_str()]));
        let name = module.name.iter().map(String::as_str).collect();
        let path = module.path.as_str();
        (name, Known { path, imports })
    });
    let tree = Tree {
        modules: known.collect(),
    };
    let of_module = |(name, known): (&Vec<&str>, &Known<'_>)| {
        let mut used = tree.used_by(name, known);
        used.remove(known.path);
        (known.path.to_owned(), used)
    };
    tree.modules.iter().map(of_module).collect()
}

impl<'t> Tree<'t> {
    fn used_by(&self, name: &[&'t str], known: &Known<'t>) -> BTreeSet<String> {
        let imports = &known.imports;
        let named: BTreeSet<&str> = imports.paths.iter().map(|path| path[0]).collect();
        let uses = imports.uses.iter();
        let own = uses.filter(|(name, import)| !import.is_public || named.contains(**name));
        let own = own.map(|(_, import)| &import.path);
        let paths = own.chain(&imports.paths);
        let found = paths.filter_map(|path| self.defining(name, path, 0));
        let globs = imports.globs.iter();
        let globs = globs.filter_map(|path| self.module(name, path));
        found.chain(globs).map(str::to_owned).collect()
    }

    /// The file that defines what `path` names in the module `here`; none for what is from another
    /// crate, or a module as such.
    fn defining(&self, here: &[&'t str], path: &[&'t str], steps: usize) -> Option<&'t str> {
        let (mut at, rest) = self.start(here, path)?;
        for (place, name) in rest.iter().enumerate() {
            let child: Vec<&str> = at.iter().copied().chain([*name]).collect();
            let known = self.modules.get(&at)?;
            if self.modules.contains_key(&child) {
                at = child;
                continue;
            }
            // From here on it is an item, perhaps one that is handed on.
            let Some(import) = known.imports.uses.get(name).filter(|_| steps < STEPS_MAX) else {
                return Some(known.path);
            };
            let further: Vec<&str> = import
                .path
                .iter()
                .chain(&rest[place + 1..])
                .copied()
                .collect();
            return self.defining(&at, &further, steps + 1);
        }
        None
    }

    /// The file of the module that `path` names.
    fn module(&self, here: &[&'t str], path: &[&'t str]) -> Option<&'t str> {
        let (at, rest) = self.start(here, path)?;
        let name: Vec<&str> = at.iter().chain(rest).copied().collect();
        Some(self.modules.get(&name)?.path)
    }

    /// The module in which the rest of `path` is to be looked for.
    fn start<'p>(
        &self,
        here: &[&'t str],
        path: &'p [&'t str],
    ) -> Option<(Vec<&'t str>, &'p [&'t str])> {
        let (first, mut rest) = path.split_first()?;
        match *first {
            "crate" => Some((Vec::new(), rest)),
            "self" => Some((here.to_vec(), rest)),
            "super" => {
                let mut up = here.split_last()?.1;
                while let Some(("super", further)) = rest.split_first().map(|(f, r)| (*f, r)) {
                    (up, rest) = (up.split_last()?.1, further);
                }
                Some((up.to_vec(), rest))
            }
            name => {
                let child: Vec<&str> = here.iter().copied().chain([name]).collect();
                let is_here = self.modules.contains_key(&child)
                    || self.modules[here]
                        .imports
                        .uses
                        .get(name)
                        .is_some_and(|import| {
                            // A crate brought in under its own name leads nowhere.
                            import.path != [name]
                        });
                is_here.then(|| (here.to_vec(), path))
            }
        }
    }
}

/// For each file within `room` (a folder, or a file and the folder of its children) that is in a
/// circle with another file: the shortest one. The room counts as one towards what lies outside.
pub fn circles(room: &str, uses: &Uses) -> Vec<String> {
    let is_within = |path: &str| path.starts_with(room);
    let within: Uses = uses
        .iter()
        .filter(|(path, _)| is_within(path))
        .map(|(path, used)| {
            let used = used.iter().filter(|used| is_within(used));
            (path.clone(), used.cloned().collect())
        })
        .collect();
    let mut found: BTreeSet<Vec<String>> = within
        .keys()
        .filter_map(|path| circle(path, &within))
        .collect();
    found.extend(circle(room, &as_one(room, uses)));
    found
        .into_iter()
        .map(|circle| format!("{}: a circle", circle.join(" -> ")))
        .collect()
}

/// The same with the files of the room taken together.
fn as_one(room: &str, uses: &Uses) -> Uses {
    let place = |path: &str| match path.starts_with(room) {
        true => room.to_owned(),
        false => path.to_owned(),
    };
    let mut together = Uses::new();
    for (path, used) in uses {
        let path = place(path);
        let used = used.iter().map(|used| place(used));
        let used = used.filter(|used| *used != path).collect::<Vec<_>>();
        together.entry(path).or_default().extend(used);
    }
    together
}

/// The shortest way from a file back to itself, beginning with the least of its files.
fn circle(start: &str, uses: &Uses) -> Option<Vec<String>> {
    let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut waiting = VecDeque::from([start]);
    while let Some(at) = waiting.pop_front() {
        for used in uses.get(at).into_iter().flatten() {
            if used == start {
                let way = std::iter::successors(Some(at), |at| came_from.get(at).copied());
                let mut way: Vec<String> = way.map(str::to_owned).collect();
                way.reverse();
                let least = (0..way.len()).min_by_key(|place| &way[*place]).unwrap_or(0);
                way.rotate_left(least);
                way.push(way[0].clone());
                return Some(way);
            }
            if !came_from.contains_key(used.as_str()) {
                came_from.insert(used, at);
                waiting.push_back(used);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{code, tree};
    use super::{circles, uses};

    /// What is said of a crate of these files.
    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let files: tree::Files = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .collect();
        let modules = tree::modules(&files);
        let modules: Vec<_> = modules.iter().filter(|module| !module.test).collect();
        let codes: BTreeMap<&str, String> = modules
            .iter()
            .map(|module| {
                (
                    module.path.as_str(),
                    code::without_tests(&files[&module.path]),
                )
            })
            .collect();
        circles("src/fold/", &uses(&modules, &codes))
    }

    const ROOM: (&str, &str) = ("src/fold/mod.rs", "pub mod a;\npub mod b;\npub mod c;");

    #[track_caller]
    fn check(rest: &[(&str, &str)], expected: &[&str]) {
        let mut files = vec![("src/lib.rs", "pub mod fold;\npub mod plan;"), ROOM];
        let given = |path: &str| rest.iter().any(|(other, _)| *other == path);
        let empty = [
            "src/plan.rs",
            "src/fold/a.rs",
            "src/fold/b.rs",
            "src/fold/c.rs",
        ];
        files.extend(
            empty
                .iter()
                .filter(|path| !given(path))
                .map(|path| (*path, "")),
        );
        files.retain(|(path, _)| !given(path));
        files.extend(rest);
        assert_eq!(found(&files), expected, "{rest:?}");
    }

    #[test]
    fn circles_are_noticed() {
        let two = ["src/fold/a.rs -> src/fold/b.rs -> src/fold/a.rs: a circle"];
        let a = ("src/fold/a.rs", "use super::b::B;\npub struct A;");
        check(
            &[a, ("src/fold/b.rs", "fn f(a: crate::fold::a::A) {}")],
            &two,
        );
        check(
            &[
                a,
                ("src/fold/b.rs", "use crate::fold::a;\nfn f(a: a::A) {}"),
            ],
            &two,
        );
        check(&[a, ("src/fold/b.rs", "use super::a::*;")], &two);
        check(
            &[
                a,
                ("src/fold/b.rs", "use super::c::C;"),
                ("src/fold/c.rs", "use crate::fold::a::A as Other;"),
            ],
            &["src/fold/a.rs -> src/fold/b.rs -> src/fold/c.rs -> src/fold/a.rs: a circle"],
        );
        // Through what a module hands on.
        check(
            &[
                (
                    "src/fold/mod.rs",
                    "pub mod a;\npub mod b;\npub mod c;\npub use a::A;",
                ),
                a,
                ("src/fold/b.rs", "use super::A;"),
            ],
            &two,
        );
        // A module that uses what it hands on.
        check(
            &[
                (
                    "src/fold/mod.rs",
                    "pub mod a;\npub mod b;\npub mod c;\npub use a::A;\nfn f(a: A) {}",
                ),
                ("src/fold/a.rs", "use super::f;\npub struct A;"),
            ],
            &["src/fold/a.rs -> src/fold/mod.rs -> src/fold/a.rs: a circle"],
        );
    }

    #[test]
    fn circles_with_what_lies_outside_are_noticed() {
        check(
            &[
                ("src/fold/a.rs", "use crate::plan::Plan;"),
                ("src/plan.rs", "use crate::fold::b::B;\npub struct Plan;"),
            ],
            &["src/fold/ -> src/plan.rs -> src/fold/: a circle"],
        );
    }

    #[test]
    fn what_is_no_circle_is_none() {
        let a = ("src/fold/a.rs", "use super::b::B;\npub struct A;");
        check(
            &[
                a,
                (
                    "src/fold/b.rs",
                    "// use super::a::A;\nlet s = \"super::a::A\";",
                ),
            ],
            &[],
        );
        check(
            &[
                a,
                (
                    "src/fold/b.rs",
                    "#[cfg(test)]\nmod tests { use crate::fold::a::A; }",
                ),
            ],
            &[],
        );
        check(
            &[a, ("src/fold/b.rs", "#[cfg(test)]\nuse crate::fold::a::A;")],
            &[],
        );
        check(
            &[a, ("src/fold/b.rs", "use std::a::A;\nuse a::A as Other;")],
            &[],
        );
        // To hand on what a child has is not to use it.
        check(
            &[
                (
                    "src/fold/mod.rs",
                    "pub mod a;\npub mod b;\npub mod c;\npub use a::A;\npub struct D;",
                ),
                ("src/fold/a.rs", "use super::D;\npub struct A;"),
            ],
            &[],
        );
        check(&[("src/plan.rs", "use crate::fold::b::B;")], &[]);
    }
}
