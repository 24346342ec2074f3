//! A binary range coder: decisions of given probability to bytes and back.
//!
//! Source: G. N. N. Martin, "Range encoding", 1979. The bytes name a point of an interval that each decision narrows in
//! proportion to its probability.

use std::convert::Infallible;

/// Probabilities are 12-bit numbers: this one is certainty.
pub(super) const ONE: u32 = 1 << 12;
/// No decision is taken to be likelier than 1023 in 1024, so that each costs at least 0.0014 bits.
const LEAST: u32 = 4;
/// Below this the interval is widened by a byte.
const NARROW: u32 = 1 << 24;

/// Why decoding stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// There are no more bytes.
    Short,
    /// No encoder writes this.
    Impossible,
}

/// What both directions share, so that labels are walked through by one function.
pub(super) trait Coder {
    type Error;

    /// Codes one decision that is a yes with `probability` of [`ONE`]: writes `given`, or reads and returns another.
    fn code(&mut self, probability: u32, given: bool) -> Result<bool, Self::Error>;

    /// What the decisions come to contradicts the ones before, which happens only to a reader.
    fn contradiction(&self) -> Result<(), Self::Error>;
}

/// The part of the interval that a yes takes; neither part is ever empty.
fn part(range: u32, probability: u32) -> u32 {
    (range >> 12) * probability.clamp(LEAST, ONE - LEAST)
}

pub(super) struct Encoder {
    low: u32,
    range: u32,
    bytes: Vec<u8>,
}

impl Default for Encoder {
    fn default() -> Self {
        Self { low: 0, range: u32::MAX, bytes: Vec::new() }
    }
}

impl Coder for Encoder {
    type Error = Infallible;

    fn code(&mut self, probability: u32, given: bool) -> Result<bool, Infallible> {
        let yes = part(self.range, probability);
        if given {
            self.range = yes;
        } else {
            let (low, carried) = self.low.overflowing_add(yes);
            self.low = low;
            self.range -= yes;
            if carried {
                self.carry();
            }
        }
        while self.range < NARROW {
            self.write_byte();
            self.range <<= 8;
        }
        Ok(given)
    }

    fn contradiction(&self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl Encoder {
    fn write_byte(&mut self) {
        self.bytes.push((self.low >> 24) as u8);
        self.low <<= 8;
    }

    fn carry(&mut self) {
        for byte in self.bytes.iter_mut().rev() {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                break;
            }
        }
    }

    /// The bytes, ended with the interval's lower end in full: no other bytes stand for the same decisions.
    pub(super) fn finish(mut self) -> Vec<u8> {
        for _ in 0..4 {
            self.write_byte();
        }
        self.bytes
    }
}

pub(super) struct Decoder<'a> {
    /// How far above the interval's lower end the bytes read so far are.
    above: u32,
    range: u32,
    rest: std::slice::Iter<'a, u8>,
    /// The first bytes, which are read like any others, were not there.
    short: bool,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let mut decoder = Self { above: 0, range: u32::MAX, rest: bytes.iter(), short: false };
        decoder.short = (0..4).any(|_| decoder.read_byte().is_err());
        decoder
    }

    fn read_byte(&mut self) -> Result<(), Fault> {
        let byte = self.rest.next().ok_or(Fault::Short)?;
        self.above = (self.above << 8) | u32::from(*byte);
        Ok(())
    }

    /// How many bytes are left after the last decision; `None` if what was read is not what an encoder ends with.
    pub(super) fn finish(self) -> Option<usize> {
        (self.above == 0).then_some(self.rest.len())
    }
}

impl Coder for Decoder<'_> {
    type Error = Fault;

    fn code(&mut self, probability: u32, _: bool) -> Result<bool, Fault> {
        if self.short {
            return Err(Fault::Short);
        }
        // Holds from the second decision on, because each keeps to its part of the interval.
        if self.above >= self.range {
            return Err(Fault::Impossible);
        }
        let yes = part(self.range, probability);
        let taken = self.above < yes;
        if taken {
            self.range = yes;
        } else {
            self.above -= yes;
            self.range -= yes;
        }
        while self.range < NARROW {
            self.read_byte()?;
            self.range <<= 8;
        }
        Ok(taken)
    }

    fn contradiction(&self) -> Result<(), Fault> {
        Err(Fault::Impossible)
    }
}
