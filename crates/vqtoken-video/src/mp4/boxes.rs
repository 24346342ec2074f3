//! Boxes of the ISO base media file format (ISO/IEC 14496-12) and bounded reading inside them.
//!
//! Nothing here trusts a size: a box never reaches beyond its parent, and every read says `None` at the end.

/// A four-character code.
pub(crate) type FourCc = [u8; 4];

/// Big-endian reading of a byte slice.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    data: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self { data }
    }

    pub(crate) fn remaining(&self) -> usize {
        self.data.len()
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.data.split_at_checked(count)?;
        self.data = tail;
        Some(head)
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.data
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) fn four_cc(&mut self) -> Option<FourCc> {
        self.array()
    }

    /// Version and flags, which open a "full box".
    pub(crate) fn version_and_flags(&mut self) -> Option<(u8, u32)> {
        let word = self.u32()?;
        Some(((word >> 24) as u8, word & 0xff_ffff))
    }

    /// A field that has 64 bits in version 1 and 32 bits before.
    pub(crate) fn by_version(&mut self, version: u8) -> Option<u64> {
        if version == 1 { self.u64() } else { self.u32().map(u64::from) }
    }
}

/// Kind, length of the header, and length of the whole box as its header states it (`None`: to the end).
pub(crate) struct BoxHeader {
    pub(crate) kind: FourCc,
    pub(crate) header_len: u64,
    pub(crate) len: Option<u64>,
}

/// Reads the 8 or 16 bytes that open a box. `None` when they are cut short or the length is impossible.
pub(crate) fn box_header(reader: &mut Reader<'_>) -> Option<BoxHeader> {
    let short = reader.u32()?;
    let kind = reader.four_cc()?;
    let (header_len, len) = match short {
        0 => (8, None),
        1 => (16, Some(reader.u64()?)),
        len => (8, Some(u64::from(len))),
    };
    len.is_none_or(|len| len >= header_len).then_some(BoxHeader { kind, header_len, len })
}

/// The boxes directly inside `data`, as kind and payload. Ends quietly where the bytes stop making sense; a
/// box that claims to be longer than its parent is cut to it.
pub(crate) fn children(data: &[u8]) -> impl Iterator<Item = (FourCc, &[u8])> {
    let mut reader = Reader::new(data);
    std::iter::from_fn(move || {
        let header = box_header(&mut reader)?;
        let payload = match header.len {
            None => reader.remaining(),
            Some(len) => usize::try_from(len - header.header_len).ok()?.min(reader.remaining()),
        };
        Some((header.kind, reader.bytes(payload)?))
    })
}

/// The payload of the first child of this kind.
pub(crate) fn child<'a>(data: &'a [u8], kind: &FourCc) -> Option<&'a [u8]> {
    children(data).find(|(found, _)| found == kind).map(|(_, payload)| payload)
}

/// The payload at the end of a path of kinds.
pub(crate) fn descend<'a>(data: &'a [u8], path: &[&FourCc]) -> Option<&'a [u8]> {
    path.iter().try_fold(data, |data, kind| child(data, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_stay_inside() {
        let mut data = Vec::new();
        data.extend([0, 0, 0, 10, b'a', b'b', b'c', b'd', 1, 2]);
        data.extend([0, 0, 0, 200, b'e', b'f', b'g', b'h', 3]);
        let found: Vec<_> = children(&data).collect();
        assert_eq!(found, [(*b"abcd", &[1, 2][..]), (*b"efgh", &[3][..])]);
        assert_eq!(child(&data, b"efgh"), Some(&[3][..]));
    }

    #[test]
    fn impossible_lengths_end_the_walk() {
        assert_eq!(children(&[0, 0, 0, 4, b'a', b'b', b'c', b'd']).count(), 0);
        assert_eq!(children(&[0, 0, 0, 1, b'a', b'b', b'c', b'd', 0, 0]).count(), 0);
        assert_eq!(children(&[0, 0, 0, 0, b'a', b'b', b'c', b'd', 9]).count(), 1);
    }
}
