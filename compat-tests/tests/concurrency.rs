//! Sessions that get in each other's way: what waits, what is re-checked, what fails.

use kalamdb_compat_tests::{tools, transcript};

macro_rules! scripts {
    ($($(#[$attribute:meta])* $name:ident)*) => {
        $(#[test]
        $(#[$attribute])*
        fn $name() {
            let file = format!("concurrency/{}.txt", stringify!($name));
            if let Err(differences) = transcript::run(&tools::crate_directory().join(file)) {
                panic!("\n{differences}");
            }
        })*
    };
}

scripts! {
    read_committed
    #[ignore = "known to differ: run by scripts/test open"]
    repeatable_read
    #[ignore = "known to differ: run by scripts/test open"]
    locks
    unique
    advisory
    #[ignore = "known to differ: run by scripts/test open"]
    advisory_messages
}
