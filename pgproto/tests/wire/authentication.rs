//! What happens before anybody is logged in.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use kalamdb_pgproto::{Limits, Tls};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::backend::{Login, Options, Server};
use crate::client::{Client, SSL_REQUEST, error_code, kinds, startup, with_length};

fn certificate() -> (Tls, Vec<u8>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let key = made.signing_key.serialize_pem();
    let tls = Tls::from_pem(made.cert.pem().as_bytes(), key.as_bytes()).unwrap();
    (tls, made.cert.der().to_vec())
}

#[derive(Debug)]
struct TrustAll;

impl ServerCertVerifier for TrustAll {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        rustls::crypto::ring::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

async fn encrypt(stream: TcpStream, alpn: bool) -> std::io::Result<Client> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(TrustAll))
        .with_no_client_auth();
    if alpn {
        config.alpn_protocols = vec![b"postgresql".to_vec()];
    }
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    Ok(Client::over(Box::new(stream)))
}

/// Asks for TLS as libpq does.
async fn secure(server: &Server) -> Client {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&SSL_REQUEST).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'S');
    encrypt(stream, false).await.unwrap()
}

/// Runs SCRAM by hand; gives the messages after the client's proof.
async fn scram(
    client: &mut Client,
    mechanism: &str,
    header: &str,
    bound: &[u8],
    password: &str,
) -> Vec<crate::client::Message> {
    let bare = "n=,r=clientnonce";
    let first = format!("{header}{bare}");
    let length = i32::try_from(first.len()).unwrap().to_be_bytes();
    client.put('p', &[mechanism.as_bytes(), b"\0", &length, first.as_bytes()]).send().await;
    let answer = client.message().await.unwrap();
    if answer.kind != 'R' {
        return vec![answer];
    }
    let server_first = String::from_utf8(answer.body[4..].to_vec()).unwrap();
    let part = |name: &str| {
        server_first.split(',').find_map(|part| part.strip_prefix(name)).unwrap().to_owned()
    };
    let salt = STANDARD.decode(part("s=")).unwrap();
    let mut salted = [0; 32];
    let iterations = part("i=").parse().unwrap();
    pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), &salt, iterations, &mut salted);
    let mac = |key: &[u8], text: &[u8]| -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(text);
        mac.finalize().into_bytes().into()
    };
    let binding = STANDARD.encode([header.as_bytes(), bound].concat());
    let without_proof = format!("c={binding},r={}", part("r="));
    let message = format!("{bare},{server_first},{without_proof}");
    let key = mac(&salted, b"Client Key");
    let signature = mac(&Sha256::digest(key), message.as_bytes());
    let proof: Vec<u8> = key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
    let last = format!("{without_proof},p={}", STANDARD.encode(proof));
    client.put('p', &[last.as_bytes()]).send().await;
    client.messages().await
}

fn with_password() -> Options {
    Options { login: Login::Password, ..Options::default() }
}

#[tokio::test]
async fn a_password_logs_in_and_a_wrong_one_does_not() {
    let server = Server::with(with_password()).await;
    for (user, password, expected) in
        [("alice", "secret", "RRSKZ"), ("alice", "wrong", "E"), ("nobody", "secret", "E")]
    {
        let mut client = Client::connect(server.address).await;
        client.raw(&startup(196_608, &[("user", user)])).await;
        let offered = client.message().await.unwrap();
        assert_eq!(&offered.body[4..], b"SCRAM-SHA-256\0\0");
        let messages = scram(&mut client, "SCRAM-SHA-256", "n,,", b"", password).await;
        assert_eq!(kinds(&messages), expected, "{user} {password}");
        if expected == "E" {
            assert_eq!(messages[0].field('S'), "FATAL");
            assert_eq!(messages[0].field('C'), "28P01");
            let expected = format!("password authentication failed for user \"{user}\"");
            assert_eq!(messages[0].field('M'), expected);
        } else {
            assert_eq!(client.key.len(), 4);
        }
    }
}

#[tokio::test]
async fn a_real_driver_logs_in() {
    let server = Server::with(with_password()).await;
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(server.address.port()).user("alice").password("secret");
    let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let rows = client.query("rows 3", &[]).await.unwrap();
    assert_eq!(rows[2].get::<_, String>(0), "ROW 2");
    config.password("wrong");
    let refused = config.connect(tokio_postgres::NoTls).await.err().unwrap();
    assert_eq!(refused.code().unwrap().code(), "28P01");
}

#[tokio::test]
async fn every_error_before_authentication_ends_the_connection() {
    let server = Server::with(Options { login: Login::Broken, ..Options::default() }).await;
    let mut client = Client::connect(server.address).await;
    client.raw(&startup(196_608, &[("user", "alice")])).await;
    client.query("rows 1").send().await;
    let messages = client.messages().await;
    assert_eq!(kinds(&messages), "E");
    assert_eq!(messages[0].field('S'), "FATAL");

    // A statement instead of a proof.
    let server = Server::with(with_password()).await;
    let mut client = Client::connect(server.address).await;
    client.raw(&startup(196_608, &[("user", "alice")])).await;
    client.query("rows 1").send().await;
    let messages = client.messages().await;
    assert_eq!(kinds(&messages), "RE");
    assert_eq!(error_code(&messages), "08P01");
}

