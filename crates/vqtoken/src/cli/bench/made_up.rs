//! Made-up tokens: clusters of unequal size, any of which can be made at any time without those before it.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use rayon::prelude::*;
use vqtoken_random::SplitMix64;

/// How far tokens lie from their centres in each channel, where centres have a variance of 1.
const NOISE: f32 = 0.8;
const DEFAULT_CLUSTERS: usize = 40;
/// A centre holds as many values as a token, and all centres are held.
const MOST_CENTRE_VALUES: usize = 1 << 28;

/// How many tokens of how many channels around how many centres.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) count: usize,
    pub(super) dim: usize,
    pub(super) clusters: usize,
}

/// 32 frames of 27 x 27 tokens of the 0.5B model's 896 channels.
impl Default for Size {
    fn default() -> Self {
        Self { count: 32 * 729, dim: 896, clusters: DEFAULT_CLUSTERS }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},{}", self.count, self.dim, self.clusters)
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Option<Vec<usize>> =
            text.split(',').map(|number| number.trim().parse().ok().filter(|&number| number > 0)).collect();
        let size = match numbers.as_deref() {
            Some(&[count, dim]) => Self { count, dim, clusters: DEFAULT_CLUSTERS },
            Some(&[count, dim, clusters]) => Self { count, dim, clusters },
            _ => return Err("write N,D or N,D,CLUSTERS, such as 23328,896,40".to_owned()),
        };
        if u32::try_from(size.count).is_err() {
            return Err("a clip has fewer than 2^32 tokens: ask for fewer".to_owned());
        }
        match size.dim.checked_mul(size.clusters) {
            Some(values) if values <= MOST_CENTRE_VALUES => Ok(size),
            _ => Err("so many channels and clusters are too much for memory: ask for fewer".to_owned()),
        }
    }
}

/// A mixture of clusters. The same size always gives the same bits, on any machine and in blocks of any size.
#[derive(Debug)]
pub(super) struct MadeUp {
    size: Size,
    /// `[clusters, D]`.
    centres: Vec<f32>,
    /// The share of all clusters up to and with each, `[clusters]`.
    cumulative: Vec<f64>,
}

impl MadeUp {
    pub(super) fn new(size: Size) -> Self {
        let mut random = Random::of(u64::MAX);
        let centres = (0..size.clusters * size.dim).map(|_| random.bell()).collect();
        // Squares of uniform numbers: a few clusters are large, many are small.
        let weights: Vec<f64> = (0..size.clusters).map(|_| random.uniform().powi(2) + 1e-3).collect();
        let total: f64 = weights.iter().sum();
        let cumulative = weights
            .iter()
            .scan(0.0, |sum, weight| {
                *sum += weight / total;
                Some(*sum)
            })
            .collect();
        Self { size, centres, cumulative }
    }

    pub(super) fn size(&self) -> Size {
        self.size
    }

    /// Some of the tokens, `[_, D]`.
    pub(super) fn rows(&self, rows: Range<usize>) -> Vec<f32> {
        let dim = self.size.dim;
        let mut values = vec![0.0; rows.len() * dim];
        values.par_chunks_mut(dim).zip(rows).with_min_len(16).for_each(|(row, place)| {
            let mut random = Random::of(place as u64);
            let share = random.uniform();
            let cluster = self.cumulative.partition_point(|&end| end <= share).min(self.size.clusters - 1);
            let centre = &self.centres[cluster * dim..][..dim];
            row.iter_mut().zip(centre).for_each(|(value, centre)| *value = centre + NOISE * random.bell());
        });
        values
    }
}

/// A stream of random numbers for each token.
struct Random(SplitMix64);

impl Random {
    fn of(stream: u64) -> Self {
        let mut seeds = SplitMix64::new(stream.wrapping_mul(0xD134_2543_DE82_EF95));
        Self(SplitMix64::new(seeds.next_u64()))
    }

    /// In `[0, 1)`.
    fn uniform(&mut self) -> f64 {
        self.0.unit()
    }

    /// Mean 0, variance 1: the sum of four uniform numbers is near enough to a normal one, and exact everywhere.
    fn bell(&mut self) -> f32 {
        let bits = self.0.next_u64();
        let sum: u32 = (0..4).map(|part| (bits >> (16 * part)) as u16 as u32).sum();
        const MIDDLE: f32 = 2.0 * 65_535.0;
        // A uniform number of 2^16 steps deviates by 2^16 / sqrt(12), the sum of four by twice that.
        const DEVIATION: f32 = 37_837.227;
        (sum as f32 - MIDDLE) / DEVIATION
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_parts_of_the_whole() {
        let made_up = MadeUp::new(Size { count: 100, dim: 7, clusters: 3 });
        let whole = made_up.rows(0..100);
        let blocks: Vec<f32> =
            [0..13, 13..60, 60..100].into_iter().flat_map(|rows| made_up.rows(rows)).collect();
        assert_eq!(whole, blocks);
    }

    #[test]
    fn streams_never_change() {
        let mut random = Random::of(3);
        assert_eq!([random.uniform(), random.uniform()], [0.5971380879479993, 0.6764657627062032]);
        assert_eq!([random.bell(), random.bell()], [-0.6460833, -1.4292803]);
    }

    #[test]
    fn numbers_are_spread_as_said() {
        let mut random = Random::of(3);
        let numbers: Vec<f64> = (0..100_000).map(|_| f64::from(random.bell())).collect();
        let mean = numbers.iter().sum::<f64>() / 1e5;
        let variance = numbers.iter().map(|number| number * number).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    }

    #[test]
    fn sizes_are_read_and_bounded() {
        assert_eq!("30,4".parse(), Ok(Size { count: 30, dim: 4, clusters: 40 }));
        assert_eq!("30, 4, 5".parse(), Ok(Size { count: 30, dim: 4, clusters: 5 }));
        for text in
            ["", "3", "0,4", "3,0", "3,4,0", "3,4,5,6", "-3,4", "4294967296,2", "9,99999999,99999999999999"]
        {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
