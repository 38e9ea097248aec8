//! Golden scripts: every file below `pg/` against PostgreSQL 15 and KalamDB, statement by
//! statement, once over the simple and once over the extended protocol.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use kalamdb_compat_tests::golden::{self, Protocol};
use kalamdb_compat_tests::{script, tools};

macro_rules! scripts {
    ($($name:ident)*) => {
        const FILES: &[&str] = &[$(stringify!($name)),*];
        $(mod $name {
            #[test]
            fn simple() {
                super::agree(stringify!($name), super::Protocol::Simple);
            }
            #[test]
            fn extended() {
                super::agree(stringify!($name), super::Protocol::Extended);
            }
        })*
    };
}

scripts! {
    types_numbers types_text types_time types_json types_arrays
    ddl_tables ddl_alter ddl_indexes ddl_views ddl_sequences ddl_schemas
    constraints insert insert_rows update_delete upsert returning
    select_basic select_joins select_aggregates select_windows select_subqueries evaluation_order precedence
    correlation outer_joins membership grouping levels definition_constants window_frames rows forms
    silently_wrong transactions cursors prepared copy settings
    catalog information_schema functions errors explain_and_maintenance temporary privileges
}

#[test]
fn every_script_is_listed_and_there_are_enough_statements() {
    let found: BTreeSet<String> = std::fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let listed: BTreeSet<String> = FILES.iter().map(|f| (*f).to_owned()).collect();
    assert_eq!(found, listed);
    let count = |name: &&str| {
        let text = std::fs::read_to_string(directory().join(format!("{name}.sql"))).unwrap();
        script::parse(&text).unwrap().len()
    };
    let statements: usize = FILES.iter().map(count).sum();
    assert!(statements >= 450, "{statements} statements");
}

fn agree(name: &str, protocol: Protocol) {
    if let Err(differences) = golden::run(&directory().join(format!("{name}.sql")), protocol) {
        panic!("\n{differences}");
    }
}

fn directory() -> PathBuf {
    Path::new(tools::crate_directory()).join("pg")
}
