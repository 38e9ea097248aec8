//! LISTEN and NOTIFY: the whole sequence of backend messages, for several connections, is
//! PostgreSQL's.

use kalamdb_compat_tests::{tools, transcript};

fn run(names: &[&str]) -> usize {
    let mut cases = 0;
    for name in names {
        let path = tools::crate_directory().join(format!("notify/{name}.txt"));
        match transcript::run(&path) {
            Ok(n) => cases += n,
            Err(differences) => panic!("\n{differences}"),
        }
    }
    cases
}

#[test]
fn the_transcript_is_postgresqls() {
    let cases = run(&["delivery", "transactions"]);
    assert!(cases >= 25, "{cases} cases");
}

#[test]
fn names_are_postgresqls() {
    run(&["names"]);
}
