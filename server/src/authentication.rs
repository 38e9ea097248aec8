//! Who has to prove what: rules in the manner of pg_hba.conf.

use std::net::IpAddr;

use kalamdb_pgproto::Peer;

/// Rules; the first that matches decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rules(Vec<Rule>);

/// How a client proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Scram,
    Trust,
    Reject,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    transport: Transport,
    database: Names,
    user: Names,
    addresses: Addresses,
    method: Method,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    Any,
    Tls,
    Plain,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Names {
    All,
    One(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Addresses {
    All,
    Network { address: IpAddr, bits: u8 },
}

impl Rules {
    /// Reads rules that are separated by commas.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        text.split(',')
            .filter(|rule| !rule.trim().is_empty())
            .map(Rule::parse)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// What this client has to do; `None` if no rule matches, which is as good as a refusal.
    pub(crate) fn method(&self, peer: &Peer, database: &str, user: &str) -> Option<Method> {
        let matching = self.0.iter().find(|rule| rule.matches(peer, database, user));
        matching.map(|rule| rule.method)
    }
}

impl Rule {
    fn parse(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let &[transport, database, user, address, method] = words.as_slice() else {
            return Err(format!(
                "a rule has five words (type, database, user, address, method), not \"{}\"",
                text.trim()
            ));
        };
        let transport = match transport {
            "host" => Transport::Any,
            "hostssl" => Transport::Tls,
            "hostnossl" => Transport::Plain,
            other => {
                return Err(format!(
                    "a rule begins with host, hostssl or hostnossl, not \"{other}\""
                ));
            }
        };
        let method = match method {
            "scram-sha-256" => Method::Scram,
            "trust" => Method::Trust,
            "reject" => Method::Reject,
            other => {
                return Err(format!("a method is scram-sha-256, trust or reject, not \"{other}\""));
            }
        };
        let addresses = Addresses::parse(address)?;
        if method == Method::Trust && !addresses.is_loopback() {
            return Err("trust is for loopback addresses only, such as 127.0.0.0/8".to_owned());
        }
        Ok(Self {
            transport,
            database: Names::parse(database),
            user: Names::parse(user),
            addresses,
            method,
        })
    }

    fn matches(&self, peer: &Peer, database: &str, user: &str) -> bool {
        let transport = match self.transport {
            Transport::Any => true,
            Transport::Tls => peer.tls,
            Transport::Plain => !peer.tls,
        };
        transport
            && self.database.matches(database)
            && self.user.matches(user)
            && self.addresses.contains(peer.address.ip())
    }
}

impl Names {
    fn parse(word: &str) -> Self {
        if word == "all" { Self::All } else { Self::One(word.to_owned()) }
    }

    fn matches(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::One(one) => one == name,
        }
    }
}

impl Addresses {
    fn parse(word: &str) -> Result<Self, String> {
        if word == "all" {
            return Ok(Self::All);
        }
        let wrong = || format!("an address is all, an IP address or a network, not \"{word}\"");
        let (address, bits) = match word.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| wrong())?)),
            None => (word, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(width);
        if bits > width { Err(wrong()) } else { Ok(Self::Network { address, bits }) }
    }

    fn contains(self, ip: IpAddr) -> bool {
        match self {
            Self::All => true,
            Self::Network { address, bits } => match (address, ip.to_canonical()) {
                (IpAddr::V4(network), IpAddr::V4(ip)) => {
                    let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
                    network.to_bits() & mask == ip.to_bits() & mask
                }
                (IpAddr::V6(network), IpAddr::V6(ip)) => {
                    let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
                    network.to_bits() & mask == ip.to_bits() & mask
                }
                (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
            },
        }
    }

    fn is_loopback(self) -> bool {
        match self {
            Self::All => false,
            Self::Network { address: address @ IpAddr::V4(_), bits } => {
                address.is_loopback() && bits >= 8
            }
            Self::Network { address: address @ IpAddr::V6(_), bits } => {
                address.is_loopback() && bits == 128
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(address: &str, tls: bool) -> Peer {
        let address = (address.parse::<IpAddr>().unwrap(), 1).into();
        Peer { address, local_address: address, tls }
    }

    #[test]
    fn the_first_match_wins() {
        let rules = Rules::parse(
            "hostnossl all root all reject, host all all 10.1.0.0/16 reject, \
             host all bob 127.0.0.1 trust, hostssl kalamdb all all scram-sha-256",
        )
        .unwrap();
        assert_eq!(rules.method(&peer("10.1.2.3", true), "kalamdb", "bob"), Some(Method::Reject));
        assert_eq!(rules.method(&peer("127.0.0.1", false), "x", "root"), Some(Method::Reject));
        assert_eq!(rules.method(&peer("::ffff:127.0.0.1", false), "x", "bob"), Some(Method::Trust));
        assert_eq!(rules.method(&peer("10.2.0.1", true), "kalamdb", "root"), Some(Method::Scram));
        assert_eq!(rules.method(&peer("10.2.0.1", false), "kalamdb", "bob"), None);
        assert_eq!(rules.method(&peer("fe80::1", true), "other", "bob"), None);
    }

    #[test]
    fn trust_is_for_loopback_only() {
        for (rule, allowed) in [
            ("host all all 127.0.0.0/8 trust", true),
            ("host all all ::1/128 trust", true),
            ("host all all all trust", false),
            ("host all all 127.0.0.0/7 trust", false),
            ("host all all ::1/64 trust", false),
            ("host all all 0.0.0.0/0 scram-sha-256", true),
            ("host all all 1.2.3.4/33 reject", false),
            ("local all all all trust", false),
            ("host all all all", false),
        ] {
            assert_eq!(Rules::parse(rule).is_ok(), allowed, "{rule}");
        }
    }
}
