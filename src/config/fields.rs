//! How one value is read: as its TOML type, or as the text that an environment variable has.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Deserializer, Visitor};

pub(super) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    struct Text;
    impl Visitor<'_> for Text {
        type Value = String;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text")
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
            Ok(text.to_owned())
        }
    }
    from.deserialize_any(Text)
}

pub(super) fn optional_text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    text(from).map(Some)
}

pub(super) fn flag<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    struct Flag;
    impl Visitor<'_> for Flag {
        type Value = bool;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("`true` or `false`")
        }
        fn visit_bool<E: de::Error>(self, yes: bool) -> Result<bool, E> {
            Ok(yes)
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<bool, E> {
            text.parse().map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
        }
    }
    from.deserialize_any(Flag)
}

/// A whole number that is not negative, or a text that `read` makes one of.
struct Whole {
    read: fn(&str) -> Option<usize>,
    expected: &'static str,
}

impl Whole {
    const fn count(expected: &'static str) -> Self {
        Self { read: |text| text.parse().ok(), expected }
    }
}

impl Visitor<'_> for Whole {
    type Value = usize;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }
    fn visit_i64<E: de::Error>(self, number: i64) -> Result<usize, E> {
        usize::try_from(number).map_err(|_| E::invalid_value(de::Unexpected::Signed(number), &self))
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<usize, E> {
        (self.read)(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

pub(super) fn size<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    from.deserialize_any(Whole {
        read: parse_size,
        expected: "a number of bytes, such as `65536` or `64KiB`",
    })
}

/// A number of bytes, with `KiB`, `MiB` or `GiB` behind it or without.
pub(crate) fn parse_size(text: &str) -> Option<usize> {
    const UNITS: [(&str, usize); 3] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
    let unit = UNITS.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?.trim_end(), *bytes)));
    let (number, bytes) = unit.unwrap_or((text, 1));
    number.parse::<usize>().ok()?.checked_mul(bytes)
}

pub(super) fn sessions<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    from.deserialize_any(Whole::count("a number of sessions, such as `5`"))
}

pub(super) fn optional_count<'de, D: Deserializer<'de>>(from: D) -> Result<Option<usize>, D::Error> {
    from.deserialize_any(Whole::count("a number of operations, such as `512`")).map(Some)
}

pub(super) fn status<'de, D: Deserializer<'de>>(from: D) -> Result<u16, D::Error> {
    let expected = "a status, `503` or `404`";
    let status = from.deserialize_any(Whole::count(expected))?;
    u16::try_from(status)
        .map_err(|_| de::Error::invalid_value(de::Unexpected::Unsigned(status as u64), &expected))
}

pub(super) mod duration {
    use super::{Deserializer, Duration, Visitor, de, fmt};
    use serde::Serializer;

    struct Span;

    impl Visitor<'_> for Span {
        type Value = Duration;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a duration with its unit, such as `30m`, `1h 30m` or `500ms`")
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
            humantime::parse_duration(text).map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
        }
    }

    pub(in crate::config) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        from.deserialize_any(Span)
    }

    pub(in crate::config) fn serialize<S: Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&humantime::format_duration(*span))
    }
}

pub(super) mod optional_duration {
    use super::{Deserializer, Duration, duration};
    use serde::Serializer;

    pub(in crate::config) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        duration::deserialize(from).map(Some)
    }

    pub(in crate::config) fn serialize<S: Serializer>(
        span: &Option<Duration>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match span {
            Some(span) => duration::serialize(span, to),
            None => to.serialize_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::parse_size;

    #[test]
    fn a_size_is_a_number_of_bytes_with_or_without_a_unit() {
        assert_eq!(parse_size("65536"), Some(65_536));
        assert_eq!(parse_size("64KiB"), Some(65_536));
        assert_eq!(parse_size("256 MiB"), Some(256 << 20));
        assert_eq!(parse_size("2GiB"), Some(2 << 30));
        for wrong in ["", "MiB", "-1", "1.5MiB", "64KB", "64kib", "99999999999GiB", "1MiBKiB"] {
            assert_eq!(parse_size(wrong), None, "{wrong}");
        }
    }
}
