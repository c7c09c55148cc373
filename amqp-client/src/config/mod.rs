//! Connections from a file: `connect.json`.
//!
//! Decides where the file is looked for, what may stand in it, and what each key means. What is said
//! to the peer is decided by the options that it becomes.

mod keys;

use std::ffi::OsString;
use std::path::PathBuf;

use zeroize::Zeroizing;

use self::keys::Keys;
use crate::backoff::Backoff;
use crate::error::Error;
use crate::handles::{Connection, ConnectionOptions, Container};
use crate::secret::Secret;
use crate::transport::Address;

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
/// | `reconnect` | `false` | whether connecting is tried again, as by [`Backoff`]; or an object |
/// | `reconnect.delay` | 0.1 | seconds, after the first attempt |
/// | `reconnect.delay_multiplier` | 2 | how much longer each delay is than the one before |
/// | `reconnect.max_delay` | 10 | seconds |
/// | `reconnect.jitter` | 0.5 | the share of a delay that is left to chance |
/// | `reconnect.max_attempts` | 0 | attempts in all; 0 is no limit |
///
/// The last three groups are our own, the rest is what Qpid Proton reads. `reconnect` is for making
/// connections, as [`ConnectionOptions::retry`] is: one that was open and is lost is not made again.
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
        let text = std::fs::read_to_string(&path).map(Zeroizing::new);
        let text = text.map_err(|error| bad(error.to_string()))?;
        Self::parse(&text).map_err(|error| bad(error.to_string()))
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// Configuration, with the path of the key that is wrong.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut root = Keys::root(text)?;
        let url = urls(&mut root)?;
        let mut options = ConnectionOptions::new();
        options.auth.user = root.text("user")?;
        options.auth.password = root.text("password")?.map(Secret::from);
        if options.auth.user.is_none() && options.auth.password.is_some() {
            return Err(root.wrong("password", "used only with `user`"));
        }
        if let Some(seconds) = root.seconds("idle_timeout")? {
            options = options.idle_time_out(Some(seconds).filter(|limit| !limit.is_zero()));
        }
        let limits = &mut options.deadlines;
        limits.connect = root.seconds("connect_timeout")?.unwrap_or(limits.connect);
        limits.open = root.seconds("open_timeout")?.unwrap_or(limits.open);
        options.retry = reconnect(&mut root)?;
        if let Some(keys) = root.object("sasl")? {
            options = sasl(options, keys)?;
        }
        let mut unverified = false;
        if let Some(keys) = root.object("tls")? {
            if !Address::parse_list(&url)?.iter().any(Address::is_tls) {
                return Err(root.wrong("tls", "there only when the scheme is amqps or wss"));
            }
            (options, unverified) = tls(options, keys)?;
        }
        root.finish()?;
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

/// The addresses: the one of `scheme`, `host` and `port`, then those of `failover`.
fn urls(root: &mut Keys) -> Result<String, Error> {
    let scheme = root.text("scheme")?.unwrap_or_else(|| "amqps".to_owned());
    if !["amqp", "amqps", "ws", "wss"].contains(&scheme.as_str()) {
        return Err(root.wrong("scheme", "amqp, amqps, ws or wss"));
    }
    let host = root.text("host")?.unwrap_or_else(|| "localhost".to_owned());
    let mut url = match host.contains(':') {
        true => format!("{scheme}://[{host}]"),
        false => format!("{scheme}://{host}"),
    };
    let is_host = |address: Address| address.host() == host;
    if !url.parse().is_ok_and(is_host) {
        return Err(root.wrong("host", "the name of a host or an IP address"));
    }
    let port = root.port("port")?.unwrap_or(match scheme.as_str() {
        "amqp" => 5672,
        "amqps" => 5671,
        "ws" => 80,
        _ => 443,
    });
    url.push_str(&format!(":{port}"));
    for (at, more) in root.texts("failover")?.into_iter().enumerate() {
        let wrong = |what: &str| root.wrong(&format!("failover[{at}]"), what);
        if more.contains('@') {
            return Err(wrong(
                "without user and password: those of the file are used",
            ));
        }
        let more = match more.contains("://") {
            true => more,
            false => format!("{scheme}://{more}"),
        };
        if more.contains(',') || more.parse::<Address>().is_err() {
            return Err(wrong("a URL, or a host and a port"));
        }
        url.push(',');
        url.push_str(&more);
    }
    Ok(url)
}

