//! The first fields of a slice and of SEI messages: enough to tell pictures, fields and entry points apart.

use rusty_h264_common::BitReader;
use rusty_h264_common::nal::emulation_unprevent;
use rusty_h264_decoder::Sps;

/// The fields that are looked at lie in so many bytes of a NAL unit.
pub(crate) const HEAD: usize = 32;

/// Which half of a frame a slice belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) frame_number: u32,
    pub(crate) parity: Parity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parity {
    Top,
    Bottom,
}

fn header(nal: &[u8]) -> Vec<u8> {
    emulation_unprevent(&nal[1.min(nal.len())..nal.len().min(HEAD)]).into_owned()
}

/// Whether a picture begins with this slice: its first macroblock is number 0.
pub(crate) fn begins_picture(nal: &[u8]) -> bool {
    nal.get(1).is_some_and(|byte| byte & 0x80 != 0)
}

/// Whether a slice uses no other picture.
pub(crate) fn is_intra(nal: &[u8]) -> bool {
    let header = header(nal);
    let mut bits = BitReader::new(&header);
    let kind = bits.read_ue().and_then(|_| bits.read_ue());
    kind.is_ok_and(|kind| matches!(kind % 5, 2 | 4))
}

/// The field that a slice belongs to; `None` for slices of whole frames.
pub(crate) fn field(nal: &[u8], sequence: &Sps) -> Option<Field> {
    if sequence.frame_mbs_only {
        return None;
    }
    let header = header(nal);
    let mut bits = BitReader::new(&header);
    for _ in 0..3 {
        bits.read_ue().ok()?;
    }
    let frame_number = bits.read_bits(sequence.log2_max_frame_num).ok()?;
    let is_field = bits.read_bit().ok()?;
    if !is_field {
        return None;
    }
    let parity = if bits.read_bit().ok()? { Parity::Bottom } else { Parity::Top };
    Some(Field { frame_number, parity })
}

/// Whether an SEI NAL unit says that pictures are right from this one on.
pub(crate) fn is_recovery_point(nal: &[u8]) -> bool {
    const RECOVERY_POINT: usize = 6;
    let payload = emulation_unprevent(&nal[1.min(nal.len())..]);
    let mut rest = &*payload;
    // A number is a row of 255s and what remains.
    let number = |rest: &mut &[u8]| {
        let mut sum = 0_usize;
        loop {
            let (&byte, after) = rest.split_first()?;
            *rest = after;
            sum = sum.saturating_add(usize::from(byte));
            if byte != 255 {
                return Some(sum);
            }
        }
    };
    while let (Some(kind), Some(len)) = (number(&mut rest), number(&mut rest)) {
        let Some((message, after)) = rest.split_at_checked(len) else { return false };
        if kind == RECOVERY_POINT {
            // `recovery_frame_cnt` of 0 is a single set bit; later recovery would show broken pictures first.
            return message.first().is_some_and(|byte| byte & 0x80 != 0);
        }
        rest = after;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_tell_their_kind() {
        // first_mb 0 = `1`, slice_type 7 = `0001000`; slice_type 5 = `00110`.
        assert!(begins_picture(&[0x65, 0b1000_1000]) && is_intra(&[0x65, 0b1000_1000]));
        assert!(!is_intra(&[0x41, 0b1001_1000]));
        // first_mb 1 = `010`.
        assert!(!begins_picture(&[0x41, 0b0100_0000]) && !begins_picture(&[0x41]) && !is_intra(&[]));
    }

    #[test]
    fn recovery_points_are_found_behind_other_messages() {
        assert!(is_recovery_point(&[6, 6, 1, 0x84, 0x80]));
        assert!(is_recovery_point(&[6, 5, 2, 9, 9, 6, 1, 0x84, 0x80]));
        assert!(!is_recovery_point(&[6, 6, 1, 0x44, 0x80]));
        assert!(!is_recovery_point(&[6, 5, 200, 9]));
        assert!(!is_recovery_point(&[]));
    }
}
