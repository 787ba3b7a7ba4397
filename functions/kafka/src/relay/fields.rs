//! The fields of an answer, in Kafka's encoding.

/// What is left of an answer, whose end may be cut off.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// So many bytes, or all that are left.
    fn take(&mut self, len: usize) -> &'a [u8] {
        let (field, rest) = self.rest.split_at(len.min(self.rest.len()));
        self.rest = rest;
        field
    }

    /// Goes past so many bytes, if they are all there.
    pub(super) fn skip(&mut self, len: usize) -> Option<()> {
        (self.take(len).len() == len).then_some(())
    }

    pub(super) fn int8(&mut self) -> Option<i8> {
        Some(i8::from_be_bytes(self.take(1).try_into().ok()?))
    }

    pub(super) fn int16(&mut self) -> Option<i16> {
        Some(i16::from_be_bytes(self.take(2).try_into().ok()?))
    }

    pub(super) fn int32(&mut self) -> Option<i32> {
        Some(i32::from_be_bytes(self.take(4).try_into().ok()?))
    }

    pub(super) fn int64(&mut self) -> Option<i64> {
        Some(i64::from_be_bytes(self.take(8).try_into().ok()?))
    }

    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.int16()?).ok()?;
        Some(self.take(len))
    }

    /// Goes past a string, or none.
    pub(super) fn skip_nullable_string(&mut self) -> Option<()> {
        let len = usize::try_from(self.int16()?).unwrap_or(0);
        self.skip(len)
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.int32()?).ok()?;
        Some(self.take(len))
    }

    /// A length that counts itself, and so many bytes; 0 is null.
    pub(super) fn compact(&mut self) -> Option<&'a [u8]> {
        let len = self.varint()?.checked_sub(1)?;
        Some(self.take(len))
    }

    /// Goes past the tagged fields, whatever they are.
    pub(super) fn skip_tagged(&mut self) -> Option<()> {
        for _ in 0..self.varint()? {
            self.varint()?;
            let len = self.varint()?;
            self.skip(len)?;
        }
        Some(())
    }

    /// A number of up to two bytes: nothing that is read here is larger.
    pub(super) fn varint(&mut self) -> Option<usize> {
        let first = usize::from(*self.take(1).first()?);
        if first < 0x80 {
            return Some(first);
        }
        let second = usize::from(*self.take(1).first()?);
        (second < 0x80).then_some(first & 0x7f | second << 7)
    }
}
