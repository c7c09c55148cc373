//! Connections from a file: `connect.json`.
//!
//! Decides where the file is looked for, what may stand in it, and what each key means. What is said
//! to the peer is decided by the options that it becomes.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::error::Error;
use crate::handles::{Connection, ConnectionOptions, Container};
use crate::secret::Secret;

/// The variable that names the file.
const VARIABLE: &str = "MESSAGING_CONNECT_FILE";

/// What a `connect.json` says.
///
/// | key | type, default | meaning |
/// | --- | --- | --- |
/// | `scheme` | `"amqps"` | `amqp` or `amqps`; `ws`, `wss` with the feature |
/// | `host` | `"localhost"` | |
/// | `port` | the scheme's | a number, also as text, or `"amqp"`, `"amqps"` |
/// | `user`, `password` | none | |
/// | `sasl.enable`, `sasl.enabled` | `true` | the SASL layer |
/// | `sasl.mechanisms` | all that fit | a list, or names separated by spaces |
/// | `sasl.allow_insecure` | `false` | a password may be shown without TLS |
/// | `tls.ca`, `tls.cert`, `tls.key` | the platform's roots | PEM files |
/// | `tls.verify` | `true` | `false` only where the program has allowed it |
/// | `failover` | `[]` | more URLs, or hosts with ports, for this peer |
/// | `idle_timeout` | 60 | seconds; 0 is for ever |
/// | `connect_timeout`, `open_timeout` | 10 | seconds |
///
/// Comments, `//` and `/* */`, are allowed. Unknown keys and wrong types are errors that name the
/// path of the key.
///
/// ```
/// use amqp_client::config::ConnectConfig;
///
/// let config = ConnectConfig::parse(r#"{"scheme": "amqp", "sasl": {"enable": false}}"#)?;
/// assert_eq!(config.url(), "amqp://localhost:5672");
/// let error = ConnectConfig::parse(r#"{"sasl": {"enabled": "no"}}"#).unwrap_err();
/// assert!(error.to_string().contains("sasl.enabled"));
/// # Ok::<(), amqp_client::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ConnectConfig {
    url: String,
    options: ConnectionOptions,
    /// Whether the file asks that nobody's certificate be checked.
    unverified: bool,
}

