//! The best rows of a scan.

use std::sync::atomic::{AtomicU32, Ordering};

/// A row by its place: segment, row in it.
pub(super) type Place = (usize, usize);

/// The best of what was added, by cosine and then by place, so that the order of adding does not show.
#[derive(Debug)]
pub(super) struct Best {
    wanted: usize,
    /// Keys, smaller ones better; up to twice as many as wanted, so that selecting is rare.
    found: Vec<u128>,
    /// The cosine below which nothing counts any more.
    least: f32,
}

/// The largest of the cosines below which nothing counts any more, of threads that scan together. It only saves work: what a thread drops because of it
/// would be dropped when their best are merged.
#[derive(Debug)]
pub(super) struct SharedLeast(AtomicU32);

impl SharedLeast {
    pub(super) fn new() -> Self {
        Self(AtomicU32::new(descending(f32::NEG_INFINITY)))
    }

    /// Takes the larger one of both for both.
    pub(super) fn share(&self, best: &mut Best) {
        let before = self.0.fetch_min(descending(best.least), Ordering::Relaxed);
        best.least = best.least.max(ascending(before));
    }
}

impl Best {
    pub(super) fn new(wanted: usize) -> Self {
        Self { wanted, found: Vec::new(), least: f32::NEG_INFINITY }
    }

    /// Whether one of the cosines may be among the best. Without branches, as nearly always none is.
    pub(super) fn would_take_any(&self, cosines: &[f32]) -> bool {
        cosines.iter().fold(false, |any, cosine| any | (*cosine >= self.least))
    }

    pub(super) fn would_take(&self, cosine: f32) -> bool {
        cosine >= self.least
    }

    pub(super) fn add(&mut self, cosine: f32, place: Place) {
        if self.wanted == 0 || cosine.is_nan() || cosine < self.least {
            return;
        }
        self.found.push(key(cosine, place));
        if self.found.len() >= self.wanted.saturating_mul(2) {
            self.cut();
        }
    }

    fn cut(&mut self) {
        if self.found.len() > self.wanted {
            let (_, last, _) = self.found.select_nth_unstable(self.wanted - 1);
            self.least = self.least.max(parts(*last).0);
            self.found.truncate(self.wanted);
        }
    }

    pub(super) fn merge(mut self, other: Self) -> Self {
        self.found.extend(other.found);
        self.least = self.least.max(other.least);
        self.cut();
        self
    }

    /// Places, in their order.
    pub(super) fn places(mut self) -> Vec<Place> {
        self.cut();
        let mut places: Vec<Place> = self.found.into_iter().map(|key| parts(key).1).collect();
        places.sort_unstable();
        places
    }

    /// The best first.
    pub(super) fn sorted(mut self) -> Vec<(f32, Place)> {
        self.cut();
        self.found.sort_unstable();
        self.found.into_iter().map(parts).collect()
    }
}

/// One number that orders by cosine, the largest first, and then by place: selecting from numbers needs no branches.
fn key(cosine: f32, (segment, row): Place) -> u128 {
    u128::from(descending(cosine)) << 96 | (segment as u128 & 0xffff_ffff) << 64 | row as u64 as u128
}

fn parts(key: u128) -> (f32, Place) {
    (ascending((key >> 96) as u32), ((key >> 64) as u32 as usize, key as u64 as usize))
}

/// A number that is the smaller the larger `x` is. Positive numbers are ordered as their bits are; negative ones the other way round, and are below.
fn descending(x: f32) -> u32 {
    let bits = x.to_bits();
    if bits >> 31 == 1 { bits } else { !bits ^ (1 << 31) }
}

/// The inverse of [`descending`].
fn ascending(number: u32) -> f32 {
    f32::from_bits(if number >> 31 == 1 { number } else { !number ^ (1 << 31) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_thread_has_found_spares_another_its_worse_rows() {
        let shared = SharedLeast::new();
        let (mut first, mut second) = (Best::new(1), Best::new(1));
        (0..2).for_each(|row| first.add(0.5 - row as f32, (0, row)));
        second.add(-0.75, (0, 7));
        shared.share(&mut first);
        shared.share(&mut second);
        assert!(!second.would_take(0.25) && second.would_take(0.5));
        second.add(0.25, (0, 8));
        assert_eq!(second.merge(first).sorted(), [(0.5, (0, 0))]);
    }

    #[test]
    fn the_best_come_first_and_equal_ones_by_place() {
        let cosines = [0.5, -0.25, 1.0, 0.0, -1.0, 0.5, f32::NAN, 0.25, 0.5];
        let expected =
            [(1.0, (2, 2)), (0.5, (0, 8)), (0.5, (2, 0)), (0.5, (2, 5)), (0.25, (1, 7)), (0.0, (0, 3))];
        let all = |wanted| {
            let (mut first, mut second) = (Best::new(wanted), Best::new(wanted));
            for (row, cosine) in cosines.iter().enumerate() {
                let place = ([2, 0, 2, 0, 1, 2, 0, 1, 0][row], row);
                if row % 2 == 0 { first.add(*cosine, place) } else { second.add(*cosine, place) }
            }
            second.merge(first)
        };
        for wanted in 0..=6 {
            assert_eq!(all(wanted).sorted(), expected[..wanted]);
        }
        assert_eq!(all(20).sorted()[6..], [(-0.25, (0, 1)), (-1.0, (1, 4))]);
        assert_eq!(all(3).places(), [(0, 8), (2, 0), (2, 2)]);
        let best = all(2);
        assert!(
            best.would_take_any(&[0.0, 0.5])
                && !best.would_take_any(&[0.25, f32::NAN])
                && best.would_take(0.5)
        );
    }
}
