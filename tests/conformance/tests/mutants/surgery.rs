//! Records changed behind the contract's back, through their bytes.

use abide_core::{Record, Timestamp, Verifier, codec};
use serde_bytes::Bytes;

type Fields = Vec<(u16, Vec<u8>)>;
/// Generation, verifier, minted, confirmed.
type Secret = (u32, Verifier, Timestamp, Option<Timestamp>);

const HEAD: usize = 2;
const ERA: u16 = 3;
const SECRETS: u16 = 7;

fn fields(mut bytes: &[u8]) -> Fields {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let ((tag, content), rest): ((u16, &Bytes), _) =
            postcard::take_from_bytes(bytes).expect("an encoded record");
        fields.push((tag, content.to_vec()));
        bytes = rest;
    }
    fields
}

fn level(fields: &Fields) -> Vec<u8> {
    let written = |(tag, content): &(u16, Vec<u8>)| {
        postcard::to_allocvec(&(*tag, Bytes::new(content))).expect("plain data")
    };
    fields.iter().flat_map(written).collect()
}

fn rewritten(record: &Record, change: impl FnOnce(&mut Fields)) -> Record {
    let bytes = codec::encode(record).expect("a small record");
    let mut own = fields(&bytes[HEAD..]);
    change(&mut own);
    codec::decode(&[&bytes[..HEAD], &level(&own)].concat()).expect("still a record")
}

fn secrets(era: &Fields) -> Vec<Secret> {
    let (_, bytes) = era.iter().find(|(tag, _)| *tag == SECRETS).expect("an era has secrets");
    postcard::from_bytes(bytes).expect("secrets")
}

fn era_of(own: &mut Fields) -> &mut Vec<u8> {
    &mut own.iter_mut().find(|(tag, _)| *tag == ERA).expect("a live record").1
}

/// The record without the fields of newer versions.
pub(crate) fn without_unknown_fields(record: &Record) -> Record {
    rewritten(record, |own| own.retain(|(tag, _)| *tag < 100))
}

/// `new`, in which the secrets of `old` are good as well.
pub(crate) fn with_secrets_of(old: &Record, new: &Record) -> Record {
    let bytes = codec::encode(old).expect("a small record");
    let mut before = fields(&bytes[HEAD..]);
    let before = secrets(&fields(era_of(&mut before)));
    rewritten(new, |own| {
        let era = era_of(own);
        let mut of_era = fields(era);
        let mut kept = vec![(before[0].0 + 1, secrets(&of_era)[0].1, Timestamp::default(), None)];
        kept.extend(before.into_iter().take(3));
        let bytes = postcard::to_allocvec(&kept).expect("plain data");
        of_era.iter_mut().filter(|(tag, _)| *tag == SECRETS).for_each(|field| field.1.clone_from(&bytes));
        *era = level(&of_era);
    })
}
