//! From the first byte to the startup message: TLS, protocol version, parameters.

use crate::decode;
use crate::error::{Error, SqlState};
use crate::message::StartupPacket;
use crate::tls::Tls;
use crate::wire::{Stop, Wire};

/// The protocol's versions that we speak.
pub(crate) const MAJOR: u16 = 3;
pub(crate) const NEWEST_MINOR: u16 = 2;

/// What a client said when it connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartupParameters {
    /// The role that wants to log in.
    pub user: String,
    /// The database it names, or the role's name if it names none.
    pub database: String,
    /// Settings for the session in the order they take effect: first those of `options`
    /// (`-c name=value`), then the parameters of the startup message.
    pub settings: Vec<(String, String)>,
    /// Minor version of protocol 3 that the connection speaks.
    pub minor: u16,
}

/// What a connection turned out to want.
pub(crate) enum Opening {
    Session(StartupParameters),
    Cancel { process_id: i32, key: Vec<u8> },
}

/// Reads packets until the client says what it wants, going over to TLS on the way if it asks.
pub(crate) async fn open(wire: &mut Wire, tls: Option<&Tls>) -> Result<Opening, Stop> {
    if let Some(tls) = tls
        && wire.begins_with_tls().await?
    {
        wire.accept_tls(tls).await?;
        wire.require_alpn()?;
    }
    let (mut tls_asked, mut gss_asked) = (wire.is_encrypted(), false);
    loop {
        let packet = wire.startup_packet().await?;
        match decode::startup_packet(&packet).map_err(Stop::Fatal)? {
            StartupPacket::Tls if !tls_asked => {
                tls_asked = true;
                no_smuggled_bytes(wire, "SSL")?;
                wire.answer_negotiation(if tls.is_some() { b'S' } else { b'N' }).await?;
                if let Some(tls) = tls {
                    wire.accept_tls(tls).await?;
                }
            }
            StartupPacket::Gss if !gss_asked && !wire.is_encrypted() => {
                gss_asked = true;
                no_smuggled_bytes(wire, "GSSAPI encryption")?;
                wire.answer_negotiation(b'N').await?;
            }
            StartupPacket::Tls | StartupPacket::Gss => {
                return Err(Stop::Fatal(Error::protocol("unexpected encryption request")));
            }
            StartupPacket::Cancel { process_id, key } => {
                return Ok(Opening::Cancel { process_id, key: key.to_vec() });
            }
            StartupPacket::Startup { major, minor, parameters } => {
                return session(wire, (major, minor), &parameters)
                    .map(Opening::Session)
                    .map_err(Stop::Fatal);
            }
        }
    }
}

/// Bytes behind an encryption request came in clear and would be taken for part of the encrypted
/// session (CVE-2021-23214).
fn no_smuggled_bytes(wire: &Wire, what: &str) -> Result<(), Stop> {
    if wire.has_unread_input() {
        let message = format!("received unencrypted data after {what} request");
        return Err(Stop::Fatal(Error::protocol(message)));
    }
    Ok(())
}

fn session(
    wire: &mut Wire,
    (major, minor): (u16, u16),
    parameters: &[(&str, &str)],
) -> Result<StartupParameters, Error> {
    if major != MAJOR {
        return Err(Error::fatal(
            SqlState::FEATURE_NOT_SUPPORTED,
            format!(
                "unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.{NEWEST_MINOR}"
            ),
        ));
    }
    // Extensions of the protocol begin with `_pq_.`; we have none.
    let unknown: Vec<String> = parameters
        .iter()
        .filter(|(name, _)| name.starts_with("_pq_."))
        .map(|(name, _)| (*name).to_owned())
        .collect();
    if minor > NEWEST_MINOR || !unknown.is_empty() {
        let version = (u32::from(MAJOR) << 16) | u32::from(minor.min(NEWEST_MINOR));
        wire.output.negotiate_protocol_version(version, &unknown);
    }
    startup_parameters(minor.min(NEWEST_MINOR), parameters)
}

fn startup_parameters(minor: u16, parameters: &[(&str, &str)]) -> Result<StartupParameters, Error> {
    let (mut user, mut database, mut options, mut settings) = ("", "", "", Vec::new());
    for &(name, value) in parameters {
        match name {
            "user" => user = value,
            "database" => database = value,
            "options" => options = value,
            "replication" => {
                if !matches!(value, "false" | "off" | "no" | "0") {
                    return Err(Error::fatal(
                        SqlState::FEATURE_NOT_SUPPORTED,
                        "replication connections are not supported",
                    ));
                }
            }
            _ if name.starts_with("_pq_.") => {}
            _ => settings.push((name.to_owned(), value.to_owned())),
        }
    }
    if user.is_empty() {
        return Err(Error::fatal(
            SqlState::INVALID_AUTHORIZATION,
            "no PostgreSQL user name specified in startup packet",
        ));
    }
    let mut all = command_line(options)?;
    all.append(&mut settings);
    Ok(StartupParameters {
        user: user.to_owned(),
        database: if database.is_empty() { user } else { database }.to_owned(),
        settings: all,
        minor,
    })
}

/// Reads `options`, which is a command line: `-c name=value` or `--name=value`.
fn command_line(options: &str) -> Result<Vec<(String, String)>, Error> {
    let mut settings = Vec::new();
    let mut words = words(options).into_iter();
    while let Some(word) = words.next() {
        let setting = if let Some(rest) = word.strip_prefix("--") {
            Some(rest.to_owned())
        } else if word == "-c" {
            words.next()
        } else {
            word.strip_prefix("-c").map(str::to_owned)
        };
        let pair = setting.as_deref().and_then(|setting| setting.split_once('='));
        let Some((name, value)) = pair else {
            let message = format!("invalid command-line argument for server process: {word}");
            return Err(Error::fatal(SqlState::new("42601"), message));
        };
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

/// Splits at white space; a backslash keeps the character that follows it.
fn words(options: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = options.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => word.get_or_insert_default().extend(characters.next()),
            white if white.is_ascii_whitespace() => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_a_command_line() {
        let parameters = [
            ("user", "alice"),
            ("application_name", "psql"),
            ("options", r"-c role=bob\ b  --search-path=a,b -cx=\\y"),
        ];
        let startup = startup_parameters(0, &parameters).unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(startup.database, "alice");
        assert_eq!(
            startup.settings,
            [
                pair("role", "bob b"),
                pair("search_path", "a,b"),
                pair("x", "\\y"),
                pair("application_name", "psql"),
            ]
        );
        assert!(startup_parameters(0, &[("user", "a"), ("options", "-x")]).is_err());
        assert!(startup_parameters(0, &[("database", "a")]).is_err());
    }
}
