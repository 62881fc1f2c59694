//! A cursor over bytes for the hand-written readers. It never moves past the end and never
//! allocates.

pub(crate) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Scanner<'a> {
        Scanner { bytes, at: 0 }
    }

    /// Returns the count of bytes taken.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(crate) fn skip(&mut self, count: usize) {
        self.at = (self.at + count).min(self.bytes.len());
    }

    /// Takes `byte` if it is next.
    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let next = self.peek() == Some(byte);
        self.at += usize::from(next);
        next
    }

    /// Takes exactly `count` digits, at most 19.
    pub(crate) fn digits(&mut self, count: usize) -> Option<u64> {
        let digits = self.rest().get(..count).filter(|_| count <= 19)?;
        let mut value = 0;
        for b in digits {
            value = value * 10 + u64::from(b.is_ascii_digit().then(|| b - b'0')?);
        }
        self.at += count;
        Some(value)
    }

    /// Takes all digits that follow when there are `min` to `max` of them.
    pub(crate) fn number(&mut self, min: usize, max: usize) -> Option<u64> {
        let count = self
            .rest()
            .iter()
            .take(max + 1)
            .take_while(|b| b.is_ascii_digit())
            .count();
        if (min..=max).contains(&count) {
            self.digits(count)
        } else {
            None
        }
    }

    /// Takes blanks and tells whether there were any.
    pub(crate) fn blanks(&mut self) -> bool {
        let count = self
            .rest()
            .iter()
            .take_while(|b| matches!(b, b' ' | b'\t'))
            .count();
        self.at += count;
        count > 0
    }
}
