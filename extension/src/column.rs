//! One-dimensional arrays in PostgreSQL's own form: they carry the columns of a batch to its
//! statements.
//!
//! A batch has thousands of values, so each is copied only once, straight into the array.

use std::ops::Range;

use pgrx::prelude::*;

use crate::pg;

/// A type that an array can hold here.
pub trait Element {
    const TYPE: pg_sys::Oid;
    const ARRAY: pg_sys::Oid;
    /// Elements begin at multiples of this.
    const ALIGNMENT: usize;
    /// Bytes of an element; None where its length word tells them.
    const LENGTH: Option<usize>;
    fn write(&self, to: &mut Vec<u8>);
}

impl Element for i32 {
    const TYPE: pg_sys::Oid = pg_sys::INT4OID;
    const ARRAY: pg_sys::Oid = pg_sys::INT4ARRAYOID;
    const ALIGNMENT: usize = 4;
    const LENGTH: Option<usize> = Some(4);

    fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.to_ne_bytes());
    }
}

impl Element for i16 {
    const TYPE: pg_sys::Oid = pg_sys::INT2OID;
    const ARRAY: pg_sys::Oid = pg_sys::INT2ARRAYOID;
    const ALIGNMENT: usize = 2;
    const LENGTH: Option<usize> = Some(2);

    fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.to_ne_bytes());
    }
}

impl Element for i64 {
    const TYPE: pg_sys::Oid = pg_sys::INT8OID;
    const ARRAY: pg_sys::Oid = pg_sys::INT8ARRAYOID;
    const ALIGNMENT: usize = 8;
    const LENGTH: Option<usize> = Some(8);

    fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.to_ne_bytes());
    }
}

/// A timestamptz as microseconds since 2000.
pub struct Micros(pub i64);

impl Element for Micros {
    const TYPE: pg_sys::Oid = pg_sys::TIMESTAMPTZOID;
    const ARRAY: pg_sys::Oid = pg_sys::TIMESTAMPTZARRAYOID;
    const ALIGNMENT: usize = 8;
    const LENGTH: Option<usize> = Some(8);

    fn write(&self, to: &mut Vec<u8>) {
        self.0.write(to);
    }
}

impl Element for str {
    const TYPE: pg_sys::Oid = pg_sys::TEXTOID;
    const ARRAY: pg_sys::Oid = pg_sys::TEXTARRAYOID;
    const ALIGNMENT: usize = 4;
    const LENGTH: Option<usize> = None;

    fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&length_word(4 + self.len()));
        to.extend_from_slice(self.as_bytes());
    }
}

/// An array that is being filled.
pub struct Column<T: ?Sized> {
    elements: Vec<u8>,
    count: usize,
    /// One bit for each element, set where it is not NULL; empty as long as none is.
    present: Vec<u8>,
    element: std::marker::PhantomData<T>,
}

impl<T: Element + ?Sized> Default for Column<T> {
    fn default() -> Self {
        Self {
            elements: Vec::new(),
            count: 0,
            present: Vec::new(),
            element: std::marker::PhantomData,
        }
    }
}

impl<T: Element + ?Sized> Column<T> {
    pub fn push(&mut self, value: &T) {
        if !self.present.is_empty() {
            self.note(true);
        }
        value.write(&mut self.elements);
        self.elements
            .resize(self.elements.len().next_multiple_of(T::ALIGNMENT), 0);
        self.count += 1;
    }

    pub fn push_option(&mut self, value: Option<&T>) {
        match value {
            Some(value) => self.push(value),
            None => self.push_bytes(None),
        }
    }

    /// Adds an element in PostgreSQL's form.
    fn push_bytes(&mut self, value: Option<&[u8]>) {
        match value {
            Some(bytes) => {
                if !self.present.is_empty() {
                    self.note(true);
                }
                self.elements.extend_from_slice(bytes);
                self.elements
                    .resize(self.elements.len().next_multiple_of(T::ALIGNMENT), 0);
                self.count += 1;
            }
            None => {
                if self.present.is_empty() {
                    // All before it were there.
                    self.present = vec![0xFF; self.count / 8];
                    if !self.count.is_multiple_of(8) {
                        self.present.push((1 << (self.count % 8)) - 1);
                    }
                }
                self.note(false);
                self.count += 1;
            }
        }
    }

