//! The superuser's first password.
//!
//! A made-up password is kept in a file from before the catalog is made until it has been shown, so
//! that a crash in between doesn't make a superuser whose password nobody knows. A second file says
//! that this is over.

use std::fs;
use std::path::{Path, PathBuf};

use rand::Rng;
use rand::distr::Alphanumeric;

use crate::settings::PASSWORD_VARIABLE;
use crate::tls::write_private;

/// Characters of a made-up password: 24 of 62 kinds are 142 bits.
const PASSWORD_CHARACTERS: usize = 24;

/// The password of the superuser, should this be the first start.
pub(crate) struct FirstPassword {
    password: String,
    initialized: PathBuf,
    made_up: Option<PathBuf>,
}

impl FirstPassword {
    /// Takes the password from the environment or makes one up. The directory is there and locked;
    /// `is_first`: it was empty before.
    pub(crate) fn prepare(data_dir: &Path, is_first: bool) -> Result<Self, String> {
        let given = std::env::var(PASSWORD_VARIABLE).ok().filter(|password| !password.is_empty());
        Self::of(data_dir, is_first, given)
    }

    fn of(data_dir: &Path, is_first: bool, given: Option<String>) -> Result<Self, String> {
        let initialized = data_dir.join("initialized");
        let pending = data_dir.join("first-password");
        if initialized.exists() {
            return Ok(Self { password: make_up(), initialized, made_up: None });
        }
        if let Some(password) = given {
            return Ok(Self { password, initialized, made_up: None });
        }
        let password = match fs::read_to_string(&pending) {
            Ok(password) if !password.is_empty() => password,
            // The superuser that is there has another password than one made up now.
            Ok(_) | Err(_) if !is_first => {
                return Err(format!(
                    "{} is not new but has no file \"initialized\"; if its first start was \
                     interrupted, set {PASSWORD_VARIABLE}",
                    data_dir.display()
                ));
            }
            Ok(_) | Err(_) => {
                let password = make_up();
                write_private(&pending, password.as_bytes())?;
                password
            }
        };
        Ok(Self { password, initialized, made_up: Some(pending) })
    }

    /// For the engine, which uses it only when there is no superuser yet.
    pub(crate) fn password(&self) -> &str {
        &self.password
    }

    /// The catalog is there: `show`s a made-up password once, then forgets it.
    pub(crate) fn settle(
        self,
        show: impl FnOnce(&str) -> Result<(), String>,
    ) -> Result<(), String> {
        if self.initialized.exists() {
            return Ok(());
        }
        if self.made_up.is_some() {
            show(&self.password)?;
        }
        write_private(&self.initialized, b"")?;
        match self.made_up {
            Some(path) => fs::remove_file(&path)
                .map_err(|error| format!("cannot remove {}: {error}", path.display())),
            None => Ok(()),
        }
    }
}

fn make_up() -> String {
    let characters = rand::rng().sample_iter(Alphanumeric).take(PASSWORD_CHARACTERS);
    characters.map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_password_survives_until_it_was_shown() {
        let directory = tempfile::tempdir().unwrap();
        let first = FirstPassword::of(directory.path(), true, None).unwrap();
        let first = first.password().to_owned();
        // The process dies here; the next one shows the same password.
        let again = FirstPassword::of(directory.path(), false, None).unwrap();
        let mut shown = None;
        again
            .settle(|password| {
                shown = Some(password.to_owned());
                Ok(())
            })
            .unwrap();
        assert_eq!(shown, Some(first));
        let later = FirstPassword::of(directory.path(), false, None).unwrap();
        later.settle(|_| Err("shown twice".into())).unwrap();
        assert!(!directory.path().join("first-password").exists());
    }

    #[test]
    fn an_old_directory_gets_no_new_password() {
        let directory = tempfile::tempdir().unwrap();
        assert!(FirstPassword::of(directory.path(), false, None).is_err());
        assert!(!directory.path().join("first-password").exists());
        assert!(FirstPassword::of(directory.path(), false, Some("secret".into())).is_ok());
    }

    #[test]
    fn a_given_password_is_not_shown() {
        let directory = tempfile::tempdir().unwrap();
        let first = FirstPassword::of(directory.path(), true, Some("secret".into())).unwrap();
        assert_eq!(first.password(), "secret");
        first.settle(|_| Err("shown".into())).unwrap();
    }
}
