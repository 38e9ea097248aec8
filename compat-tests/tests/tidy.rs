//! The layers, checked: who may depend on whom, who owns which library, how long files may be.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use kalamdb_compat_tests::tools;

/// Each crate and the crates of ours it may name.
const ARROWS: &[(&str, &[&str])] = &[
    ("kalamdb-server", &["kalamdb-engine", "kalamdb-pgproto", "kalamdb-storage"]),
    ("kalamdb-engine", &["kalamdb-storage"]),
    ("kalamdb-storage", &[]),
    ("kalamdb-pgproto", &[]),
    ("kalamdb-compat-tests", &[]),
];

/// Libraries and the only crates that may depend on them.
const OWNERS: &[(&str, &[&str])] = &[
    ("rocksdb", &["kalamdb-storage"]),
    ("object_store", &["kalamdb-storage"]),
    ("parquet", &["kalamdb-storage"]),
    ("datafusion", &["kalamdb-engine"]),
    ("sqlparser", &["kalamdb-engine"]),
    ("rustls", &["kalamdb-pgproto", "kalamdb-server"]),
    ("tokio-rustls", &["kalamdb-pgproto", "kalamdb-server"]),
    ("rcgen", &["kalamdb-pgproto", "kalamdb-server"]),
    ("clap", &["kalamdb-server"]),
    ("tikv-jemallocator", &["kalamdb-server"]),
    ("toml", &["kalamdb-server"]),
    ("tracing-subscriber", &["kalamdb-server"]),
    ("tokio-postgres", &["kalamdb-compat-tests"]),
    ("postgres-protocol", &["kalamdb-compat-tests"]),
];

/// A file longer than this holds two things.
const MAX_LINES: usize = 1000;

#[test]
fn crates_depend_only_where_the_arrows_point() {
    let dependencies = dependencies(true);
    let ours: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let found: BTreeSet<&str> = dependencies.keys().map(|name| &**name).collect();
    assert_eq!(found, ours, "the workspace's crates");
    for (name, allowed) in ARROWS {
        for dependency in dependencies[*name].iter().filter(|d| ours.contains(&***d)) {
            assert!(allowed.contains(&&**dependency), "{name} depends on {dependency}");
        }
    }
}

#[test]
fn libraries_have_one_owner() {
    for (name, dependencies) in dependencies(false) {
        for (library, owners) in OWNERS {
            let owned = !dependencies.contains(*library) || owners.contains(&&*name);
            assert!(owned, "{name} depends on {library}, which belongs to {owners:?}");
        }
    }
}

#[test]
fn files_are_short_and_not_called_mod() {
    for path in files("rs") {
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = text.lines().count();
        assert!(lines <= MAX_LINES, "{} has {lines} lines", path.display());
        assert_ne!(path.file_name().unwrap(), "mod.rs", "{}", path.display());
    }
}

#[test]
fn the_project_speaks_of_itself_alone() {
    // Paths and hosts of the machine it was written on, and marks of unfinished work.
    let forbidden = ["/work/", "/root/", "todo!(", "unimplemented!(", "dbg!("];
    let here = Path::new("compat-tests/tests/tidy.rs");
    for extension in ["rs", "md", "toml", "sql", "py", "mjs", "txt", "json"] {
        for path in files(extension).into_iter().filter(|p| !p.ends_with(here)) {
            let text = std::fs::read_to_string(&path).unwrap();
            for word in forbidden {
                assert!(!text.contains(word), "{} says {word}", path.display());
            }
        }
    }
}

fn root() -> &'static Path {
    tools::crate_directory().parent().expect("the crate lies in the workspace")
}

/// The files that git knows or would know, so that neither builds nor data are looked at.
fn files(extension: &str) -> Vec<PathBuf> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .arg(format!("*.{extension}"))
        .current_dir(root())
        .output()
        .expect("git runs");
    assert!(output.status.success(), "git ls-files fails");
    let names = String::from_utf8(output.stdout).unwrap();
    let paths = names.split('\0').filter(|n| !n.is_empty()).map(|n| root().join(n));
    paths.filter(|p| p.is_file()).collect()
}

/// The direct dependencies of each crate, those of its tests only if asked for.
fn dependencies(tests: bool) -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let name = |v: &serde_json::Value| v["name"].as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|p| {
            let all = p["dependencies"].as_array().unwrap().iter();
            (name(p), all.filter(|d| tests || d["kind"] != "dev").map(name).collect())
        })
        .collect()
}
