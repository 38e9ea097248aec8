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
    repeatable_read
    locks
    unique
    advisory
    definitions
}