impl ConnectConfig {
    /// Reads the first file that there is: `$MESSAGING_CONNECT_FILE`, `./connect.json`,
    /// `~/.config/messaging/connect.json`, `$PREFIX/etc/messaging/connect.json`,
    /// `/etc/messaging/connect.json`. Where there is none, the defaults.
    ///
    /// # Errors
    /// Configuration: the file that the variable names can not be read, or what is wrong in one.
    pub fn load() -> Result<Self, Error> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        if let Some(path) = variable(VARIABLE) {
            return Self::read(path.into());
        }
        let places = places(variable("HOME"), variable("PREFIX"));
        match places.into_iter().find(|path| path.is_file()) {
            Some(path) => Self::read(path),
            None => Self::parse("{}"),
        }
    }

    /// Reads one file.
    ///
    /// # Errors
    /// Configuration: it can not be read, or what is wrong in it.
    pub fn read(path: PathBuf) -> Result<Self, Error> {
        let shown = path.display().to_string();
        let bad = |what: String| Error::configuration(format!("{shown}: {what}"));
        let text = std::fs::read_to_string(&path).map_err(|error| bad(error.to_string()))?;
        Self::parse(&text).map_err(|error| bad(error.to_string()))
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// Configuration, with the path of the key that is wrong.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = without_comments(text)?;
        let root: Value = serde_json::from_str(&text).map_err(|error| {
            // What stands there is not repeated: it may be a password.
            Error::configuration(format!(
                "no JSON: line {}, column {}",
                error.line(),
                error.column()
            ))
        })?;
        let mut root = Keys::of("", root)?;
        let scheme = root.text("scheme")?.unwrap_or_else(|| "amqps".to_owned());
        if !["amqp", "amqps", "ws", "wss"].contains(&scheme.as_str()) {
            return Err(root.wrong("scheme", "amqp, amqps, ws or wss"));
        }
        let host = root.text("host")?.unwrap_or_else(|| "localhost".to_owned());
        let port = root.port("port")?.unwrap_or(match scheme.as_str() {
            "amqp" => 5672,
            "amqps" => 5671,
            "ws" => 80,
            _ => 443,
        });
        let mut url = match host.contains(':') {
            true => format!("{scheme}://[{host}]:{port}"),
            false => format!("{scheme}://{host}:{port}"),
        };
        for (at, more) in root.texts("failover")?.into_iter().enumerate() {
            if more.contains('@') {
                let what = "without user and password: those of the file are used";
                return Err(root.wrong(&format!("failover[{at}]"), what));
            }
            url.push(',');
            if !more.contains("://") {
                url.push_str(&format!("{scheme}://"));
            }
            url.push_str(&more);
        }
        let mut options = ConnectionOptions::new();
        if let Some(user) = root.text("user")? {
            let password = Secret::from(root.text("password")?.unwrap_or_default());
            options = options.credentials(user, password);
        } else if root.text("password")?.is_some() {
            return Err(root.wrong("password", "used only with `user`"));
        }
        if let Some(seconds) = root.seconds("idle_timeout")? {
            options = options.idle_time_out(Some(seconds).filter(|limit| !limit.is_zero()));
        }
        let mut deadlines = options.deadlines;
        deadlines.connect = root
            .seconds("connect_timeout")?
            .unwrap_or(deadlines.connect);
        deadlines.open = root.seconds("open_timeout")?.unwrap_or(deadlines.open);
        options = options.deadlines(deadlines);
        if let Some(mut sasl) = root.object("sasl")? {
            // Both spellings are about: the documented one and the one that was read.
            let (enable, enabled) = (sasl.flag("enable")?, sasl.flag("enabled")?);
            if enable.is_some() && enabled.is_some() && enable != enabled {
                return Err(sasl.wrong("enabled", "the same as `enable`"));
            }
            if enable.or(enabled) == Some(false) {
                options = options.without_sasl();
            }
            let mechanisms = sasl.texts("mechanisms")?;
            if !mechanisms.is_empty() {
                options = options.mechanisms(mechanisms);
            }
            if sasl.flag("allow_insecure")? == Some(true) {
                options = options.allow_plain_without_tls();
            }
            sasl.finish()?;
        }
        let mut unverified = false;
        if let Some(mut tls) = root.object("tls")? {
            if !matches!(scheme.as_str(), "amqps" | "wss") {
                return Err(root.wrong("tls", "there only when the scheme is amqps or wss"));
            }
            let (ca, cert, key) = (tls.text("ca")?, tls.text("cert")?, tls.text("key")?);
            unverified = tls.flag("verify")? == Some(false);
            if cert.is_some() != key.is_some() {
                return Err(tls.wrong("cert", "there together with `key`"));
            }
            options = with_tls(options, ca, cert.zip(key))?;
            tls.finish()?;
        }
        root.finish()?;
        // What is wrong with an address is found now.
        crate::transport::Address::parse_list(&url)?;
        Ok(Self {
            url,
            options,
            unverified,
        })
    }

    /// Lets a file say `tls.verify: false`, which takes any certificate of anybody. Without this
    /// such a file is an error.
    #[cfg(feature = "tls")]
    pub fn dangerous_allow_verify_false(mut self) -> Self {
        if self.unverified {
            let tls = self.options.tls.clone().dangerous_accept_any_certificate();
            self.options = self.options.tls(tls);
            self.unverified = false;
        }
        self
    }

    /// The URLs that it names, separated by commas, without user and password.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The options that it names, to be added to.
    ///
    /// # Errors
    /// Configuration for `tls.verify: false` that the program has not allowed.
    pub fn options(&self) -> Result<ConnectionOptions, Error> {
        match self.unverified {
            true => Err(Error::configuration(
                "tls.verify: false takes any certificate; only a program that calls dangerous_allow_verify_false obeys it",
            )),
            false => Ok(self.options.clone()),
        }
    }
}

impl Container {
    /// Connects as `connect.json` says: [`ConnectConfig::load`].
    ///
    /// # Errors
    /// Configuration for the file, then as [`connect`](Self::connect).
    ///
    /// # Cancel safety
    /// Dropping the future drops the socket.
    pub async fn connect_from_config(&self) -> Result<Connection, Error> {
        let config = tokio::task::spawn_blocking(ConnectConfig::load)
            .await
            .map_err(|_| Error::configuration("reading connect.json was cut off"))??;
        self.connect_with(config.url(), config.options()?).await
    }
}

#[cfg(feature = "tls")]
fn with_tls(
    options: ConnectionOptions,
    ca: Option<String>,
    own: Option<(String, String)>,
) -> Result<ConnectionOptions, Error> {
    let mut tls = crate::transport::TlsOptions::new();
    if let Some(ca) = ca {
        tls = tls.ca_file(ca);
    }
    if let Some((cert, key)) = own {
        tls = tls.client_certificate_files(cert, key);
    }
    Ok(options.tls(tls))
}

