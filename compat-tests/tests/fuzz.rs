//! A hundred random statements of one seed, which KalamDB must answer as PostgreSQL does.
//! `scripts/fuzz` runs others, for as long as one likes.

use std::process::Command;

/// What is answered alike by now; the other themes still meet what `scripts/fuzz` prints.
const THEMES: &str = "scalars,joins,subqueries,grouping,windows,sets,ctes,ordering,changes,keys";
/// Each runs by both protocols, several times with other values.
const CASES: &str = "100";

#[test]
fn random_statements_are_answered_as_postgresql_does() {
    let output = Command::new(env!("CARGO_BIN_EXE_fuzz"))
        .args(["--seed", "2", "--cases", CASES, "--seconds", "300", "--only", THEMES])
        .output()
        .expect("the fuzzer starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{error}");
}
