//! The server's certificate, for TLS and for channel binding.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256, Sha384, Sha512};
use tokio_rustls::TlsAcceptor;

/// The protocol's name in ALPN; a client that begins with TLS must offer it.
const ALPN: &[u8] = b"postgresql";

/// What is needed to answer a TLS request.
#[derive(Clone)]
pub struct Tls {
    pub(crate) acceptor: TlsAcceptor,
    /// `tls-server-end-point` (RFC 5929), `None` if the certificate's signature defines none.
    pub(crate) end_point: Option<Arc<[u8]>>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("channel_binding", &self.end_point.is_some()).finish()
    }
}

/// Why a certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// No certificate in the PEM text, or a broken one.
    #[error("no usable certificate: {0}")]
    Certificate(String),
    /// No private key in the PEM text, or a broken one.
    #[error("no usable private key: {0}")]
    Key(String),
    /// Certificate and key don't fit, or are of a kind that is not supported.
    #[error("certificate and key cannot be used: {0}")]
    Unusable(String),
}

impl Tls {
    /// TLS 1.2 and 1.3 with a certificate chain, the server's own first, and its private key.
    ///
    /// # Errors
    ///
    /// [`TlsError`] says which of the two is at fault.
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificates)
            .collect::<Result<_, _>>()
            .map_err(|error| TlsError::Certificate(error.to_string()))?;
        let Some(first) = chain.first() else {
            return Err(TlsError::Certificate("the file holds none".into()));
        };
        let end_point = end_point(first);
        let key =
            PrivateKeyDer::from_pem_slice(key).map_err(|error| TlsError::Key(error.to_string()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Unusable(error.to_string()))?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| TlsError::Unusable(error.to_string()))?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), end_point })
    }

    /// Whether the handshake agreed on the protocol's name.
    pub(crate) fn alpn_agreed(connection: &rustls::ServerConnection) -> bool {
        connection.alpn_protocol() == Some(ALPN)
    }
}

/// Hash of the certificate by the hash of its own signature, where MD5 and SHA-1 count as SHA-256
/// (RFC 5929, section 4.1).
fn end_point(certificate: &CertificateDer<'_>) -> Option<Arc<[u8]>> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    match parsed.signature_algorithm.algorithm.to_id_string().as_str() {
        // md5, sha1 and sha256 with RSA; ECDSA with SHA-1 and SHA-256.
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.1"
        | "1.2.840.10045.4.3.2" => Some(Sha256::digest(certificate).as_slice().into()),
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => {
            Some(Sha384::digest(certificate).as_slice().into())
        }
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => {
            Some(Sha512::digest(certificate).as_slice().into())
        }
        _ => None,
    }
}
