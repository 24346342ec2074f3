//! One colour per code, as different from each other as they can be.
//!
//! Colours are taken from the middle of the sRGB cube, neither too dark nor too pale, and each one is the candidate that is
//! farthest in OKLab (Ottosson 2020) from all before it. So the first colours are the most different ones, codes
//! with near numbers differ much, and a code has the same colour in every picture.

use super::canvas::{BACKGROUND, Colour};

/// The colours of codes 0 to `codes - 1`. Beyond some thousand codes they come again.
pub(super) fn palette(codes: usize) -> Vec<Colour> {
    let candidates = candidates();
    let distinct = codes.min(candidates.len());
    let mut nearest: Vec<f64> = candidates
        .iter()
        .map(|(_, lab)| distance(*lab, oklab(BACKGROUND)).min(distance(*lab, oklab([150; 3]))))
        .collect();
    let mut colours = Vec::with_capacity(codes);
    let mut next = candidates.iter().position(|(colour, _)| *colour == FIRST).unwrap_or_default();
    while colours.len() < distinct {
        let (colour, lab) = candidates[next];
        colours.push(colour);
        let mut farthest = f64::NEG_INFINITY;
        for (place, (_, other)) in candidates.iter().enumerate() {
            nearest[place] = nearest[place].min(distance(lab, *other));
            if nearest[place] > farthest {
                (farthest, next) = (nearest[place], place);
            }
        }
    }
    (0..codes).map(|code| colours[code % distinct]).collect()
}

/// A calm blue: code 0 is what stands in the first corner, mostly background.
const FIRST: Colour = [51, 102, 170];

/// A lattice through sRGB less what is dark, pale or grey, each with its OKLab.
fn candidates() -> Vec<(Colour, [f64; 3])> {
    let mut candidates = Vec::new();
    let levels = || (0..=255).step_by(17);
    for red in levels() {
        for green in levels() {
            for blue in levels() {
                let colour = [red, green, blue];
                let lab = oklab(colour);
                let chroma = lab[1].hypot(lab[2]);
                if (0.48..0.9).contains(&lab[0]) && (0.06..0.2).contains(&chroma) {
                    candidates.push((colour, lab));
                }
            }
        }
    }
    candidates
}

/// The squared distance in OKLab.
fn distance(a: [f64; 3], b: [f64; 3]) -> f64 {
    (0..3).map(|axis| (a[axis] - b[axis]).powi(2)).sum()
}

/// L in `[0, 1]`, a and b.
fn oklab(colour: Colour) -> [f64; 3] {
    let [red, green, blue] = colour.map(|value| {
        let value = f64::from(value) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    });
    let long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue).cbrt();
    let medium = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue).cbrt();
    let short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue).cbrt();
    [
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nearest_pair(colours: &[Colour]) -> f64 {
        let labs: Vec<_> = colours.iter().map(|colour| oklab(*colour)).collect();
        let pairs = (0..labs.len()).flat_map(|a| (0..a).map(move |b| (a, b)));
        pairs.map(|(a, b)| distance(labs[a], labs[b]).sqrt()).fold(f64::INFINITY, f64::min)
    }

    #[test]
    fn colours_are_distinct() {
        assert!(nearest_pair(&palette(8)) > 0.18, "{}", nearest_pair(&palette(8)));
        assert!(nearest_pair(&palette(32)) > 0.1, "{}", nearest_pair(&palette(32)));
        assert!(nearest_pair(&palette(64)) > 0.07, "{}", nearest_pair(&palette(64)));
    }

    #[test]
    fn a_code_keeps_its_colour_and_any_number_of_codes_has_colours() {
        assert_eq!(palette(1), [FIRST]);
        assert_eq!(palette(200)[..32], palette(32));
        assert_eq!(palette(10_000).len(), 10_000);
        assert!(palette(0).is_empty());
    }

    /// The values of the definition's own table.
    #[test]
    fn white_and_red_are_where_oklab_has_them() {
        for (colour, expected) in [([255; 3], [1.0, 0.0, 0.0]), ([255, 0, 0], [0.628, 0.225, 0.126])] {
            assert!(distance(oklab(colour), expected) < 1e-5, "{colour:?}");
        }
    }
}
