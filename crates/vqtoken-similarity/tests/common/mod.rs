//! Made-up films: objects of random codes that go their ways over a ground, as video tokens.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test file uses a part")]

use vqtoken_core::{Budget, Codebook, GridShape, IndexMap, Quality, VideoTokens};
use vqtoken_random::SplitMix64;

pub const DIM: usize = 24;
const OBJECTS: usize = 3;
const SIDE: usize = 12;

/// A film of endless length: what is seen at a second follows from its seed.
pub struct Film {
    /// `[1 + objects, D]`: the ground, then the objects.
    codes: Vec<f32>,
    /// Rows and columns: how often to and fro in a second, and where at second 0.
    ways: Vec<[f64; 4]>,
}

/// Which part of a film is sampled, and how.
#[derive(Clone, Copy)]
pub struct Part {
    pub from: f64,
    pub seconds: f64,
    pub fps: f64,
    pub speed: f64,
    pub mirrored: bool,
}

impl Default for Part {
    fn default() -> Self {
        Self { from: 0.0, seconds: 8.0, fps: 4.0, speed: 1.0, mirrored: false }
    }
}

impl Film {
    pub fn new(seed: u64) -> Self {
        let mut random = SplitMix64::new(seed);
        // The direction that all codes of a model share.
        let common: Vec<f32> = (0..DIM).map(|channel| if channel % 3 == 0 { 0.4 } else { -0.1 }).collect();
        let code = |random: &mut SplitMix64| -> Vec<f32> {
            common.iter().map(|common| common + random.unit() as f32 - 0.5).collect()
        };
        let codes = (0..=OBJECTS).flat_map(|_| code(&mut random)).collect();
        let way = |random: &mut SplitMix64| {
            [0.06 + 0.1 * random.unit(), random.unit(), 0.06 + 0.1 * random.unit(), random.unit()]
        };
        Self { codes, ways: (0..OBJECTS).map(|_| way(&mut random)).collect() }
    }

    /// The same film, but one of its three objects goes another way.
    pub fn with_another_way(mut self, seed: u64) -> Self {
        self.ways[0] = Self::new(seed).ways[0];
        self
    }

    /// The label of a cell at a second.
    fn label(&self, seconds: f64, row: usize, column: usize) -> u32 {
        let to_and_fro = |turns: f64| 1.0 + 9.0 * (2.0 * turns.rem_euclid(1.0) - 1.0).abs();
        let covers = |way: &[f64; 4]| {
            let [row_rate, row_start, column_rate, column_start] = *way;
            let (y, x) = (
                to_and_fro(row_rate * seconds + row_start),
                to_and_fro(column_rate * seconds + column_start),
            );
            (row as f64 - y).abs() <= 1.2 && (column as f64 - x).abs() <= 1.2
        };
        self.ways.iter().rposition(covers).map_or(0, |object| object as u32 + 1)
    }

    fn labels(&self, seconds: f64, mirrored: bool) -> impl Iterator<Item = u32> + '_ {
        (0..SIDE * SIDE).map(move |cell| {
            let column = if mirrored { SIDE - 1 - cell % SIDE } else { cell % SIDE };
            self.label(seconds, cell / SIDE, column)
        })
    }

    pub fn tokens(&self, part: Part) -> VideoTokens {
        let Part { from, seconds, fps, speed, mirrored } = part;
        let frames = (seconds * fps).round() as usize;
        let times: Vec<f64> = (0..frames).map(|frame| frame as f64 / fps).collect();
        let labels = times.iter().flat_map(|time| self.labels(from + speed * time, mirrored)).collect();
        video(self.codes.clone(), DIM, [frames, SIDE, SIDE], labels, times)
    }

    pub fn whole(&self) -> VideoTokens {
        self.tokens(Part::default())
    }
}

/// Parts one after the other, at 4 frames a second, as one video.
pub fn joined(parts: &[(&Film, f64, f64)]) -> VideoTokens {
    let (mut codes, mut labels) = (Vec::new(), Vec::new());
    for &(film, from, seconds) in parts {
        let first = (codes.len() / DIM) as u32;
        codes.extend_from_slice(&film.codes);
        for frame in 0..(seconds * 4.0) as usize {
            labels.extend(film.labels(from + frame as f64 / 4.0, false).map(|label| label + first));
        }
    }
    let frames = labels.len() / (SIDE * SIDE);
    video(codes, DIM, [frames, SIDE, SIDE], labels, (0..frames).map(|frame| frame as f64 / 4.0).collect())
}

pub fn video(
    codes: Vec<f32>,
    dim: usize,
    [frames, height, width]: [usize; 3],
    labels: Vec<u32>,
    timestamps: Vec<f64>,
) -> VideoTokens {
    let count = codes.len() / dim;
    VideoTokens {
        codebook: Codebook::new(count, dim, codes).unwrap(),
        index_map: IndexMap::new(GridShape { frames, height, width }, count, labels).unwrap(),
        timestamps,
        model: "made-up".into(),
        source: None,
        budget: Budget::Fixed(count),
        windows: None,
        quality: Quality::Exact,
    }
}
