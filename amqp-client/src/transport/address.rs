//! `amqp://user:password@host:port/address`.
//!
//! Decides how the text is read: percent-encoding is undone, ports have defaults, the password
//! never shows. Connecting is left to the parent module.

use std::fmt;
use std::str::FromStr;

use fluent_uri::UriRef;
use zeroize::Zeroizing;

use crate::error::{Error, Redirect};
use crate::secret::Secret;

/// How a peer is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `amqp`: TCP.
    Amqp,
    /// `amqps`: TLS from the first octet. Section 5.2.1.
    Amqps,
    /// `ws`: WebSocket.
    Ws,
    /// `wss`: WebSocket over TLS.
    Wss,
    /// `amqp+unix`: a Unix socket, whose path is the URL's.
    Unix,
}

impl Scheme {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "amqp" => Self::Amqp,
            "amqps" => Self::Amqps,
            "ws" => Self::Ws,
            "wss" => Self::Wss,
            "amqp+unix" => Self::Unix,
            _ => return None,
        })
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Amqp => "amqp",
            Self::Amqps => "amqps",
            Self::Ws => "ws",
            Self::Wss => "wss",
            Self::Unix => "amqp+unix",
        }
    }

    fn is_tls(self) -> bool {
        matches!(self, Self::Amqps | Self::Wss)
    }

    fn port(self) -> u16 {
        match self {
            Self::Amqp => 5672,
            Self::Amqps => 5671,
            Self::Ws => 80,
            Self::Wss => 443,
            Self::Unix => 0,
        }
    }
}

/// Where a peer is, who we are to it, and perhaps the address of a node there.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    scheme: Scheme,
    host: String,
    port: u16,
    user: Option<String>,
    password: Option<Secret>,
    /// The path as it was written, with its first slash, and the query.
    path: String,
    node: Option<String>,
}

impl Address {
    /// How the peer is reached.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Reads addresses that stand for the same peer, to be tried in this order: separated by commas,
    /// each a URL of its own, or another host and port within one.
    ///
    /// ```
    /// use amqp_client::transport::Address;
    ///
    /// let all = Address::parse_list("amqp://user:pass@a,b:5673,amqps://c/orders")?;
    /// let all: Vec<String> = all.iter().map(Address::to_string).collect();
    /// assert_eq!(all, ["amqp://a:5672", "amqp://b:5673", "amqps://c:5671"]);
    /// # Ok::<(), amqp_client::Error>(())
    /// ```
    ///
    /// # Errors
    /// Configuration, as for one address.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, Error> {
        let mut all = Vec::new();
        for url in urls(text) {
            let (scheme, rest) = url.split_once("://").unwrap_or(("amqp", url));
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            // A comma of the user or of the password is no border.
            let (user, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
            for host in hosts.split(',') {
                let one = Zeroizing::new(format!("{scheme}://{user}{host}{path}"));
                all.push(one.parse()?);
            }
        }
        Ok(all)
    }

    /// The node that the first of some addresses names.
    pub(crate) fn first_node(list: &str) -> Result<String, Error> {
        let first = Self::parse_list(list)?.into_iter().next();
        let node = first.and_then(|address| address.node().map(str::to_owned));
        Ok(node.unwrap_or_default())
    }

    /// The path and query of a WebSocket's request.
    #[cfg(feature = "websocket")]
    pub(crate) fn resource(&self) -> &str {
        match self.path.as_str() {
            "" => "/",
            path => path,
        }
    }

    /// The path of a Unix socket.
    pub(crate) fn socket_path(&self) -> Option<String> {
        let path = self.path.split('?').next().unwrap_or_default();
        decode(path).ok().filter(|_| self.scheme == Scheme::Unix)
    }

    /// The host name or IP address, IPv6 without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port: 5672, or 5671 with TLS, 80 and 443 for WebSocket, unless given.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether TLS is spoken from the first octet: `amqps`, `wss`.
    pub fn is_tls(&self) -> bool {
        self.scheme.is_tls()
    }

    /// The user, percent-decoded.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The password, percent-decoded.
    pub fn password(&self) -> Option<&Secret> {
        self.password.as_ref()
    }

