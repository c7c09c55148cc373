//! The text of a file, key by key.
//!
//! Decides how values are read and how a wrong one is named by the path of its key, without repeating
//! what stands there. What a key means is decided by the parent module.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::error::Error;

/// The keys of one object, each taken once; what is left is not known.
pub(super) struct Keys {
    path: String,
    left: Map<String, Value>,
}

impl Keys {
    /// Reads a whole file, in which comments are allowed.
    pub(super) fn root(text: &str) -> Result<Self, Error> {
        let text = without_comments(text)?;
        let root: Value = serde_json::from_str(&text).map_err(|error| {
            // What stands there is not repeated: it may be a password.
            let (line, column) = (error.line(), error.column());
            Error::configuration(format!("no JSON: line {line}, column {column}"))
        })?;
        Self::of("", root)
    }

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

    pub(super) fn wrong(&self, key: &str, what: &str) -> Error {
        Error::configuration(format!("`{}` has to be {what}", self.name(key)))
    }

    fn take(&mut self, key: &str) -> Option<Value> {
        self.left.remove(key).filter(|value| !value.is_null())
    }

    pub(super) fn text(&mut self, key: &str) -> Result<Option<String>, Error> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(key, "text")),
        }
    }

    /// Whether there is `true` or `false`, where something else may be.
    pub(super) fn is_flag(&self, key: &str) -> bool {
        self.left.get(key).is_some_and(Value::is_boolean)
    }

    pub(super) fn flag(&mut self, key: &str) -> Result<Option<bool>, Error> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(self.wrong(key, "true or false")),
        }
    }

    pub(super) fn port(&mut self, key: &str) -> Result<Option<u16>, Error> {
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

    pub(super) fn seconds(&mut self, key: &str) -> Result<Option<Duration>, Error> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        let seconds = value.as_f64().filter(|seconds| *seconds >= 0.0);
        match seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
            Some(limit) => Ok(Some(limit)),
            None => Err(self.wrong(key, "a number of seconds")),
        }
    }

    /// A number within bounds, which `what` puts into words.
    pub(super) fn number(
        &mut self,
        key: &str,
        bounds: RangeInclusive<f64>,
        what: &str,
    ) -> Result<Option<f64>, Error> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        match value.as_f64().filter(|number| bounds.contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(self.wrong(key, what)),
        }
    }

    pub(super) fn count(&mut self, key: &str) -> Result<Option<u32>, Error> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        match value.as_u64().and_then(|count| u32::try_from(count).ok()) {
            Some(count) => Ok(Some(count)),
            None => Err(self.wrong(key, "a whole number")),
        }
    }

    /// A list of texts, or texts separated by spaces.
    pub(super) fn texts(&mut self, key: &str) -> Result<Vec<String>, Error> {
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

    pub(super) fn object(&mut self, key: &str) -> Result<Option<Self>, Error> {
        let name = self.name(key);
        self.take(key)
            .map(|value| Self::of(&name, value))
            .transpose()
    }

    pub(super) fn finish(self) -> Result<(), Error> {
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
fn without_comments(text: &str) -> Result<Zeroizing<String>, Error> {
    let mut out = Zeroizing::new(String::with_capacity(text.len()));
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
    use super::without_comments;

    #[test]
    fn comments_are_blanks_and_texts_are_left_alone() {
        let text = r#"// first
            {"host": "a//b", /* "port": 1, */ "scheme": "amqp", "user": "u\"//", "password": "p"}"#;
        let stripped = without_comments(text).expect("good comments");
        assert!(stripped.contains(r#""a//b""#) && stripped.contains(r#""u\"//""#));
        assert!(!stripped.contains("first") && !stripped.contains("port"));
        assert!(without_comments("/* never").is_err());
    }
}
