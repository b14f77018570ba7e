//! Tagged fields: tag, length, bytes; a tag stands once.

use postcard::ser_flavors::Flavor;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};
use crate::record::Unknown;

pub(super) fn corrupt(detail: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Corrupt, detail)
}

/// What the tag and the length of a field take, at the most.
const HEAD: usize = 3 + 10;
/// Fields of one level, as a rule at the most.
const USUAL: usize = 10;

/// The fields of one level, written in the order of their tags.
#[derive(Default)]
pub(super) struct Writer {
    /// Their bytes, one after the other.
    bytes: Vec<u8>,
    /// The tag of each, and where its bytes end.
    fields: Vec<(u16, usize)>,
}

impl Writer {
    /// With room for so many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), fields: Vec::with_capacity(USUAL) }
    }

    pub(super) fn put<T: Serialize + ?Sized>(&mut self, tag: u16, value: &T) {
        self.bytes = append(value, std::mem::take(&mut self.bytes));
        self.fields.push((tag, self.bytes.len()));
    }

    pub(super) fn put_some<T: Serialize>(&mut self, tag: u16, value: Option<&T>) {
        if let Some(value) = value {
            self.put(tag, value);
        }
    }

    pub(super) fn put_raw(&mut self, tag: u16, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.fields.push((tag, self.bytes.len()));
    }

    pub(super) fn put_unknown(&mut self, unknown: &Unknown) {
        for (tag, bytes) in unknown.iter() {
            self.put_raw(tag, bytes);
        }
    }

    /// The fields behind a head.
    pub(super) fn finish(self, head: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(head.len() + self.bytes.len() + self.fields.len() * HEAD);
        out.extend_from_slice(head);
        let mut from = 0;
        let mut fields: Vec<_> =
            self.fields.iter().map(|(tag, end)| (*tag, std::mem::replace(&mut from, *end)..*end)).collect();
        fields.sort_by_key(|(tag, _)| *tag);
        for (tag, bytes) in fields {
            out = append(&(tag, serde_bytes::Bytes::new(&self.bytes[bytes])), out);
        }
        out
    }
}

/// Where `postcard` writes to. Its own writer behind what is there already takes byte by byte.
struct Behind(Vec<u8>);

impl Flavor for Behind {
    type Output = Vec<u8>;

    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(data);
        Ok(())
    }

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<Vec<u8>> {
        Ok(self.0)
    }
}

fn append<T: Serialize + ?Sized>(value: &T, to: Vec<u8>) -> Vec<u8> {
    // Plain data into a vector cannot fail; an empty field would be refused by the reader.
    postcard::serialize_with_flavor(value, Behind(to)).unwrap_or_default()
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
