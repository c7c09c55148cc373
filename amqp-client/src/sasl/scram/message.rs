//! The text of SCRAM's messages.
//!
//! Decides how attributes are told apart and how names are prepared and escaped. RFC 5802, 5.1 and 7.

use std::borrow::Cow;

use zeroize::Zeroizing;

use crate::error::Error;

/// The value of the attribute that has to come next.
pub(super) fn attribute<'a>(
    parts: &mut impl Iterator<Item = &'a str>,
    name: &str,
) -> Option<&'a str> {
    let part = parts.next()?;
    part.strip_prefix(name)?.strip_prefix('=')
}

/// A user name as it is written in a message: without `,` and `=`.
pub(in crate::sasl) fn escape(name: &str) -> Cow<'_, str> {
    if !name.contains([',', '=']) {
        return Cow::Borrowed(name);
    }
    Cow::Owned(name.replace('=', "=3D").replace(',', "=2C"))
}

/// Undoes [`escape`]; any other use of `=` is an error.
pub(in crate::sasl) fn unescape(text: &str) -> Option<String> {
    let mut parts = text.split('=');
    let mut name = parts.next()?.to_owned();
    for part in parts {
        let (code, rest) = part.split_at_checked(2)?;
        name.push(match code {
            "2C" => ',',
            "3D" => '=',
            _ => return None,
        });
        name.push_str(rest);
    }
    Some(name)
}

/// Brings a name or a password into the one form that both sides hash. RFC 4013.
pub(super) fn prepare(text: &str) -> Result<Zeroizing<String>, Error> {
    stringprep::saslprep(text)
        .map(|prepared| Zeroizing::new(prepared.into_owned()))
        .map_err(|_| {
            Error::configuration("a name or a password has characters that RFC 4013 forbids")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_escaping() {
        assert_eq!(escape("us,er="), "us=2Cer=3D");
        assert_eq!(unescape("us=2Cer=3D").as_deref(), Some("us,er="));
        assert_eq!(unescape("a=4"), None);
        assert_eq!(unescape("a=41"), None);
    }

    #[test]
    fn spellings_of_one_letter_are_the_same_password() {
        let composed = prepare("p\u{e9}").expect("a password");
        let wide = prepare("\u{ff50}e\u{301}").expect("a password");
        assert_eq!(*composed, *wide);
        assert!(prepare("a\u{7}").is_err());
    }
}