/// When connecting is tried again: not at all, by the defaults, or as an object says.
fn reconnect(root: &mut Keys) -> Result<Option<Backoff>, Error> {
    const KEY: &str = "reconnect";
    if root.is_flag(KEY) {
        let wanted = root.flag(KEY)? == Some(true);
        return Ok(wanted.then(Backoff::new));
    }
    let Some(mut keys) = root.object(KEY)? else {
        return Ok(None);
    };
    let mut backoff = Backoff::new();
    if let Some(delay) = keys.seconds("delay")? {
        backoff = backoff.initial_delay(delay);
    }
    if let Some(factor) = keys.number("delay_multiplier", 1.0..=f64::MAX, "a number from 1 up")? {
        backoff = backoff.factor(factor);
    }
    if let Some(delay) = keys.seconds("max_delay")? {
        backoff = backoff.max_delay(delay);
    }
    if let Some(share) = keys.number("jitter", 0.0..=1.0, "a number from 0 to 1")? {
        backoff = backoff.jitter(share);
    }
    if let Some(attempts) = keys.count("max_attempts")? {
        // As in Proton, 0 is no limit.
        backoff = match attempts {
            0 => backoff,
            attempts => backoff.max_attempts(attempts),
        };
    }
    keys.finish()?;
    Ok(Some(backoff))
}

fn sasl(mut options: ConnectionOptions, mut keys: Keys) -> Result<ConnectionOptions, Error> {
    // Both spellings are about: the documented one and the one that was read.
    let (enable, enabled) = (keys.flag("enable")?, keys.flag("enabled")?);
    if enable.is_some() && enabled.is_some() && enable != enabled {
        return Err(keys.wrong("enabled", "the same as `enable`"));
    }
    if enable.or(enabled) == Some(false) {
        options = options.without_sasl();
    }
    let mechanisms = keys.texts("mechanisms")?;
    if !mechanisms.is_empty() {
        options = options.mechanisms(mechanisms);
    }
    if keys.flag("allow_insecure")? == Some(true) {
        options = options.allow_plain_without_tls();
    }
    keys.finish()?;
    Ok(options)
}

/// What TLS trusts and shows, and whether nobody's certificate is to be checked.
fn tls(options: ConnectionOptions, mut keys: Keys) -> Result<(ConnectionOptions, bool), Error> {
    let (ca, cert, key) = (keys.text("ca")?, keys.text("cert")?, keys.text("key")?);
    let unverified = keys.flag("verify")? == Some(false);
    if cert.is_some() != key.is_some() {
        return Err(keys.wrong("cert", "there together with `key`"));
    }
    keys.finish()?;
    with_tls(options, ca, cert.zip(key)).map(|options| (options, unverified))
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
            (r#"{"failover": ["a", "b:x"]}"#, "`failover[1]`"),
            (r#"{"failover": ["a,b"]}"#, "`failover[0]`"),
            (r#"{"failover": [1]}"#, "`failover[0]`"),
            (r#"{"host": "a/b"}"#, "`host`"),
            (r#"{"host": "u:hunter2@h"}"#, "`host`"),
            (r#"{"idle_timeout": -1}"#, "`idle_timeout`"),
            (r#"{"reconnect": "often"}"#, "`reconnect`"),
            (
                r#"{"reconnect": {"often": 1}}"#,
                "`reconnect.often` is no key",
            ),
            (r#"{"reconnect": {"delay": "1"}}"#, "`reconnect.delay`"),
            (
                r#"{"reconnect": {"delay_multiplier": 0.5}}"#,
                "`reconnect.delay_multiplier`",
            ),
            (
                r#"{"reconnect": {"max_delay": 1e99}}"#,
                "`reconnect.max_delay`",
            ),
            (r#"{"reconnect": {"jitter": 2}}"#, "`reconnect.jitter`"),
            (
                r#"{"reconnect": {"max_attempts": 1.5}}"#,
                "`reconnect.max_attempts`",
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

    #[test]
    fn connecting_is_tried_again_as_the_file_says() {
        let retry = |text: &str| ConnectConfig::parse(text).expect(text).options.retry;
        assert_eq!(retry("{}"), None);
        assert_eq!(retry(r#"{"reconnect": false}"#), None);
        for default in [r#"{"reconnect": true}"#, r#"{"reconnect": {}}"#] {
            assert_eq!(retry(default), Some(Backoff::new()));
        }
        let all = r#"{"reconnect": {"delay": 0.5, "delay_multiplier": 3, "max_delay": 60,
            "jitter": 0, "max_attempts": 7}}"#;
        let seconds = std::time::Duration::from_secs_f64;
        let expected = Backoff::new()
            .initial_delay(seconds(0.5))
            .factor(3.0)
            .max_delay(seconds(60.0))
            .jitter(0.0)
            .max_attempts(7);
        assert_eq!(retry(all), Some(expected));
        let endless = r#"{"reconnect": {"max_attempts": 0}}"#;
        assert_eq!(retry(endless), Some(Backoff::new()));
    }

    #[test]
    fn silence_may_last_as_long_as_the_file_says() {
        let limit = |text: &str| {
            let config = ConnectConfig::parse(text).expect(text);
            config.options.config.idle_time_out
        };
        let default = ConnectionOptions::new().config.idle_time_out;
        assert_eq!(limit("{}"), default);
        assert_eq!(limit(r#"{"idle_timeout": 0}"#), None);
        let half = std::time::Duration::from_millis(1_500);
        assert_eq!(limit(r#"{"idle_timeout": 1.5}"#), Some(half));
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
