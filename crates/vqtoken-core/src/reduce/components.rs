//! Connected components of tokens that are alike.

use rayon::prelude::*;

use super::nearest::{ROWS, each_product};
use crate::products::products;

/// The component of each of the unit vectors `[N, dim]`, of which those with a cosine above `threshold` are connected, and the number of
/// components. They are numbered by their first member. Cosines are computed once for each pair.
pub(crate) fn components(units: &[f32], dim: usize, threshold: f32) -> (Vec<u32>, usize) {
    let count = units.len() / dim;
    let of_block = |block: usize| {
        let first = block * ROWS;
        let rows = &units[first * dim..(first + ROWS).min(count) * dim];
        let mut forest = Forest::new(count);
        let mut edges = Vec::new();
        each_product(rows, &units[first * dim..], dim, |row, column, cosine| {
            if cosine > threshold && column > row && forest.join(first + row, first + column) {
                edges.push((first + row, first + column));
            }
        });
        edges
    };
    let edges: Vec<(usize, usize)> =
        (0..count.div_ceil(ROWS)).into_par_iter().flat_map_iter(of_block).collect();
    let mut forest = Forest::new(count);
    edges.into_iter().for_each(|(a, b)| _ = forest.join(a, b));
    forest.components()
}

/// The first member of each component, ascending.
pub(crate) fn first_members(components: &[u32]) -> Vec<usize> {
    let mut first = Vec::new();
    for (member, &component) in components.iter().enumerate() {
        if component as usize == first.len() {
            first.push(member);
        }
    }
    first
}

/// The maximum spanning tree of some unit vectors by their cosines (Prim). Cut where cosines are not above a threshold, it
/// falls into the [`components`] of that threshold, so that many thresholds cost little more than one.
#[derive(Debug)]
pub(crate) struct SpanningTree {
    count: usize,
    /// Both ends and their cosine.
    edges: Vec<(usize, usize, f32)>,
}

impl SpanningTree {
    /// The tree of unit vectors `[N, dim]`.
    pub(crate) fn of(units: &[f32], dim: usize) -> Self {
        let count = units.len() / dim;
        let mut row = vec![0.0; count];
        // For each vector outside the tree the nearest inside.
        let mut nearest = vec![(0, f32::NEG_INFINITY); count];
        let mut outside: Vec<usize> = (1..count).collect();
        let mut edges = Vec::with_capacity(outside.len());
        let mut last = 0;
        while !outside.is_empty() {
            products(&units[last * dim..][..dim], units, dim, &mut row);
            let mut next = (0, f32::NEG_INFINITY);
            for (index, &vector) in outside.iter().enumerate() {
                if row[vector] > nearest[vector].1 {
                    nearest[vector] = (last, row[vector]);
                }
                if nearest[vector].1 > next.1 {
                    next = (index, nearest[vector].1);
                }
            }
            last = outside.swap_remove(next.0);
            edges.push((nearest[last].0, last, nearest[last].1));
        }
        Self { count, edges }
    }

    /// As [`components`] returns them.
    pub(crate) fn components(&self, threshold: f32) -> (Vec<u32>, usize) {
        let mut forest = Forest::new(self.count);
        let above = self.edges.iter().filter(|(.., cosine)| *cosine > threshold);
        above.for_each(|&(a, b, _)| _ = forest.join(a, b));
        forest.components()
    }
}

/// Disjoint sets. The root of a set is its first member.
pub(crate) struct Forest {
    parents: Vec<u32>,
}

impl Forest {
    /// Every member by itself.
    pub(crate) fn new(count: usize) -> Self {
        Self { parents: (0..count as u32).collect() }
    }

    /// The first member of the set of a member.
    pub(crate) fn root(&mut self, member: usize) -> usize {
        let mut member = member;
        while self.parents[member] as usize != member {
            let parent = self.parents[member] as usize;
            self.parents[member] = self.parents[parent];
            member = parent;
        }
        member
    }

    /// The set of each member and the number of sets, which are numbered by their first members.
    pub(crate) fn components(mut self) -> (Vec<u32>, usize) {
        let count = self.parents.len();
        let mut labels = vec![None; count];
        let mut found = 0;
        let label = |member| {
            *labels[self.root(member)].get_or_insert_with(|| {
                found += 1;
                found - 1
            })
        };
        ((0..count).map(label).collect(), found as usize)
    }

    /// Joins the sets of two members; returns whether they were different.
    pub(crate) fn join(&mut self, a: usize, b: usize) -> bool {
        let (a, b) = (self.root(a), self.root(b));
        self.parents[a.max(b)] = a.min(b) as u32;
        a != b
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit_tokens::normalize;

    #[test]
    fn chains_connect() {
        // Angles 0, 90, 20, 40 and 100 degrees; above cos 25: 0-20, 20-40 and 90-100, so 0, 20, 40 are one though 0-40 is not alike.
        let units: Vec<f32> = [0.0, 90.0, 20.0, 40.0, 100.0f32]
            .iter()
            .flat_map(|angle| [angle.to_radians().cos(), angle.to_radians().sin()])
            .collect();
        let threshold = 25.0f32.to_radians().cos();
        assert_eq!(components(&units, 2, threshold), (vec![0, 1, 0, 0, 1], 2));
        assert_eq!(first_members(&[0, 1, 0, 0, 1]), [0, 1]);
        assert_eq!(components(&units, 2, 1.0).1, 5);
        assert_eq!(components(&units, 2, -1.0).1, 1);
    }

    #[test]
    fn blocks_do_not_show() {
        let rows: Vec<f32> = (0..300 * 4).map(|i| ((i * 37 + i * i) % 61) as f32 - 30.0).collect();
        let units = normalize(&rows, 4);
        let alike = |a: usize, b: usize| {
            let (a, b) = (&units[a * 4..][..4], &units[b * 4..][..4]);
            crate::products::product(a, b) > 0.95
        };
        let (labels, count) = components(&units, 4, 0.95);
        let tree = SpanningTree::of(&units, 4);
        for threshold in [-1.5, -0.3, 0.5, 0.9, 0.95, 0.99, 1.0] {
            assert_eq!(tree.components(threshold), components(&units, 4, threshold), "{threshold}");
        }
        let mut forest = Forest::new(300);
        (0..300).for_each(|a| (0..a).filter(|&b| alike(a, b)).for_each(|b| _ = forest.join(a, b)));
        assert_eq!(count, (0..300).filter(|&member| forest.root(member) == member).count());
        for a in 0..300 {
            assert_eq!(labels[a] == labels[7], forest.root(a) == forest.root(7));
        }
    }
}