    /// The same address at another host, port, or path of a WebSocket, as far as a redirect names
    /// them. A scheme without TLS does not take the place of one with it. [WS-07]
    pub(crate) fn redirected(&self, redirect: &Redirect) -> Self {
        let mut other = self.clone();
        if let Some(host) = &redirect.network_host {
            other.host.clone_from(host);
        }
        let scheme = redirect.scheme.as_deref().and_then(Scheme::parse);
        if let Some(scheme) = scheme
            && scheme != self.scheme
            && (scheme.is_tls() || !self.is_tls())
        {
            (other.scheme, other.port) = (scheme, scheme.port());
        }
        if let Some(port) = redirect.port {
            other.port = port;
        }
        if let Some(path) = &redirect.path
            && matches!(other.scheme, Scheme::Ws | Scheme::Wss)
        {
            other.path = format!("/{}", path.trim_start_matches('/'));
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
        let with_scheme = Zeroizing::new(match text.contains("://") {
            true => text.to_owned(),
            false => format!("amqp://{text}"),
        });
        let uri = UriRef::parse(with_scheme.as_str()).map_err(|_| {
            Error::configuration("the address is no URI: percent-encode what is special")
        })?;
        let scheme = uri.scheme().map(|scheme| scheme.as_str());
        let scheme = scheme.and_then(Scheme::parse).ok_or_else(|| {
            Error::configuration(format!(
                "the scheme {} is not amqp, amqps, ws, wss or amqp+unix",
                scheme.unwrap_or_default()
            ))
        })?;
        let authority = uri
            .authority()
            .ok_or_else(|| Error::configuration("the address has no host"))?;
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']');
        if host.is_empty() && scheme != Scheme::Unix {
            return Err(Error::configuration("the address has no host"));
        }
        let port = match authority.port().map(|port| port.as_str()) {
            None | Some("") => scheme.port(),
            Some(port) => port
                .parse()
                .map_err(|_| Error::configuration("the port is no number up to 65535"))?,
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
        let mut whole_path = uri.path().as_str().to_owned();
        if let Some(query) = uri.query() {
            whole_path.push('?');
            whole_path.push_str(query.as_str());
        }
        let path = uri.path().as_str();
        let path = path.strip_prefix('/').unwrap_or(path);
        // The path of a WebSocket or of a Unix socket is its own, not a node's.
        let node = match path.is_empty() || !matches!(scheme, Scheme::Amqp | Scheme::Amqps) {
            true => None,
            false => Some(decode(path)?),
        };
        Ok(Self {
            scheme,
            path: whole_path,
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
        let scheme = self.scheme.as_str();
        if self.scheme == Scheme::Unix {
            return write!(f, "{scheme}://{}", self.path);
        }
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

/// Cuts a list where another URL begins behind a comma.
fn urls(text: &str) -> Vec<&str> {
    let mut urls = Vec::new();
    let mut rest = text;
    let mut from = 0;
    while let Some(comma) = rest[from..].find(',').map(|at| from + at) {
        let behind = &rest[comma + 1..];
        let is_url = behind
            .split_once("://")
            .is_some_and(|(scheme, _)| Scheme::parse(scheme).is_some());
        match is_url {
            true => {
                urls.push(&rest[..comma]);
                (rest, from) = (behind, 0);
            }
            false => from = comma + 1,
        }
    }
    urls.push(rest);
    urls
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
    use super::*;

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
        // Only the first slash is the URL's: nodes of some brokers begin with one.
        assert_eq!(parse("amqp://a//queues/q").node(), Some("/queues/q"));
        assert_eq!(parse("amqp://a/%2Fqueues/q").node(), Some("/queues/q"));
        assert_eq!(parse("amqp://a/").node(), None);
        let six = parse("amqp://[::1]:7");
        assert_eq!((six.host(), six.port()), ("::1", 7));
        assert_eq!(six.to_string(), "amqp://[::1]:7");
    }

    #[test]
    fn sockets_and_web_sockets_have_a_path_of_their_own() {
        let unix = parse("amqp+unix://u:p@/var/run/a%20b.sock");
        assert_eq!(unix.socket_path().as_deref(), Some("/var/run/a b.sock"));
        assert_eq!((unix.user(), unix.node()), (Some("u"), None));
        let web = parse("wss://h/amqp?x=1");
        assert_eq!(
            (web.port(), web.path.as_str(), web.node()),
            (443, "/amqp?x=1", None)
        );
    }

    #[test]
    fn hosts_in_a_list_share_what_the_first_says() {
        let all = Address::parse_list("amqps://u,x:p,y@a:1,[::1]:2/q,r,amqp://c").expect("a list");
        assert_eq!(all[1].to_string(), "amqps://[::1]:2");
        assert_eq!((all[1].user(), all[1].node()), (Some("u,x"), Some("q,r")));
        assert_eq!((all[2].user(), all[2].is_tls()), (None, false));
        assert!(Address::parse_list("a,,b").is_err());
    }

    #[test]
    fn a_redirect_names_parts_and_gives_tls_up_for_nothing() {
        // tests: [WS-07]
        let redirect = Redirect {
            network_host: Some("b".into()),
            scheme: Some("wss".into()),
            path: Some("amqp/ws".into()),
            ..Redirect::default()
        };
        let other = parse("ws://a:81/old").redirected(&redirect);
        assert_eq!(
            (other.to_string().as_str(), other.path.as_str()),
            ("wss://b:443", "/amqp/ws")
        );
        let worse = Redirect {
            scheme: Some("ws".into()),
            port: Some(1),
            ..Redirect::default()
        };
        let other = parse("wss://a/old").redirected(&worse);
        assert_eq!((other.scheme(), other.port()), (Scheme::Wss, 1));
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