#[cfg(not(feature = "tls"))]
fn with_tls(
    _options: ConnectionOptions,
    _ca: Option<String>,
    _own: Option<(String, String)>,
) -> Result<ConnectionOptions, Error> {
    Err(Error::configuration(
        "tls: this build has no TLS: enable the feature ring or aws-lc-rs",
    ))
}

/// Where the file may be, in this order.
fn places(home: Option<OsString>, prefix: Option<OsString>) -> Vec<PathBuf> {
    let mut places = vec![PathBuf::from("connect.json")];
    places.extend(home.map(|home| PathBuf::from(home).join(".config/messaging/connect.json")));
    places.extend(prefix.map(|prefix| PathBuf::from(prefix).join("etc/messaging/connect.json")));
    places.push(PathBuf::from("/etc/messaging/connect.json"));
    places
}

/// The keys of one object, each taken once; what is left is not known.
struct Keys {
    path: String,
    left: Map<String, Value>,
}

impl Keys {
    fn of(path: &str, value: Value) -> Result<Self, Error> {
        match value {
            Value::Object(left) => Ok(Self {
                path: path.to_owned(),
                left,
            }),
            _ => Err(Error::configuration(match path {
                "" => "the file has to hold an object".to_owned(),
                path => format!("`{path}` has to be an object"),
            })),
        }
    }

    fn name(&self, key: &str) -> String {
        match self.path.as_str() {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        }
    }

    fn wrong(&self, key: &str, what: &str) -> Error {
        Error::configuration(format!("`{}` has to be {what}", self.name(key)))
    }

    fn take(&mut self, key: &str) -> Option<Value> {
        self.left.remove(key).filter(|value| !value.is_null())
    }

    fn text(&mut self, key: &str) -> Result<Option<String>, Error> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(key, "text")),
        }
    }

    fn flag(&mut self, key: &str) -> Result<Option<bool>, Error> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(self.wrong(key, "true or false")),
        }
    }

    fn port(&mut self, key: &str) -> Result<Option<u16>, Error> {
        let port = match self.take(key) {
            None => return Ok(None),
            Some(Value::Number(number)) => number.as_u64().and_then(|n| u16::try_from(n).ok()),
            Some(Value::String(text)) => match text.as_str() {
                "amqp" => Some(5672),
                "amqps" => Some(5671),
                text => text.parse().ok(),
            },
            Some(_) => None,
        };
        match port {
            Some(port) => Ok(Some(port)),
            None => Err(self.wrong(key, "a number up to 65535, amqp or amqps")),
        }
    }

    fn seconds(&mut self, key: &str) -> Result<Option<Duration>, Error> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        let seconds = value.as_f64().filter(|seconds| *seconds >= 0.0);
        match seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
            Some(limit) => Ok(Some(limit)),
            None => Err(self.wrong(key, "a number of seconds")),
        }
    }

    /// A list of texts, or texts separated by spaces.
    fn texts(&mut self, key: &str) -> Result<Vec<String>, Error> {
        let all = match self.take(key) {
            None => return Ok(Vec::new()),
            Some(Value::String(text)) => {
                return Ok(text.split_whitespace().map(str::to_owned).collect());
            }
            Some(Value::Array(all)) => all,
            Some(_) => return Err(self.wrong(key, "a list of texts")),
        };
        let texts = all.into_iter().enumerate().map(|(at, value)| match value {
            Value::String(text) => Ok(text),
            _ => Err(self.wrong(&format!("{key}[{at}]"), "text")),
        });
        texts.collect()
    }

    fn object(&mut self, key: &str) -> Result<Option<Self>, Error> {
        let name = self.name(key);
        self.take(key)
            .map(|value| Self::of(&name, value))
            .transpose()
    }

    fn finish(self) -> Result<(), Error> {
        match self.left.keys().next() {
            None => Ok(()),
            Some(key) => Err(Error::configuration(format!(
                "`{}` is no key of connect.json",
                self.name(key)
            ))),
        }
    }
}

