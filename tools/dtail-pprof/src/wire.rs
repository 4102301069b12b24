//! The wire format of protocol buffers, as far as profiles need it. It knows no message.

/// A field of a message.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    /// Wire type 0.
    Number(u64),
    /// Wire type 2.
    Bytes(&'a [u8]),
    /// Of a fixed length, which no field of a profile has.
    Other,
}

/// Why bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// They end within a field.
    Truncated,
    /// No wire type, no field number or no number.
    Nonsense,
}

/// The fields of a message, one after the other.
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) fn of(message: &'a [u8]) -> Fields<'a> {
        Fields { rest: message }
    }

    /// The next field's number and value; nothing at the message's end.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, Malformed> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = take_number(&mut self.rest)?;
        if tag >> 3 == 0 {
            return Err(Malformed::Nonsense);
        }
        let value = match tag & 7 {
            0 => Value::Number(take_number(&mut self.rest)?),
            1 => self.skip(8)?,
            2 => {
                let length = take_number(&mut self.rest)?;
                let length = usize::try_from(length).map_err(|_| Malformed::Truncated)?;
                let (bytes, rest) =
                    self.rest.split_at_checked(length).ok_or(Malformed::Truncated)?;
                self.rest = rest;
                Value::Bytes(bytes)
            }
            5 => self.skip(4)?,
            _ => return Err(Malformed::Nonsense),
        };
        Ok(Some((tag >> 3, value)))
    }

    fn skip(&mut self, length: usize) -> Result<Value<'a>, Malformed> {
        self.rest = self.rest.get(length..).ok_or(Malformed::Truncated)?;
        Ok(Value::Other)
    }
}

/// Takes a base-128 number off the front.
#[inline]
pub(crate) fn take_number(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    if let Some((first, rest)) = bytes.split_first()
        && *first < 0x80
    {
        *bytes = rest;
        return Ok(u64::from(*first));
    }
    take_long_number(bytes)
}

fn take_long_number(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    let mut number = 0_u64;
    for (at, byte) in bytes.iter().take(10).enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * at);
        if *byte < 0x80 {
            // The tenth byte holds the last bit of 64.
            if at == 9 && *byte > 1 {
                return Err(Malformed::Nonsense);
            }
            *bytes = &bytes[at + 1..];
            return Ok(number);
        }
    }
    Err(if bytes.len() < 10 { Malformed::Truncated } else { Malformed::Nonsense })
}

/// A message that is being written.
#[derive(Default)]
pub(crate) struct Message {
    pub(crate) bytes: Vec<u8>,
}

impl Message {
    fn put(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    /// Writes a number; 0 is what a missing field means and is left out.
    pub(crate) fn number(&mut self, field: u64, number: u64) {
        if number != 0 {
            self.put(field << 3);
            self.put(number);
        }
    }

    /// Writes a number that may be negative.
    pub(crate) fn signed(&mut self, field: u64, number: i64) {
        self.number(field, number.cast_unsigned());
    }

    /// Writes bytes, or a message within this one.
    pub(crate) fn within(&mut self, field: u64, bytes: &[u8]) {
        self.put(field << 3 | 2);
        self.put(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    /// Writes many numbers as one field; `scratch` holds them meanwhile.
    pub(crate) fn packed(
        &mut self,
        field: u64,
        numbers: impl Iterator<Item = u64>,
        scratch: &mut Message,
    ) {
        scratch.bytes.clear();
        numbers.for_each(|number| scratch.put(number));
        if !scratch.bytes.is_empty() {
            self.within(field, &scratch.bytes);
        }
    }
}
