//! Password verifiers.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use rand::RngCore;
use sha2::{Digest, Sha256};

use crate::{
    catalog::part::Cluster,
    error::{Error, Result, SqlState},
};

type HmacSha256 = Hmac<Sha256>;

/// PostgreSQL's number of iterations.
const ITERATIONS: u32 = 4096;
const SALT_BYTES: usize = 16;
/// Longest password, in bytes: more would only make the server work.
const MAX_PASSWORD_BYTES: usize = 4096;
const PREFIX: &str = "SCRAM-SHA-256$";

/// The verifier of a password, `SCRAM-SHA-256$4096:salt$StoredKey:ServerKey`. What is one already
/// is taken as it is.
///
/// # Errors
/// 0A000 for an MD5 hash, 22023 for a password that is too long.
pub(crate) fn verifier(password: &str) -> Result<String> {
    if is_verifier(password) {
        return Ok(password.to_owned());
    }
    if password.len() == 35
        && password.starts_with("md5")
        && password[3..].bytes().all(|b| b.is_ascii_hexdigit())
    {
        return Err(Error::feature_not_supported(
            "MD5 password hashes are not supported; give the password or its SCRAM verifier",
        ));
    }
    if password.len() > MAX_PASSWORD_BYTES {
        return Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("password is too long: at most {MAX_PASSWORD_BYTES} bytes"),
        ));
    }
    let mut salt = [0_u8; SALT_BYTES];
    rand::rng().fill_bytes(&mut salt);
    // As PostgreSQL: what SASLprep refuses counts as it is.
    let prepared = stringprep::saslprep(password).unwrap_or(password.into());
    let mut salted = [0_u8; 32];
    pbkdf2::pbkdf2_hmac::<Sha256>(prepared.as_bytes(), &salt, ITERATIONS, &mut salted);
    let stored = Sha256::digest(hmac(&salted, b"Client Key"));
    Ok(format(&salt, &stored, &hmac(&salted, b"Server Key")))
}

/// The verifier that a login attempt is held against, and whether it is a real one.
pub(crate) fn login_verifier(cluster: &Cluster, name: &str) -> (String, bool) {
    let fake = fake_verifier(cluster.secret(), name);
    let now = std::time::SystemTime::now()
        .duration_since(std::time::SystemTime::UNIX_EPOCH)
        .map_or(0, |now| i64::try_from(now.as_micros()).unwrap_or(i64::MAX));
    let real = cluster
        .role_by_name(name)
        .filter(|role| role.login && role.valid_until.is_none_or(|until| now < until))
        .and_then(|role| role.verifier.clone());
    match real {
        Some(verifier) => (verifier, true),
        None => (fake, false),
    }
}

/// For whoever has no password: nobody knows one that fits, and it is always the same.
fn fake_verifier(secret: &str, name: &str) -> String {
    let make = |what: &str| hmac(secret.as_bytes(), format!("{what}\0{name}").as_bytes());
    format(&make("salt")[..SALT_BYTES], &make("stored key"), &make("server key"))
}

fn format(salt: &[u8], stored: &[u8], server: &[u8]) -> String {
    format!("{PREFIX}{ITERATIONS}:{}${}:{}", to_base64(salt), to_base64(stored), to_base64(server))
}

fn is_verifier(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(PREFIX) else { return false };
    let Some((parameters, keys)) = rest.split_once('$') else { return false };
    let Some((iterations, salt)) = parameters.split_once(':') else { return false };
    let Some((stored, server)) = keys.split_once(':') else { return false };
    let key = |text: &str| STANDARD.decode(text).is_ok_and(|key| key.len() == 32);
    iterations.parse::<u32>().is_ok_and(|n| n > 0)
        && STANDARD.decode(salt).is_ok_and(|salt| !salt.is_empty())
        && key(stored)
        && key(server)
}

fn hmac(key: &[u8], data: &[u8]) -> [u8; 32] {
    let mut mac = HmacSha256::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(data);
    mac.finalize().into_bytes().into()
}

pub(crate) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verifiers_have_postgres_form_and_are_taken_as_they_are() {
        let made = verifier("secret").unwrap();
        assert!(is_verifier(&made), "{made}");
        assert_eq!(verifier(&made).unwrap(), made);
        assert_ne!(verifier("secret").unwrap(), made);
        assert!(verifier("md5d41d8cd98f00b204e9800998ecf8427e").is_err());
    }

    #[test]
    fn unknown_names_have_one_verifier_each() {
        let (one, real) = login_verifier(&Cluster::default(), "nobody");
        assert!(is_verifier(&one) && !real);
        assert_eq!(login_verifier(&Cluster::default(), "nobody").0, one);
        assert_ne!(login_verifier(&Cluster::default(), "somebody").0, one);
    }
}