/// Puts blanks where comments are; texts are left alone.
fn without_comments(text: &str) -> Result<zeroize::Zeroizing<String>, Error> {
    let mut out = zeroize::Zeroizing::new(String::with_capacity(text.len()));
    let mut rest = text.chars().peekable();
    let mut quoted = false;
    while let Some(c) = rest.next() {
        match (quoted, c, rest.peek()) {
            (true, '\\', _) => {
                out.push(c);
                out.extend(rest.next());
                continue;
            }
            (false, '/', Some('/')) => {
                while rest.peek().is_some_and(|c| *c != '\n') {
                    rest.next();
                }
                continue;
            }
            (false, '/', Some('*')) => {
                let mut before = ' ';
                rest.next();
                loop {
                    match rest.next() {
                        Some('/') if before == '*' => break,
                        Some(c) => {
                            before = c;
                            // Lines keep their numbers.
                            out.push(if c == '\n' { '\n' } else { ' ' });
                        }
                        None => return Err(Error::configuration("a comment does not end")),
                    }
                }
                continue;
            }
            (_, '"', _) => quoted = !quoted,
            _ => {}
        }
        out.push(c);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        ConnectConfig::parse(text).expect_err(text).to_string()
    }

    #[test]
    fn an_empty_file_means_amqps_to_this_machine() {
        let config = ConnectConfig::parse("{}").expect("defaults");
        assert_eq!(config.url(), "amqps://localhost:5671");
    }

    #[test]
    fn comments_are_blanks_and_texts_are_left_alone() {
        let text = r#"// first
            {"host": "a//b", /* "port": 1, */ "scheme": "amqp", "user": "u\"//", "password": "p"}"#;
        let stripped = without_comments(text).expect("good comments");
        assert!(stripped.contains(r#""a//b""#) && stripped.contains(r#""u\"//""#));
        assert!(!stripped.contains("first") && !stripped.contains("port"));
        assert!(without_comments("/* never").is_err());
    }

    #[test]
    fn ports_are_numbers_texts_or_names() {
        for (port, url) in [
            ("1234", "amqp://h:1234"),
            (r#""1234""#, "amqp://h:1234"),
            (r#""amqps""#, "amqp://h:5671"),
        ] {
            let text = format!(r#"{{"scheme":"amqp","host":"h","port":{port}}}"#);
            assert_eq!(ConnectConfig::parse(&text).expect("good").url(), url);
        }
        assert!(error(r#"{"port": 99999}"#).contains("`port`"));
    }

    #[test]
    fn what_is_wrong_is_named_by_its_path() {
        for (text, path) in [
            (r#"{"sasl": {"enable": 1}}"#, "`sasl.enable`"),
            (
                r#"{"sasl": {"enable": true, "enabled": false}}"#,
                "`sasl.enabled`",
            ),
            (
                r#"{"sasl": {"mechanisms": ["A", 1]}}"#,
                "`sasl.mechanisms[1]`",
            ),
            (r#"{"sasl": {"mech": []}}"#, "`sasl.mech` is no key"),
            (r#"{"scheme": "http"}"#, "`scheme`"),
            (r#"{"scheme": "amqp", "tls": {}}"#, "`tls`"),
            (r#"{"password": "hunter2"}"#, "`password`"),
            (
                r#"{"failover": ["a", "amqp://u:hunter2@b"]}"#,
                "`failover[1]`",
            ),
            (r#"{"nonsense": 1}"#, "`nonsense` is no key"),
            ("{\n  \"user\": hunter2}", "line 2"),
            ("[]", "object"),
        ] {
            let error = error(text);
            assert!(error.contains(path), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn files_are_looked_for_from_the_nearest_to_the_farthest() {
        let found = places(Some("/users/u".into()), Some("/opt/m".into()));
        let expected = [
            "connect.json",
            "/users/u/.config/messaging/connect.json",
            "/opt/m/etc/messaging/connect.json",
            "/etc/messaging/connect.json",
        ];
        assert_eq!(found, expected.map(PathBuf::from));
        assert_eq!(places(None, None).len(), 2);
    }

    #[test]
    fn other_hosts_follow_the_first() {
        let text = r#"{"scheme":"amqp","host":"::1","failover":["b:5","amqps://c"]}"#;
        let config = ConnectConfig::parse(text).expect("good");
        assert_eq!(config.url(), "amqp://[::1]:5672,amqp://b:5,amqps://c");
    }

    #[cfg(feature = "tls")]
    #[test]
    fn unverified_certificates_are_the_programs_decision() {
        let config = ConnectConfig::parse(r#"{"tls": {"verify": false}}"#).expect("good");
        let error = config.options().expect_err("not allowed");
        assert!(error.to_string().contains("dangerous_allow_verify_false"));
        assert!(config.dangerous_allow_verify_false().options().is_ok());
    }
}
