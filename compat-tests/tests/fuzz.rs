//! A few hundred random statements of one seed, which KalamDB must answer as PostgreSQL does.
//! `scripts/fuzz` runs others, for as long as one likes.

use std::process::Command;

/// Enough for every theme to come about twenty times.
const CASES: &str = "200";

#[test]
fn random_statements_are_answered_as_postgresql_does() {
    let output = Command::new(env!("CARGO_BIN_EXE_fuzz"))
        .args(["--seed", "1", "--cases", CASES, "--seconds", "300"])
        .output()
        .expect("the fuzzer starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{error}");
}
