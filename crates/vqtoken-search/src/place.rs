//! Where in the picture a hit is: the codes whose vectors are nearest to the query, and their cells.

use vqtoken_core::VideoTokens;

/// A code counts beside the best one if its cosine is at least this share of the best's.
const ALMOST_AS_NEAR: f32 = 0.9;

/// Codes of a place, at most.
const MOST_CODES: usize = 4;

/// Where a hit is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Place {
    /// The nearest codes, the best first.
    pub codes: Vec<PlacedCode>,
    /// The sampled frame, of those within the hit, in which the best code has most cells.
    pub frame: usize,
    /// When that frame is shown, in seconds.
    pub seconds: f64,
    /// Cells of that frame that have the best code, as row and column from the top left.
    pub cells: Vec<[usize; 2]>,
    /// Height and width of the grid in cells.
    pub grid: [usize; 2],
}

/// A code of a place.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct PlacedCode {
    /// Its index in the codebook.
    pub code: usize,
    /// The cosine of its vector with the query.
    pub cosine: f32,
}

impl Place {
    /// Left, top, right and bottom of the cells, as shares of width and height.
    pub fn bounds(&self) -> [f32; 4] {
        let [height, width] = self.grid.map(|side| side.max(1) as f32);
        let least = |axis: usize| self.cells.iter().map(|cell| cell[axis]).min().unwrap_or_default() as f32;
        let most =
            |axis: usize| self.cells.iter().map(|cell| cell[axis] + 1).max().unwrap_or_default() as f32;
        [least(1) / width, least(0) / height, most(1) / width, most(0) / height]
    }
}

/// The place of a query `[E]` among a video's code vectors `[K, E]`, in the sampled frames shown from `from` to `to` seconds. None if no code has a vector.
pub(crate) fn place(
    tokens: &VideoTokens,
    vectors: &[f32],
    query: &[f32],
    [from, to]: [f32; 2],
) -> Option<Place> {
    let shape = tokens.index_map.shape();
    let times = &tokens.timestamps;
    let within = |frame: &usize| {
        let time = times.get(*frame).map_or(0.0, |time| *time as f32);
        time >= from && (time < to || from == to)
    };
    let mut frames: Vec<usize> = (0..shape.frames).filter(within).collect();
    if frames.is_empty() {
        frames = (0..shape.frames).collect();
    }
    let mut occurs = vec![false; tokens.codebook.codes()];
    frames.iter().for_each(|frame| {
        tokens.index_map.frame(*frame).iter().for_each(|code| occurs[*code as usize] = true);
    });
    let rows = vectors.chunks_exact(query.len().max(1)).enumerate();
    let mut codes: Vec<PlacedCode> = rows
        .filter(|(code, row)| occurs.get(*code) == Some(&true) && row.iter().any(|x| *x != 0.0))
        .map(|(code, row)| PlacedCode { code, cosine: row.iter().zip(query).map(|(x, y)| x * y).sum() })
        .collect();
    codes.sort_by(|a, b| b.cosine.total_cmp(&a.cosine).then(a.code.cmp(&b.code)));
    let best = *codes.first()?;
    codes.retain(|code| code.code == best.code || code.cosine >= ALMOST_AS_NEAR * best.cosine);
    codes.truncate(MOST_CODES);
    let cells_in = |frame: usize| {
        let labels = tokens.index_map.frame(frame).iter().enumerate();
        labels
            .filter(|(_, code)| **code as usize == best.code)
            .map(|(cell, _)| [cell / shape.width, cell % shape.width])
    };
    // The first of the frames with most cells.
    let frame = frames.into_iter().rev().max_by_key(|frame| cells_in(*frame).count())?;
    Some(Place {
        codes,
        frame,
        seconds: times.get(frame).copied().unwrap_or_default(),
        cells: cells_in(frame).collect(),
        grid: [shape.height, shape.width],
    })
}
