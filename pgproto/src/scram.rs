//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS from the server's side (RFC 5802, 7677), with the reading
//! of them that PostgreSQL has: the user name inside the exchange is ignored, the startup message's
//! counts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use rand::RngCore;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::error::{Error, SqlState};

pub(crate) const SCRAM: &str = "SCRAM-SHA-256";
pub(crate) const SCRAM_PLUS: &str = "SCRAM-SHA-256-PLUS";

/// Random bytes in the server's part of the nonce.
const NONCE_BYTES: usize = 18;
/// Salt of a made-up verifier, in bytes, as PostgreSQL's real ones.
const FAKE_SALT_BYTES: usize = 16;

/// What the server knows of a password: enough to check it, not enough to log in with it.
#[derive(Clone)]
pub struct Verifier {
    /// Iterations of PBKDF2.
    pub iterations: u32,
    /// Salt.
    pub salt: Vec<u8>,
    /// Hash of the client key.
    pub stored_key: [u8; 32],
    /// Server key.
    pub server_key: [u8; 32],
    /// False for the verifier of a role that has none: the exchange goes on to its end and fails.
    pub genuine: bool,
}

impl Verifier {
    /// The verifier of a role that doesn't exist, has no password or may not log in.
    ///
    /// It is the same at every attempt and cannot be told from a real one without `secret`, which
    /// must therefore survive restarts and be known to nobody.
    pub fn fake(secret: &[u8], role: &str, iterations: u32) -> Self {
        let derive = |purpose: &[u8]| hmac(secret, &[purpose, b"\0", role.as_bytes()]);
        Self {
            iterations,
            salt: derive(b"salt")[..FAKE_SALT_BYTES].to_vec(),
            stored_key: derive(b"stored key"),
            server_key: derive(b"server key"),
            genuine: false,
        }
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier").finish_non_exhaustive()
    }
}

/// What the connection can bind the exchange to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Channel<'a> {
    /// `tls-server-end-point`, if the connection has one: then PLUS was offered.
    pub(crate) end_point: Option<&'a [u8]>,
    /// Whether the client chose PLUS.
    pub(crate) plus: bool,
}

/// An exchange between the server's first message and the client's final one.
pub(crate) struct Exchange {
    verifier: Verifier,
    nonce: String,
    client_first_bare: String,
    server_first: String,
    /// What the client must repeat in `c=`.
    binding: String,
}

/// The exchange's outcome: the server's final message, or a wrong password.
pub(crate) enum Verdict {
    Right(String),
    Wrong,
}

impl Exchange {
    /// Reads the client's first message.
    pub(crate) fn begin(
        verifier: Verifier,
        channel: Channel<'_>,
        client_first: &[u8],
    ) -> Result<Self, Error> {
        let text = printable(client_first)?;
        let (header_length, binding) = gs2_header(text, channel)?;
        let bare = &text[header_length..];
        let client_nonce = client_nonce(bare)?;

        let mut random = [0; NONCE_BYTES];
        rand::rng().fill_bytes(&mut random);
        let nonce = format!("{client_nonce}{}", STANDARD.encode(random));
        let server_first =
            format!("r={nonce},s={},i={}", STANDARD.encode(&verifier.salt), verifier.iterations);
        Ok(Self { verifier, nonce, client_first_bare: bare.to_owned(), server_first, binding })
    }

    /// The server's first message.
    pub(crate) fn server_first(&self) -> &str {
        &self.server_first
    }

    /// Reads the client's final message.
    pub(crate) fn finish(&self, client_final: &[u8]) -> Result<Verdict, Error> {
        let text = printable(client_final)?;
        let (without_proof, proof) =
            text.rsplit_once(",p=").ok_or_else(|| malformed("the proof is missing"))?;
        let mut attributes = without_proof.split(',');
        let binding = attribute(attributes.next(), "c=")?;
        let nonce = attribute(attributes.next(), "r=")?;
        if binding != self.binding {
            let code = SqlState::INVALID_AUTHORIZATION;
            return Err(Error::fatal(code, "SCRAM channel binding check failed"));
        }
        if nonce != self.nonce {
            return Err(malformed("the nonce does not match"));
        }
        let proof: [u8; 32] = STANDARD
            .decode(proof)
            .ok()
            .and_then(|proof| proof.try_into().ok())
            .ok_or_else(|| malformed("the proof is malformed"))?;

        let message = format!("{},{},{without_proof}", self.client_first_bare, self.server_first);
        let signature = hmac(&self.verifier.stored_key, &[message.as_bytes()]);
        let mut client_key = proof;
        client_key.iter_mut().zip(signature).for_each(|(byte, other)| *byte ^= other);
        let stored_key: [u8; 32] = Sha256::digest(client_key).into();
        let right = stored_key.ct_eq(&self.verifier.stored_key)
            & subtle::Choice::from(u8::from(self.verifier.genuine));
        let server_signature = hmac(&self.verifier.server_key, &[message.as_bytes()]);
        Ok(if bool::from(right) {
            Verdict::Right(format!("v={}", STANDARD.encode(server_signature)))
        } else {
            Verdict::Wrong
        })
    }
}