#[tokio::test]
async fn broken_first_packets_end_the_connection() {
    let server = Server::start().await;
    let old = startup(131_072, &[("user", "alice")]);
    let nobody = startup(196_608, &[("database", "alice")]);
    let open_end = with_length(&[&196_608u32.to_be_bytes()[..], b"user\0alice\0"].concat());
    let cases: [(&[u8], &str); 7] = [
        (&[0xff; 8], "08P01"),
        (&[0, 0, 0, 3], "08P01"),
        (&[0, 0x10, 0, 0, 0, 3, 0, 0], "08P01"),
        (&old, "0A000"),
        (&nobody, "28000"),
        (&open_end, "08P01"),
        (b"GET / HTTP/1.1\r\n\r\n", "08P01"),
    ];
    for (packet, code) in cases {
        let mut client = Client::connect(server.address).await;
        client.raw(packet).await;
        let messages = client.messages().await;
        assert_eq!((kinds(&messages).as_str(), error_code(&messages).as_str()), ("E", code));
    }
}

#[tokio::test]
async fn a_slow_login_is_cut_off() {
    let limits = Limits { authentication_timeout: Duration::from_millis(50), ..Limits::default() };
    let server = Server::with(Options { login: Login::Slow, limits, tls: None }).await;
    let mut client = Client::connect(server.address).await;
    client.raw(&startup(196_608, &[("user", "alice")])).await;
    assert_eq!(error_code(&client.messages().await), "57014");
    let mut silent = Client::connect(server.address).await;
    assert_eq!(error_code(&silent.messages().await), "57014");
}

#[tokio::test]
async fn newer_versions_and_options_are_negotiated() {
    let server = Server::start().await;
    let mut client = Client::connect(server.address).await;
    let version = (3 << 16) | 9999;
    client.raw(&startup(version, &[("user", "a"), ("_pq_.extra", "1")])).await;
    let messages = client.messages().await;
    assert_eq!(kinds(&messages), "vRSKZ");
    assert_eq!(&messages[0].body[..], b"\0\x03\0\x02\0\0\0\x01_pq_.extra\0");
    assert_eq!(client.key.len(), 32);

    let mut client = Client::connect(server.address).await;
    client.raw(&startup(196_608, &[("user", "a"), ("options", "-c role=bob")])).await;
    let messages = client.messages().await;
    assert_eq!(kinds(&messages), "RSSKZ");
    assert_eq!(messages[1].text(), "role\0bob");
    assert_eq!(client.key.len(), 4);
}

#[tokio::test]
async fn without_tls_encryption_is_declined() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let gss_request = with_length(&80_877_104u32.to_be_bytes());
    for request in [&SSL_REQUEST[..], &gss_request] {
        stream.write_all(request).await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'N');
    }
    let mut client = Client::over(Box::new(stream));
    client.raw(&startup(196_608, &[("user", "alice")])).await;
    assert_eq!(client.kinds().await, "RSKZ");
}

#[tokio::test]
async fn tls_carries_scram_with_channel_binding() {
    let (tls, certificate) = certificate();
    let server = Server::with(Options { tls: Some(tls), ..with_password() }).await;
    let hash = Sha256::digest(&certificate);
    let header = "p=tls-server-end-point,,";
    let plus = "SCRAM-SHA-256-PLUS";
    let cases: [(&str, &str, &[u8], &str); 5] = [
        (plus, header, &hash, "RRSKZ"),
        ("SCRAM-SHA-256", "n,,", b"", "RRSKZ"),
        // Bound to another certificate: a man in the middle.
        (plus, header, &[0; 32], "28000"),
        // The client could bind and was not offered it: the offer was taken away.
        ("SCRAM-SHA-256", "y,,", b"", "28000"),
        (plus, "n,,", b"", "08P01"),
    ];
    for (mechanism, header, bound, expected) in cases {
        let mut client = secure(&server).await;
        client.raw(&startup(196_610, &[("user", "alice")])).await;
        let offered = client.message().await.unwrap();
        assert_eq!(&offered.body[4..], b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0");
        let messages = scram(&mut client, mechanism, header, bound, "secret").await;
        if expected.len() == 5 && expected != "RRSKZ" {
            assert_eq!((kinds(&messages), error_code(&messages)), ("E".into(), expected.into()));
        } else {
            assert_eq!(kinds(&messages), expected);
            assert_eq!(kinds(&client.ask("rows 100000").await).len(), 100_003);
        }
    }
}

#[tokio::test]
async fn bytes_smuggled_behind_an_encryption_request_end_the_connection() {
    let (tls, _) = certificate();
    let server = Server::with(Options { tls: Some(tls), ..Options::default() }).await;
    let mut client = Client::connect(server.address).await;
    let smuggled = startup(196_608, &[("user", "alice")]);
    client.raw(&[&SSL_REQUEST[..], &smuggled].concat()).await;
    let messages = client.messages().await;
    assert_eq!((kinds(&messages), error_code(&messages)), ("E".into(), "08P01".into()));
}

#[tokio::test]
async fn tls_without_asking_needs_alpn() {
    let (tls, _) = certificate();
    let server = Server::with(Options { tls: Some(tls), ..Options::default() }).await;
    let stream = TcpStream::connect(server.address).await.unwrap();
    let mut client = encrypt(stream, true).await.unwrap();
    client.raw(&startup(196_608, &[("user", "alice")])).await;
    assert_eq!(client.kinds().await, "RSKZ");
    let stream = TcpStream::connect(server.address).await.unwrap();
    let mut client = encrypt(stream, false).await.unwrap();
    assert_eq!(client.kinds().await, "E");
}
