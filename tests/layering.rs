//! Modules may only use modules below them. This test is the architecture diagram.

use std::{fs, path::Path};

/// Bottom to top. Modules on one line may not use each other.
const LAYERS: &[&[&str]] = &[
    &["error", "random"],
    &["ising", "circuit"],
    &["encoding", "statevector"],
    // Above `statevector`, whose dynamics one of its samplers measures.
    &["annealing"],
    &["gradient", "hardware"],
    &["ops"],
    &["nn"],
];

/// Only `ops` may name Burn's backends; below it there is no Burn at all.
const WITHOUT_BURN: &[&str] = &[
    "error",
    "random",
    "ising",
    "circuit",
    "annealing",
    "encoding",
    "statevector",
    "gradient",
    "hardware",
];

fn layer(module: &str) -> usize {
    let found = LAYERS.iter().position(|names| names.contains(&module));
    found.unwrap_or_else(|| panic!("`src/{module}` is missing from LAYERS"))
}

/// The first segments of the paths that follow one `crate::`, braces included.
fn heads(after: &str) -> Vec<String> {
    let (mut heads, mut depth, mut at_head) = (vec![String::new()], 0, true);
    for c in after.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => {
                heads.push(String::new());
                at_head = true;
            }
            c if at_head && (c.is_alphanumeric() || c == '_') => heads.last_mut().unwrap().push(c),
            c if c.is_whitespace() => {}
            _ => at_head = false,
        }
        if depth == 0 && !at_head {
            break;
        }
    }
    heads
}

/// The source without comments: docs may point upwards.
fn code(path: &Path) -> String {
    let source = fs::read_to_string(path).unwrap();
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    source.lines().filter(is_code).collect::<Vec<_>>().join("\n")
}

/// Calls `check` with every file of a module.
fn each_file(path: &Path, check: &mut dyn FnMut(&Path)) {
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| each_file(&entry.unwrap().path(), check));
    } else {
        check(path);
    }
}

fn each_module(check: impl Fn(&str, &Path)) {
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if module != "lib" {
            each_file(&path, &mut |file| check(&module, file));
        }
    }
}

#[test]
fn every_module_uses_only_the_modules_below_it() {
    each_module(|module, file| {
        for after in code(file).split("crate::").skip(1) {
            let known = |n: &&String| LAYERS.iter().any(|l| l.contains(&n.as_str()));
            for used in heads(after).iter().filter(known) {
                let allowed = used == module || layer(used) < layer(module);
                assert!(allowed, "{}: `{module}` may not use `{used}`", file.display());
            }
        }
    });
}

#[test]
fn only_ops_names_a_backend_and_nothing_below_it_names_burn() {
    each_module(|module, file| {
        let code = code(file);
        if module != "ops" {
            assert!(!code.contains("burn::backend"), "{}: belongs into `ops`", file.display());
        }
        if WITHOUT_BURN.contains(&module) {
            assert!(!code.contains("burn::"), "{}: `{module}` is plain Rust", file.display());
        }
    });
}
