//! JSON objects in PostgreSQL's stored form (see its `jsonb.h`), for the usual fields: texts under
//! a few keys.
//!
//! PostgreSQL would make the same of the object's text, but has to read it for that.

use pgrx::prelude::*;
use serde_json::{Map, Value};

use crate::column::{self, Element};
use crate::pg;

/// A jsonb value with its length word.
pub struct Jsonb(Vec<u8>);

const OBJECT: u32 = 0x2000_0000;
/// Kinds of entries; that of a text is 0.
const FALSE: u32 = 0x2000_0000;
const TRUE: u32 = 0x3000_0000;
const NULL: u32 = 0x4000_0000;
/// An entry says how long its value is, but each 32nd one where it ends.
const STRIDE: usize = 32;
const IS_END: u32 = 0x8000_0000;

impl Jsonb {
    pub fn of(fields: Map<String, Value>) -> Option<Self> {
        flat(&fields)
            .or_else(|| pg::jsonb(Value::Object(fields)))
            .map(Self)
    }

    /// How many bytes it takes.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// None for an object that holds anything but texts, true, false and null.
fn flat(fields: &Map<String, Value>) -> Option<Vec<u8>> {
    let mut pairs = Vec::with_capacity(fields.len());
    for (key, value) in fields {
        pairs.push(match value {
            Value::String(text) => (key.as_str(), 0, text.as_str()),
            Value::Bool(false) => (key.as_str(), FALSE, ""),
            Value::Bool(true) => (key.as_str(), TRUE, ""),
            Value::Null => (key.as_str(), NULL, ""),
            Value::Number(_) | Value::Array(_) | Value::Object(_) => return None,
        });
    }
    pairs.sort_unstable_by(|(a, ..), (b, ..)| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    let keys = pairs.iter().map(|(key, ..)| (0, *key));
    let values = pairs.iter().map(|(_, kind, text)| (*kind, *text));
    let texts: usize = pairs.iter().map(|(key, _, text)| key.len() + text.len()).sum();
    let length = 4 + 4 + 8 * pairs.len() + texts;
    let mut bytes = Vec::with_capacity(length);
    bytes.extend_from_slice(&column::length_word(length));
    bytes.extend_from_slice(&(OBJECT | pairs.len() as u32).to_ne_bytes());
    let mut end = 0;
    for (number, (kind, text)) in keys.clone().chain(values.clone()).enumerate() {
        end += text.len();
        let entry = if number.is_multiple_of(STRIDE) {
            IS_END | end as u32
        } else {
            text.len() as u32
        };
        bytes.extend_from_slice(&(kind | entry).to_ne_bytes());
    }
    for (_, text) in keys.chain(values) {
        bytes.extend_from_slice(text.as_bytes());
    }
    Some(bytes)
}

impl Element for Jsonb {
    const TYPE: pg_sys::Oid = pg_sys::JSONBOID;
    const ARRAY: pg_sys::Oid = pg_sys::JSONBARRAYOID;
    const ALIGNMENT: usize = 4;
    const LENGTH: Option<usize> = None;

    fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.0);
    }
}
