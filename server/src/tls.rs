//! The server's certificate: given, or made once and kept in the data directory.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use kalamdb_pgproto::Tls;

use crate::settings::{Settings, TlsMode};

/// Names that a made certificate is for.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The certificate of the settings' files; `None` unless they name some. Changes nothing.
pub(crate) fn from_files(settings: &Settings) -> Result<Option<Tls>, String> {
    match settings.tls {
        TlsMode::Files => load(&settings.tls_cert, &settings.tls_key).map(Some),
        TlsMode::Off | TlsMode::Auto => Ok(None),
    }
}

/// The certificate in the data directory, made if there is none.
pub(crate) fn automatic(data_dir: &Path) -> Result<Tls, String> {
    let directory = data_dir.join("tls");
    let (certificate, key) = (directory.join("server.crt"), directory.join("server.key"));
    if !certificate.exists() {
        let made = rcgen::generate_simple_self_signed(NAMES.map(str::to_owned))
            .map_err(|error| format!("cannot make a certificate: {error}"))?;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&directory)
            .map_err(|error| format!("cannot make {}: {error}", directory.display()))?;
        // The key first: with the certificate there, both are.
        write_private(&key, made.signing_key.serialize_pem().as_bytes())?;
        write_private(&certificate, made.cert.pem().as_bytes())?;
    }
    load(&certificate, &key)
}

fn load(certificate: &Path, key: &Path) -> Result<Tls, String> {
    let read = |path: &Path| {
        fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
    };
    Tls::from_pem(&read(certificate)?, &read(key)?)
        .map_err(|error| format!("{} and {}: {error}", certificate.display(), key.display()))
}

/// Writes a file that only the owner can read, and makes it durable.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let write = || {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        match path.parent() {
            Some(directory) => fs::File::open(directory)?.sync_all(),
            None => Ok(()),
        }
    };
    write().map_err(|error| format!("cannot write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_made_once() {
        let directory = tempfile::tempdir().unwrap();
        automatic(directory.path()).unwrap();
        let first = fs::read(directory.path().join("tls/server.crt")).unwrap();
        automatic(directory.path()).unwrap();
        assert_eq!(first, fs::read(directory.path().join("tls/server.crt")).unwrap());
        fs::write(directory.path().join("tls/server.crt"), "x").unwrap();
        assert!(automatic(directory.path()).unwrap_err().contains("certificate"));
    }
}
