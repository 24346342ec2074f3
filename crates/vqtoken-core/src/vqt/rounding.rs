//! Rounding codes to bf16 and to int8, and back.

use half::bf16;

use super::error::VqtFormatError;
use crate::codebook::Codebook;

/// The largest step of an int8 code, on both sides of 0.
const STEPS: f32 = 127.0;

/// The nearest finite bf16, a tie to the even one: the largest values would be rounded up to infinity.
pub(super) fn to_bf16(value: f32) -> bf16 {
    bf16::from_f32(value).clamp(bf16::MIN, bf16::MAX)
}

/// The codes in steps of their scale, `[K, D]`, and the scales, `[K]`.
///
/// A scale of 8 significant bits times a step of 7 is exact in `f32`, and the largest value is 126.5 to 127.5 scales, so always 127 steps: so the
/// same steps and scales come out of the values they stand for. A scale of 0 marks a code of zeros.
pub(super) fn to_int8(codebook: &Codebook) -> (Vec<i8>, Vec<bf16>) {
    let rows = codebook.data().chunks_exact(codebook.dim());
    let scales: Vec<bf16> = rows.clone().map(scale).collect();
    let steps = rows.zip(&scales).flat_map(|(row, &scale)| {
        let scale = scale.to_f64();
        row.iter().map(move |&value| if scale > 0.0 { (f64::from(value) / scale).round() as i8 } else { 0 })
    });
    (steps.collect(), scales)
}

fn scale(row: &[f32]) -> bf16 {
    let largest = row.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    let scale = to_bf16(largest / STEPS);
    // A scale that is no normal number has fewer significant bits. The largest scale times 127 is still finite.
    if scale < bf16::MIN_POSITIVE { bf16::ZERO } else { scale }
}

/// Codes `[K, D]` from their steps and scales, as [`to_int8`] gives them and not otherwise.
pub(super) fn from_int8(steps: &[i8], scales: &[bf16], dim: usize) -> Result<Vec<f32>, VqtFormatError> {
    let mut values = Vec::with_capacity(steps.len());
    for (code, (row, scale)) in steps.chunks(dim.max(1)).zip(scales).enumerate() {
        let scale = scale.to_f32();
        let largest = row.iter().map(|step| step.unsigned_abs()).max();
        let possible = match largest {
            Some(0) => scale.to_bits() == 0,
            Some(127) => scale >= f32::MIN_POSITIVE && (scale * STEPS).is_finite(),
            _ => false,
        };
        if !possible {
            return Err(VqtFormatError::Scale { code, scale });
        }
        values.extend(row.iter().map(|&step| f32::from(step) * scale));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Rows of four values of about the same size, of any size an `f32` can have.
    fn any_row() -> impl Strategy<Value = Vec<f32>> {
        let any = any::<f32>().prop_filter("finite", |value| value.is_finite());
        let alike = (any.clone(), proptest::array::uniform3(-1.0f32..1.0))
            .prop_map(|(largest, [a, b, c])| vec![a * largest, largest, b * largest, c * largest]);
        prop_oneof![proptest::collection::vec(any, 4), alike]
    }

    fn int8(row: &[f32]) -> (Vec<i8>, Vec<bf16>, Vec<f32>) {
        let (steps, scales) = to_int8(&Codebook::new(1, row.len(), row.to_vec()).unwrap());
        let values = from_int8(&steps, &scales, row.len()).unwrap();
        (steps, scales, values)
    }

    proptest! {
        #[test]
        fn int8_is_near_and_stays(row in any_row()) {
            let (steps, scales, values) = int8(&row);
            let largest = row.iter().fold(0.0, |largest, value| value.abs().max(largest));
            for (value, kept) in row.iter().zip(&values) {
                let error = (f64::from(*value) - f64::from(*kept)).abs();
                prop_assert!(error <= (f64::from(largest) / 253.0).max(2e-36), "{value} became {kept}");
            }
            prop_assert_eq!(int8(&values), (steps, scales, values));
        }

        #[test]
        fn bf16_is_near_and_stays(value in any::<f32>().prop_filter("finite", |value| value.is_finite())) {
            let kept = to_bf16(value).to_f32();
            let bound = f64::from(value.abs()) / 256.0;
            prop_assert!((f64::from(value) - f64::from(kept)).abs() <= bound.max(1e-40), "{value} became {kept}");
            prop_assert_eq!(to_bf16(kept).to_f32().to_bits(), kept.to_bits());
        }
    }

    #[test]
    fn the_ends_are_safe() {
        for value in [0.0, f32::MAX, f32::MIN, f32::MIN_POSITIVE, f32::from_bits(1), 1.5e-36, 1.6e-36] {
            let (steps, scales, values) = int8(&[value, -value, 0.0]);
            assert!(values.iter().all(|value| value.is_finite()), "{value}: {values:?}");
            assert_eq!(int8(&values), (steps, scales, values));
            assert!(to_bf16(value).is_finite());
        }
        assert_eq!(to_bf16(1.0 + 1.0 / 256.0).to_f32(), 1.0, "a tie goes to the even one");
        assert_eq!(to_bf16(1.0 + 3.0 / 256.0).to_f32(), 1.0 + 4.0 / 256.0);
    }

    #[test]
    fn steps_that_are_never_written_are_refused() {
        let one = to_bf16(1.0);
        assert_eq!(from_int8(&[127, -1], &[one], 2), Ok(vec![127.0, -1.0]));
        for (steps, scale) in [
            ([126, 0], one.to_bits()),
            ([-128, 127], one.to_bits()),
            ([0, 0], one.to_bits()),
            ([127, 0], 0),
            ([127, 0], 1),
            ([127, 0], one.to_bits() | 0x8000),
            ([127, 0], bf16::MAX.to_bits()),
            ([127, 0], bf16::INFINITY.to_bits()),
            ([127, 0], u16::MAX),
        ] {
            let error = from_int8(&steps, &[bf16::from_bits(scale)], 2).unwrap_err();
            assert!(
                matches!(error, VqtFormatError::Scale { code: 0, .. }),
                "{steps:?} of {scale:x}: {error}"
            );
        }
    }
}
