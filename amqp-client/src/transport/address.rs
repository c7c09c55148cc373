//! `amqp://user:password@host:port/address`.
//!
//! Decides how the text is read: percent-encoding is undone, ports have defaults, the password
//! never shows. Connecting is left to the parent module.

use std::fmt;
use std::str::FromStr;

use fluent_uri::UriRef;

use crate::error::{Error, Redirect};
use crate::secret::Secret;

/// Where a peer is, who we are to it, and perhaps the address of a node there.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    tls: bool,
    host: String,
    port: u16,
    user: Option<String>,
    password: Option<Secret>,
    node: Option<String>,
}

impl Address {
    /// The host name or IP address, IPv6 without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port: 5672, or 5671 with TLS, unless given.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether the scheme is `amqps`.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// The user, percent-decoded.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The password, percent-decoded.
    pub fn password(&self) -> Option<&Secret> {
        self.password.as_ref()
    }

    /// The same address at another host or port, as far as a redirect names them.
    pub(crate) fn redirected(&self, redirect: &Redirect) -> Self {
        let mut other = self.clone();
        if let Some(host) = &redirect.network_host {
            other.host.clone_from(host);
        }
        if let Some(port) = redirect.port {
            other.port = port;
        }
        other
    }

    /// The address of a node at the peer: the path without its first slash, percent-decoded.
    pub fn node(&self) -> Option<&str> {
        self.node.as_deref()
    }
}

impl FromStr for Address {
    type Err = Error;

    /// Reads an address; without a scheme `amqp` is meant. Errors never repeat a password.
    fn from_str(text: &str) -> Result<Self, Error> {
        let with_scheme = match text.contains("://") {
            true => text.to_owned(),
            false => format!("amqp://{text}"),
        };
        let uri = UriRef::parse(with_scheme.as_str())
            .map_err(|error| Error::configuration(format!("the address is no URI: {error}")))?;
        let tls = match uri.scheme().map(|scheme| scheme.as_str()) {
            Some("amqp") => false,
            Some("amqps") => true,
            Some(other) => {
                return Err(Error::configuration(format!(
                    "the scheme {other} is not amqp or amqps"
                )));
            }
            None => return Err(Error::configuration("the address has no scheme")),
        };
        let authority = uri
            .authority()
            .ok_or_else(|| Error::configuration("the address has no host"))?;
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']');
        if host.is_empty() {
            return Err(Error::configuration("the address has no host"));
        }
        let port = match authority.port().map(|port| port.as_str()) {
            None | Some("") => match tls {
                false => 5672,
                true => 5671,
            },
            Some(port) => port
                .parse()
                .map_err(|_| Error::configuration(format!("{port} is no port")))?,
        };
        let (user, password) = match authority.userinfo().map(|info| info.as_str()) {
            None => (None, None),
            Some(info) => match info.split_once(':') {
                Some((user, password)) => {
                    (Some(decode(user)?), Some(Secret::from(decode(password)?)))
                }
                None => (Some(decode(info)?), None),
            },
        };
        let path = uri.path().as_str().trim_start_matches('/');
        let node = match path.is_empty() {
            true => None,
            false => Some(decode(path)?),
        };
        Ok(Self {
            tls,
            host: decode(host)?,
            port,
            user,
            password,
            node,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "amqps" } else { "amqp" };
        match self.host.contains(':') {
            true => write!(f, "{scheme}://[{}]:{}", self.host, self.port),
            false => write!(f, "{scheme}://{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address")
            .field("url", &self.to_string())
            .field("user", &self.user)
            .field("password", &self.password.as_ref().map(|_| "[redacted]"))
            .field("node", &self.node)
            .finish()
    }
}

/// Undoes percent-encoding; what comes out has to be UTF-8.
fn decode(text: &str) -> Result<String, Error> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        if octet != b'%' {
            octets.push(octet);
            continue;
        }
        let mut digit = || rest.next().and_then(|d| char::from(d).to_digit(16));
        match (digit(), digit()) {
            (Some(high), Some(low)) => octets.push((high * 16 + low) as u8),
            _ => return Err(Error::configuration("a percent sign without two digits")),
        }
    }
    String::from_utf8(octets)
        .map_err(|_| Error::configuration("percent-encoded octets that are no UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::{Address, Secret};

    fn parse(text: &str) -> Address {
        text.parse().expect("a good address")
    }

    #[test]
    fn everything_is_percent_decoded() {
        let address = parse("amqp://us%40er:p%3Ass%2F@host:1234/a%2Fb/c");
        assert_eq!(address.user(), Some("us@er"));
        assert_eq!(address.password().map(Secret::expose), Some("p:ss/"));
        assert_eq!((address.host(), address.port()), ("host", 1234));
        assert_eq!(address.node(), Some("a/b/c"));
    }

    #[test]
    fn ports_and_schemes_have_defaults() {
        assert_eq!(parse("host").port(), 5672);
        assert_eq!(parse("amqps://host").port(), 5671);
        assert_eq!(parse("127.0.0.1:5000/q").node(), Some("q"));
        let six = parse("amqp://[::1]:7");
        assert_eq!((six.host(), six.port()), ("::1", 7));
        assert_eq!(six.to_string(), "amqp://[::1]:7");
    }

    #[test]
    fn a_password_never_shows() {
        let address = parse("amqp://user:hunter2@host");
        assert!(!format!("{address:?} {address}").contains("hunter2"));
        let error = "ftp://user:hunter2@host"
            .parse::<Address>()
            .expect_err("no ftp");
        assert!(!format!("{error:?} {error}").contains("hunter2"));
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            "",
            "amqp://",
            "amqp://host:99999",
            "http://host",
            "amqp://a%zz@host",
        ] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }
}