/// Reads `gs2-header`; gives its length and what `c=` must be.
fn gs2_header(text: &str, channel: Channel<'_>) -> Result<(usize, String), Error> {
    let mut parts = text.splitn(3, ',');
    let flag = parts.next().unwrap_or_default();
    let authorization = parts.next().ok_or_else(|| malformed("the header is incomplete"))?;
    parts.next().ok_or_else(|| malformed("the header is incomplete"))?;
    if !authorization.is_empty() {
        let code = SqlState::FEATURE_NOT_SUPPORTED;
        return Err(Error::fatal(
            code,
            "client uses authorization identity, but it is not supported",
        ));
    }
    let header = format!("{flag},,");
    let mut binding = header.clone().into_bytes();
    match (flag, channel.plus, channel.end_point) {
        ("n", false, _) | ("y", false, None) => {}
        // The client supports binding and did not see our offer: somebody removed it.
        ("y", false, Some(_)) => {
            return Err(Error::fatal(
                SqlState::INVALID_AUTHORIZATION,
                "SCRAM channel binding negotiation error",
            )
            .with_detail(
                "The client supports SCRAM channel binding but thinks the server does not. \
                 However, this server does support channel binding.",
            ));
        }
        ("p=tls-server-end-point", true, Some(end_point)) => binding.extend(end_point),
        (flag, true, _) if flag.starts_with("p=") => {
            return Err(malformed("unsupported channel-binding type"));
        }
        (_, true, _) => {
            return Err(malformed(
                "the client selected SCRAM-SHA-256-PLUS, but the message does not include \
                 channel binding data",
            ));
        }
        (flag, false, _) if flag.starts_with("p=") => {
            return Err(malformed(
                "the client selected SCRAM-SHA-256 without channel binding, but the message \
                 includes channel binding data",
            ));
        }
        _ => return Err(malformed("unexpected channel-binding flag")),
    }
    Ok((header.len(), STANDARD.encode(binding)))
}

fn client_nonce(bare: &str) -> Result<&str, Error> {
    let mut attributes = bare.split(',');
    let first = attributes.next();
    if first.is_some_and(|attribute| attribute.starts_with("m=")) {
        let code = SqlState::FEATURE_NOT_SUPPORTED;
        return Err(Error::fatal(code, "client requires an unsupported SCRAM extension"));
    }
    attribute(first, "n=")?;
    let nonce = attribute(attributes.next(), "r=")?;
    if nonce.is_empty() { Err(malformed("the nonce is empty")) } else { Ok(nonce) }
}

fn attribute<'a>(attribute: Option<&'a str>, name: &str) -> Result<&'a str, Error> {
    attribute
        .and_then(|attribute| attribute.strip_prefix(name))
        .ok_or_else(|| malformed(&format!("attribute \"{name}\" expected")))
}

fn printable(message: &[u8]) -> Result<&str, Error> {
    let text = std::str::from_utf8(message).map_err(|_| malformed("the message is not text"))?;
    // `n=` may hold any UTF-8; the nonces are checked by being repeated.
    if text.contains('\0') { Err(malformed("the message holds a NUL")) } else { Ok(text) }
}

fn malformed(detail: &str) -> Error {
    Error::fatal(SqlState::PROTOCOL_VIOLATION, format!("malformed SCRAM message: {detail}"))
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NO_CHANNEL: Channel<'_> = Channel { end_point: None, plus: false };

    fn code(channel: Channel<'_>, first: &str) -> Option<String> {
        let verifier = Verifier::fake(b"secret", "role", 4096);
        Exchange::begin(verifier, channel, first.as_bytes()).err().map(|e| e.code.to_string())
    }

    #[test]
    fn channel_binding_cannot_be_stripped() {
        let offered = Channel { end_point: Some(b"hash"), plus: false };
        assert_eq!(code(offered, "y,,n=,r=abc").as_deref(), Some("28000"));
        assert_eq!(code(offered, "n,,n=,r=abc"), None);
        assert_eq!(code(NO_CHANNEL, "y,,n=,r=abc"), None);
        let plus = Channel { plus: true, ..offered };
        assert_eq!(code(plus, "n,,n=,r=abc").as_deref(), Some("08P01"));
        assert_eq!(code(plus, "p=tls-unique,,n=,r=abc").as_deref(), Some("08P01"));
        assert_eq!(code(plus, "p=tls-server-end-point,,n=,r=abc"), None);
        assert_eq!(code(NO_CHANNEL, "n,a=x,n=,r=abc").as_deref(), Some("0A000"));
        assert_eq!(code(NO_CHANNEL, "n,,m=x,n=,r=abc").as_deref(), Some("0A000"));
    }

    #[test]
    fn a_fake_verifier_stays_the_same() {
        let first = Verifier::fake(b"secret", "nobody", 4096);
        let second = Verifier::fake(b"secret", "nobody", 4096);
        let other = Verifier::fake(b"secret", "nobodx", 4096);
        assert_eq!(first.salt, second.salt);
        assert_ne!(first.salt, other.salt);
    }

    proptest! {
        #[test]
        fn arbitrary_messages_never_panic(
            first in proptest::collection::vec(any::<u8>(), 0..80),
            last in "[cr=,pA-D/+=]{0,60}",
        ) {
            let verifier = Verifier::fake(b"secret", "role", 4096);
            let _ = Exchange::begin(verifier.clone(), NO_CHANNEL, &first);
            let exchange = Exchange::begin(verifier, NO_CHANNEL, b"n,,n=,r=abc").unwrap();
            let _ = exchange.finish(last.as_bytes());
        }
    }
}
