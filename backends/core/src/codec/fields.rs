//! Tagged fields: tag, length, bytes; a tag stands once.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};
use crate::record::Unknown;

pub(super) fn corrupt(detail: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Corrupt, detail)
}

/// The fields of one level, in the order of their tags.
#[derive(Default)]
pub(super) struct Writer(Vec<(u16, Vec<u8>)>);

impl Writer {
    pub(super) fn put<T: Serialize + ?Sized>(&mut self, tag: u16, value: &T) {
        // Serialising plain data into a vector cannot fail; an empty field would be refused by the reader.
        let bytes = postcard::to_allocvec(value).unwrap_or_default();
        self.0.push((tag, bytes));
    }

    pub(super) fn put_some<T: Serialize>(&mut self, tag: u16, value: Option<&T>) {
        if let Some(value) = value {
            self.put(tag, value);
        }
    }

    pub(super) fn put_raw(&mut self, tag: u16, bytes: Vec<u8>) {
        self.0.push((tag, bytes));
    }

    pub(super) fn put_unknown(&mut self, unknown: &Unknown) {
        self.0.extend(unknown.iter().map(|(tag, bytes)| (tag, bytes.to_vec())));
    }

    pub(super) fn finish(mut self, mut out: Vec<u8>) -> Vec<u8> {
        self.0.sort_by_key(|(tag, _)| *tag);
        for (tag, bytes) in &self.0 {
            let field = (*tag, serde_bytes::Bytes::new(bytes));
            out = postcard::to_extend(&field, out).unwrap_or_default();
        }
        out
    }
}

/// The fields of one level; each is taken once, the rest are unknown.
pub(super) struct Reader<'a>(Vec<(u16, &'a [u8])>);

impl<'a> Reader<'a> {
    pub(super) fn new(mut bytes: &'a [u8]) -> Result<Self, Error> {
        let mut fields: Vec<(u16, &[u8])> = Vec::new();
        while !bytes.is_empty() {
            let (field, rest) = postcard::take_from_bytes(bytes)
                .map_err(|e| corrupt("a field is cut short").with_source(e))?;
            fields.push(field);
            bytes = rest;
        }
        if fields.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
            return Err(corrupt("the fields are not in the order of their tags"));
        }
        Ok(Self(fields))
    }

    pub(super) fn take_raw(&mut self, tag: u16) -> Option<&'a [u8]> {
        let at = self.0.iter().position(|(known, _)| *known == tag)?;
        Some(self.0.remove(at).1)
    }

    pub(super) fn take_borrowed<T: Deserialize<'a>>(&mut self, tag: u16) -> Result<Option<T>, Error> {
        let Some(bytes) = self.take_raw(tag) else {
            return Ok(None);
        };
        match postcard::take_from_bytes(bytes) {
            Ok((value, [])) => Ok(Some(value)),
            Ok(_) => Err(corrupt(format!("field {tag} has trailing bytes"))),
            Err(e) => Err(corrupt(format!("field {tag} cannot be read")).with_source(e)),
        }
    }

    pub(super) fn take<T: DeserializeOwned>(&mut self, tag: u16) -> Result<T, Error> {
        self.take_borrowed(tag)?.ok_or_else(|| corrupt(format!("field {tag} is missing")))
    }

    pub(super) fn into_unknown(self) -> Unknown {
        Unknown::from_sorted(self.0.into_iter().map(|(tag, bytes)| (tag, bytes.into())).collect())
    }
}