    fn note(&mut self, present: bool) {
        if self.count.is_multiple_of(8) {
            self.present.push(0);
        }
        if let Some(last) = self.present.last_mut() {
            *last |= u8::from(present) << (self.count % 8);
        }
    }

    pub fn len(&self) -> usize {
        self.count
    }

    /// Returns the elements in PostgreSQL's form; None for NULL.
    pub fn elements(&self) -> Elements<'_> {
        Elements {
            rest: &self.elements,
            present: &self.present,
            next: 0,
            count: self.count,
            length: T::LENGTH,
            alignment: T::ALIGNMENT,
        }
    }

    /// Returns some of the elements as a column of their own.
    pub fn part(&self, part: Range<usize>) -> Self {
        let mut column = Self::default();
        for element in self.elements().take(part.end).skip(part.start) {
            column.push_bytes(element);
        }
        column
    }

    /// Returns the header before the elements. `ArrayType` in PostgreSQL's array.h describes it.
    fn head(&self) -> Vec<u8> {
        const HEADER: usize = 16;
        let mut bytes = Vec::with_capacity(HEADER + 16 + self.present.len());
        // An empty array has no dimension, any other one here has one.
        let dimensions = usize::from(self.count > 0);
        let start = (HEADER + 8 * dimensions + self.present.len()).next_multiple_of(8);
        bytes.extend_from_slice(&length_word(start + self.elements.len()));
        bytes.extend_from_slice(&(dimensions as u32).to_ne_bytes());
        // Where the elements begin, if some are NULL.
        let offset = if self.present.is_empty() { 0 } else { start as u32 };
        bytes.extend_from_slice(&offset.to_ne_bytes());
        bytes.extend_from_slice(&T::TYPE.to_u32().to_ne_bytes());
        if dimensions > 0 {
            // The number of elements, and the lower bound 1.
            bytes.extend_from_slice(&(self.count as u32).to_ne_bytes());
            bytes.extend_from_slice(&1_u32.to_ne_bytes());
        }
        bytes.extend_from_slice(&self.present);
        bytes.resize(start, 0);
        bytes
    }
}

impl<T: Element + ?Sized> IntoDatum for Column<T> {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        Some(pg::varlena(&self.head(), &self.elements))
    }

    fn type_oid() -> pg_sys::Oid {
        T::ARRAY
    }
}

/// The elements of a column, in order.
pub struct Elements<'a> {
    rest: &'a [u8],
    present: &'a [u8],
    next: usize,
    count: usize,
    length: Option<usize>,
    alignment: usize,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Option<&'a [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next == self.count {
            return None;
        }
        let number = self.next;
        self.next += 1;
        if !self.present.is_empty() && self.present[number / 8] >> (number % 8) & 1 == 0 {
            return Some(None);
        }
        let length = self.length.unwrap_or_else(|| length_of(self.rest));
        let element = &self.rest[..length];
        self.rest = &self.rest[length.next_multiple_of(self.alignment)..];
        Some(Some(element))
    }
}

/// The first word of a value of `length` bytes in all, itself included (`SET_VARSIZE`).
pub fn length_word(length: usize) -> [u8; 4] {
    let length = length as u32;
    if cfg!(target_endian = "big") {
        length.to_ne_bytes()
    } else {
        (length << 2).to_ne_bytes()
    }
}

/// Returns the length of the value that these bytes begin with, as its first word has it
/// (`VARSIZE`).
fn length_of(value: &[u8]) -> usize {
    let word = u32::from_ne_bytes([value[0], value[1], value[2], value[3]]);
    let length = if cfg!(target_endian = "big") {
        word
    } else {
        word >> 2
    };
    length as usize
}
