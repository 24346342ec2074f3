//! Outlines as signed distances, and textures, both in an object's own coordinates: its farthest point is at distance 1 from
//! the centre.

use std::f32::consts::PI;

use crate::appearance::{Shape, Texture};
use crate::geometry::{Point, length};

/// Signed distance of `at` to the outline, in radii: negative inside.
pub(crate) fn signed_distance(shape: Shape, at: Point) -> f32 {
    let [x, y] = at;
    match shape {
        Shape::Circle => length(at) - 0.9,
        Shape::Square => box_distance(at, [0.7, 0.7]),
        Shape::Triangle => (0.866_025_4 * x.abs() - 0.5 * y).max(y) - 0.5,
        Shape::Star => star_distance(at),
        Shape::Cross => box_distance(at, [0.95, 0.3]).min(box_distance(at, [0.3, 0.95])),
        Shape::Ring => (length(at) - 0.74).abs() - 0.22,
    }
}

fn box_distance(at: Point, half: Point) -> f32 {
    let (x, y) = (at[0].abs() - half[0], at[1].abs() - half[1]);
    length([x.max(0.0), y.max(0.0)]) + x.max(y).min(0.0)
}

/// By symmetry all ten edges are one: the point is folded into its tenth of the plane.
fn star_distance(at: Point) -> f32 {
    const INNER: f32 = 0.46;
    const SECTOR: f32 = PI / 5.0;
    // One point of the star is up.
    let angle = at[0].atan2(-at[1]);
    let folded = ((angle + SECTOR).rem_euclid(2.0 * SECTOR) - SECTOR).abs();
    let radius = length(at);
    let point = [radius * folded.cos(), radius * folded.sin()];
    let valley = [INNER * SECTOR.cos(), INNER * SECTOR.sin()];
    let edge = [valley[0] - 1.0, valley[1]];
    let long = length(edge);
    (edge[1] * (point[0] - 1.0) - edge[0] * point[1]) / long
}

/// Whether a darker mark of the texture covers this point.
pub(crate) fn marked(texture: Texture, at: Point) -> bool {
    let [x, y] = at;
    match texture {
        Texture::Plain => false,
        Texture::Striped => (x * 2.4).rem_euclid(1.0) < 0.42,
        Texture::Dotted => {
            let cell = [(x * 2.3).rem_euclid(1.0) - 0.5, (y * 2.3).rem_euclid(1.0) - 0.5];
            length(cell) < 0.32
        }
        Texture::Checked => ((x * 2.0).floor() + (y * 2.0).floor()).rem_euclid(2.0) < 0.5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outlines_fill_the_unit_disc_and_stay_inside() {
        for shape in Shape::ALL {
            let mut farthest = 0.0_f32;
            for step in 0..40_000 {
                let at = [(step % 200) as f32 / 80.0 - 1.25, (step / 200) as f32 / 80.0 - 1.25];
                if signed_distance(shape, at) < 0.0 {
                    farthest = farthest.max(length(at));
                }
            }
            assert!((0.88..=1.02).contains(&farthest), "{shape:?} reaches {farthest}");
        }
    }

    #[test]
    fn centres_are_inside_except_for_the_ring() {
        for shape in Shape::ALL {
            assert_eq!(signed_distance(shape, [0.0, 0.0]) < 0.0, shape != Shape::Ring, "{shape:?}");
        }
        assert!(
            signed_distance(Shape::Star, [0.0, -0.95]) < 0.0
                && signed_distance(Shape::Star, [0.0, 0.8]) > 0.0
        );
        assert!(signed_distance(Shape::Triangle, [0.0, -0.95]) < 0.0);
    }

    #[test]
    fn hiding_shapes_cover_what_is_behind_them() {
        for shape in Shape::ALL.into_iter().filter(|shape| shape.hides()) {
            assert!(signed_distance(shape, [0.69, 0.0]) < 0.0 && signed_distance(shape, [0.0, 0.69]) < 0.0);
        }
    }
}
