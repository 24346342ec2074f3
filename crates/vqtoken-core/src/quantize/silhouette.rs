//! The exact mean cosine silhouette, from cluster sums instead of pairwise distances.

use rayon::prelude::*;

use crate::quantize::means::Members;

/// Cosine distances below this are rounding: a token is where its cluster is, and where its neighbour is.
const ROUNDING: f64 = 1e-12;

/// The mean over N points `[N, D]` of `(b - a) / max(a, b)`: `a` is the mean cosine distance to the other points of the
/// same cluster, `b` the smallest mean cosine distance to another cluster. Between -1 and 1, larger is better.
///
/// A point alone in its cluster counts 0, and so does everything if there are fewer than two clusters with points.
/// The cosine with a zero vector is 0. Since a mean cosine is a dot product with the sum of unit vectors, this takes
/// O(N K D). Labels not below `codes`, and points beyond the shorter of `labels` and `points`, are left out.
///
/// Source: Rousseeuw 1987; equal to scikit-learn's `silhouette_score(metric="cosine")`.
pub fn silhouette(points: &[f32], dim: usize, labels: &[u32], codes: usize) -> f64 {
    if dim == 0 {
        return 0.0;
    }
    let (points, labels): (Vec<&[f32]>, Vec<u32>) = points
        .chunks_exact(dim)
        .zip(labels.iter().copied())
        .filter(|&(_, label)| (label as usize) < codes)
        .unzip();
    let lengths: Vec<f64> =
        points.par_iter().with_min_len(64).map(|point| dot(point, point).sqrt()).collect();
    let members = Members::new(labels.iter().copied(), codes);
    let sums: Vec<Vec<f64>> =
        (0..codes).into_par_iter().map(|code| sum(&points, &lengths, members.of(code), dim)).collect();
    let counts: Vec<u64> = (0..codes).map(|code| members.of(code).len() as u64).collect();
    let of_point = |point: usize| {
        let scale = inverse(lengths[point]);
        let cosines: Vec<f64> = sums.iter().map(|sum| scale * mixed_dot(points[point], sum)).collect();
        let with_itself = if lengths[point] > 0.0 { 1.0 } else { 0.0 };
        score(&cosines, &counts, labels[point] as usize, with_itself)
    };
    if points.is_empty() {
        return 0.0;
    }
    let values: Vec<f64> = (0..points.len()).into_par_iter().with_min_len(64).map(of_point).collect();
    values.iter().sum::<f64>() / values.len() as f64
}

/// The silhouette of one point from the sums of its cosines with the members of each code, `[K]`, and how many these are. `own` is its
/// code, `with_itself` its part of that code's sum.
pub(crate) fn score(cosines: &[f64], members: &[u64], own: usize, with_itself: f64) -> f64 {
    let others = members[own].saturating_sub(1);
    if others == 0 {
        return 0.0;
    }
    let a = (1.0 - (cosines[own] - with_itself) / others as f64).max(0.0);
    let neighbours = cosines.iter().zip(members).enumerate();
    let b = neighbours
        .filter(|(code, (_, members))| *code != own && **members > 0)
        .map(|(_, (cosines, members))| (1.0 - cosines / *members as f64).max(0.0))
        .fold(f64::INFINITY, f64::min);
    match a.max(b) {
        // There is no other code.
        f64::INFINITY => 0.0,
        largest if largest > ROUNDING => (b - a) / largest,
        _ => 0.0,
    }
}

fn inverse(length: f64) -> f64 {
    if length > 0.0 { 1.0 / length } else { 0.0 }
}

/// The sum of the members' unit vectors.
fn sum(points: &[&[f32]], lengths: &[f64], members: &[u32], dim: usize) -> Vec<f64> {
    let mut sum = vec![0.0; dim];
    for &member in members {
        let scale = inverse(lengths[member as usize]);
        let point = points[member as usize];
        sum.iter_mut().zip(point).for_each(|(sum, &value)| *sum += scale * f64::from(value));
    }
    sum
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

/// Eight sums at a time, in a fixed order.
fn mixed_dot(a: &[f32], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (a_blocks, b_blocks) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest = a_blocks.remainder().iter().zip(b_blocks.remainder());
    let rest: f64 = rest.map(|(&a, &b)| f64::from(a) * b).sum();
    for (a, b) in a_blocks.zip(b_blocks) {
        for lane in 0..8 {
            sums[lane] += f64::from(a[lane]) * b[lane];
        }
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, pair by pair.
    fn by_pairs(points: &[[f32; 3]], labels: &[u32], codes: usize) -> f64 {
        let cosine =
            |a: &[f32; 3], b: &[f32; 3]| dot(a, b) * inverse(dot(a, a).sqrt()) * inverse(dot(b, b).sqrt());
        let mut total = 0.0;
        for (i, point) in points.iter().enumerate() {
            let mean = |code: u32| {
                let cluster = (0..points.len()).filter(|&j| j != i && labels[j] == code);
                let distances: Vec<f64> = cluster.map(|j| 1.0 - cosine(point, &points[j])).collect();
                (!distances.is_empty()).then(|| distances.iter().sum::<f64>() / distances.len() as f64)
            };
            let b =
                (0..codes as u32).filter(|&code| code != labels[i]).filter_map(mean).fold(f64::MAX, f64::min);
            total += mean(labels[i]).map_or(0.0, |a| (b - a) / a.max(b));
        }
        total / points.len() as f64
    }

    #[test]
    fn equals_the_definition() {
        let points = [
            [1.0, 0.1, 0.0],
            [2.0, 0.5, 0.3],
            [0.0, 1.0, 0.2],
            [0.1, 3.0, 0.4],
            [0.0, 0.0, 0.0],
            [0.3, 0.2, 1.0],
        ];
        for labels in [[0, 0, 1, 1, 1, 2], [0, 1, 0, 1, 0, 1], [3, 3, 3, 0, 0, 0]] {
            let exact = by_pairs(&points, &labels, 4);
            assert!((silhouette(points.as_flattened(), 3, &labels, 4) - exact).abs() < 1e-12);
        }
    }

    #[test]
    fn degenerate_clusterings_are_zero() {
        assert_eq!(silhouette(&[1.0, 0.0, 0.0, 1.0], 2, &[0, 1], 2), 0.0);
        assert_eq!(silhouette(&[1.0, 0.0, 0.0, 1.0], 2, &[1, 1], 2), 0.0);
        assert_eq!(silhouette(&[2.0; 8], 2, &[0, 1, 0, 1], 2), 0.0);
        assert_eq!(silhouette(&[], 2, &[], 2), 0.0);
        assert_eq!(silhouette(&[1.0], 0, &[0], 1), 0.0);
    }
}
