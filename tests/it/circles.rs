//! Modules of a floor that name each other in a circle cannot be read, tested or moved one by one.

use std::collections::{BTreeMap, BTreeSet};

use crate::layers::{is_test_file, module_of};
use crate::support::rust_files;
use crate::support::rust_source::{NamedPath, named_paths, tokens};

/// Floors without circles: of the modules beside each other, at every depth, none names itself over others.
/// A module and those inside it may name each other; tests may name anything.
const WITHOUT_CIRCLES: &[&str] = &[
    "agent",
    "api",
    "base",
    "cli",
    "client",
    "destination",
    "domain",
    "engine",
    "extension",
    "platform",
    "ui",
];

/// The modules that take part in a circle, those beside each other in one line.
fn circles(floor: &str, files: &[(String, String)]) -> Vec<String> {
    let modules: BTreeMap<Vec<String>, &str> = files
        .iter()
        .map(|(file, source)| (module_of(file), source.as_str()))
        .filter(|(module, _source)| module.first().is_some_and(|own| own == floor) && !is_test_file(module))
        .collect();
    // By what holds them: which module names which.
    let mut named: BTreeMap<Vec<String>, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for (module, source) in &modules {
        for path in named_paths(&tokens(source), module).into_iter().filter(|path| !path.in_test) {
            let target = path.segments.get(1..).unwrap_or_default();
            let Some(length) =
                (1..=target.len()).rev().find(|length| modules.contains_key(&target[..*length]))
            else {
                continue;
            };
            let target = &target[..length];
            let common = module.iter().zip(target).take_while(|(a, b)| a == b).count();
            if let (Some(from), Some(to)) = (module.get(common), target.get(common)) {
                let beside = named.entry(module[..common].to_vec()).or_default();
                beside.entry(from.clone()).or_default().insert(to.clone());
            }
        }
    }
    named
        .into_iter()
        .filter_map(|(above, named)| circle_of(named).map(|circle| (above, circle)))
        .map(|(above, circle)| format!("{}: {}", above.join("::"), circle.join(", ")))
        .collect()
}

/// What is left when whoever names nobody is taken away again and again.
fn circle_of(mut named: BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    loop {
        let naming: BTreeSet<String> = named.keys().cloned().collect();
        let before = named.len();
        for others in named.values_mut() {
            others.retain(|other| naming.contains(other));
        }
        named.retain(|_module, others| !others.is_empty());
        if named.len() == before {
            return (before > 0).then(|| named.into_keys().collect());
        }
    }
}

#[test]
fn no_modules_of_these_floors_go_in_circles() {
    let files = rust_files("src");
    let found: Vec<String> = WITHOUT_CIRCLES.iter().flat_map(|floor| circles(floor, &files)).collect();
    assert!(found.is_empty(), "circles:\n{}", found.join("\n"));
}

#[test]
fn planted_circles_are_seen() {
    let file = |name: &str, source: &str| (format!("src/destination/{name}.rs"), source.to_owned());
    let chain = [file("a", "use super::b::X;"), file("b", "use super::c::{Y, Z};"), file("c/mod", "mod d;")];
    assert_eq!(circles("destination", &chain), Vec::<String>::new());
    // The way back leads through a module inside another.
    let circle = [&chain[..], &[file("c/d", "fn f() { crate::destination::a::g() }")]].concat();
    assert_eq!(circles("destination", &circle), ["destination: a, b, c"]);
    let in_tests = [&chain[..], &[file("c/d", "#[cfg(test)]\nmod tests { use crate::destination::a::G; }")]];
    assert_eq!(circles("destination", &in_tests.concat()), Vec::<String>::new());
}

/// Which modules of the engine each of them names, tests left out. A module is a file.
fn engine_edges(files: &[(String, String)]) -> BTreeMap<Vec<String>, BTreeSet<Vec<String>>> {
    let is_engine = |module: &[String]| module.first().is_some_and(|first| first == "engine");
    let sources: BTreeMap<Vec<String>, &String> = files
        .iter()
        .map(|(file, source)| (module_of(file), source))
        .filter(|(module, _)| is_engine(module) && module.len() > 1 && !is_test_file(module))
        .collect();
    let named = |module: &Vec<String>, source: &str| {
        let parts = tokens(source);
        let paths = named_paths(&parts, module).into_iter().filter(|path| !path.in_test);
        // The longest beginning of a path that is a file.
        let target = |path: NamedPath| {
            let is_absolute = path.segments.first().is_some_and(|first| first == "crate");
            // A bare name may be that of a module below.
            let whole = if is_absolute {
                path.segments[1..].to_vec()
            } else {
                [&module[..], &path.segments].concat()
            };
            // `pub(super)` and `mod below;` name nothing.
            if module.starts_with(&whole) || !is_absolute && path.segments.len() == 1 {
                return None;
            }
            let lengths = (2..=whole.len()).rev();
            lengths.map(|len| whole[..len].to_vec()).find(|known| sources.contains_key(known))
        };
        paths.filter_map(target).filter(|other| other != module).collect()
    };
    sources.iter().map(|(module, source)| (module.clone(), named(module, source))).collect()
}

/// A way from a module back to itself, if there is one.
fn circle(edges: &BTreeMap<Vec<String>, BTreeSet<Vec<String>>>) -> Option<Vec<String>> {
    // What names nothing that is left over is in no circle; what is left over at the end is, or leads to one.
    let mut left: BTreeSet<&Vec<String>> = edges.keys().collect();
    loop {
        let before = left.clone();
        left.retain(|module| edges[*module].iter().any(|to| before.contains(to)));
        if left.len() == before.len() {
            break;
        }
    }
    let mut way: Vec<&Vec<String>> = vec![left.first().copied()?];
    loop {
        let next = edges[*way.last()?].iter().find(|to| left.contains(to))?;
        if let Some(at) = way.iter().position(|module| *module == next) {
            return Some(way[at..].iter().map(|module| module.join("::")).collect());
        }
        way.push(next);
    }
}

#[test]
fn modules_of_the_engine_form_no_circle() {
    let edges = engine_edges(&rust_files("src"));
    assert!(edges.len() > 20, "only {} modules of the engine", edges.len());
    assert!(edges.values().map(BTreeSet::len).sum::<usize>() > edges.len(), "hardly a module names another");
    let found = circle(&edges).map(|way| way.join(" names\n"));
    assert!(found.is_none(), "modules of the engine name each other:\n{}", found.unwrap_or_default());
}

#[test]
fn a_planted_circle_is_seen() {
    let file = |name: &str, source: &str| (format!("src/engine/{name}.rs"), source.to_owned());
    let around = [
        file("a", "use crate::engine::b::B;"),
        file("b", "fn f() { super::c::g() }"),
        file("c/mod", "mod d; use crate::{domain, engine::a::{A, B}};"),
        file("c/d", "use super::Shared;"),
    ];
    let found = circle(&engine_edges(&around)).expect("a circle");
    assert_eq!(found, ["engine::a", "engine::b", "engine::c"]);
    let down_and_up = [file("c/mod", "mod d; pub use d::D;"), file("c/d", "use super::C;")];
    assert!(circle(&engine_edges(&down_and_up)).is_some());
    let straight = [
        file("a", "use crate::engine::b::B; #[cfg(test)] mod tests { use crate::engine::c::C; }"),
        file("b", "use super::handle;"),
        file("c/mod", "use crate::engine::a::A;"),
        file("c/d", "pub(super) fn f() {} use crate::engine::a::A;"),
        file("tests/e", "use crate::engine::c::C;"),
    ];
    assert_eq!(circle(&engine_edges(&straight)), None);
}
