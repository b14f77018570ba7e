//! Encoded records taken apart and put together by hand, as a server of a newer version would write them.

use abide_core::{Record, codec};
use serde_bytes::Bytes;

/// The bytes before the first field.
pub(crate) const HEAD: [u8; 2] = [0xAB, 1];
/// The tag of the era among the fields of a record.
pub(crate) const ERA: u16 = 3;

/// The bytes of a record of ordinary size.
pub(crate) fn encode(record: &Record) -> Vec<u8> {
    codec::encode(record).expect("far below the bound")
}

/// The fields of one level: tag and content.
pub(crate) type Fields = Vec<(u16, Vec<u8>)>;

/// Tag, length, bytes: postcard writes a pair of a number and bytes so.
pub(crate) fn field(tag: u16, bytes: &[u8]) -> Vec<u8> {
    postcard::to_allocvec(&(tag, Bytes::new(bytes))).expect("plain data")
}

/// The fields of one level.
pub(crate) fn fields(mut bytes: &[u8]) -> Fields {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let ((tag, content), rest): ((u16, &Bytes), _) =
            postcard::take_from_bytes(bytes).expect("fields of an encoded record");
        fields.push((tag, content.to_vec()));
        bytes = rest;
    }
    fields
}

/// One level, in the order of its tags.
pub(crate) fn level(mut fields: Fields) -> Vec<u8> {
    fields.sort_by_key(|(tag, _)| *tag);
    fields.iter().flat_map(|(tag, bytes)| field(*tag, bytes)).collect()
}

/// The fields of a record, and those of its era where it lives.
pub(crate) fn take_apart(bytes: &[u8]) -> (Fields, Option<Fields>) {
    let mut record = fields(&bytes[HEAD.len()..]);
    let era = record.iter().position(|(tag, _)| *tag == ERA).map(|at| fields(&record.remove(at).1));
    (record, era)
}

/// The inverse of [`take_apart`].
pub(crate) fn put_together(mut record: Fields, era: Option<Fields>) -> Vec<u8> {
    record.extend(era.map(|fields| (ERA, level(fields))));
    [HEAD.to_vec(), level(record)].concat()
}

/// The record with one field more, or with that field replaced: of its own, or of its era.
pub(crate) fn with_foreign(record: &Record, in_era: bool, tag: u16, bytes: &[u8]) -> Record {
    let (mut own, mut era) = take_apart(&encode(record));
    let fields = match (&mut era, in_era) {
        (Some(era), true) => era,
        _ => &mut own,
    };
    fields.retain(|(known, _)| *known != tag);
    fields.push((tag, bytes.to_vec()));
    codec::decode(&put_together(own, era)).expect("unknown fields do not make a record corrupt")
}

/// The bytes of a field that this version does not know.
pub(crate) fn foreign(record: &Record, in_era: bool, tag: u16) -> Option<Vec<u8>> {
    let (own, era) = take_apart(&encode(record));
    let fields = if in_era { era.unwrap_or_default() } else { own };
    fields.into_iter().find(|(known, _)| *known == tag).map(|(_, bytes)| bytes)
}
