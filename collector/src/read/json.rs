//! Values as plans wrote them: times and numbers in several shapes, text without a copy where it can be.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// Text that borrows from the line unless it has escapes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl Text<'_> {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Take;
        impl<'de> Visitor<'de> for Take {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Take)
    }
}

/// Nanoseconds since the epoch, written as an integer, as a float, or as a date and time; early loggers wrote seconds
/// with a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ns(pub(crate) i64);

impl<'de> Deserialize<'de> for Ns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Take;
        impl Visitor<'_> for Take {
            type Value = Ns;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("nanoseconds since the epoch")
            }
            fn visit_i64<E: Error>(self, ns: i64) -> Result<Ns, E> {
                Ok(Ns(ns))
            }
            fn visit_u64<E: Error>(self, ns: u64) -> Result<Ns, E> {
                i64::try_from(ns).map(Ns).or(Err(E::custom("the time is out of range")))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Ns, E> {
                let at: jiff::Timestamp = text.parse().or(Err(E::custom("no date and time")))?;
                i64::try_from(at.as_nanosecond()).map(Ns).or(Err(E::custom("the time is out of range")))
            }
            fn visit_f64<E: Error>(self, ns: f64) -> Result<Ns, E> {
                // As nanoseconds it would be the first two minutes of 1970. A float of this size is good for
                // microseconds.
                if (1e8..1e11).contains(&ns) {
                    #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
                    return Ok(Ns((ns * 1e6).round() as i64 * 1000));
                }
                if ns.abs() < 9.2e18 {
                    #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
                    Ok(Ns(ns as i64))
                } else {
                    Err(E::custom("the time is out of range"))
                }
            }
        }
        deserializer.deserialize_any(Take)
    }
}
