//! Frames at fine places: which codes stand where, for a close look at two videos that seem to show the same.

use vqtoken_core::IndexMap;

use crate::frames::{PLACES, Products, SIDE, Side, place_weight, place_weights};
use crate::picture_area::PictureArea;

/// A frame as a grid of places with soft borders. Each place has a vector: the mean of the codes that stand there, less what the mean frame shows
/// there, less the mean of all places. It is kept as weights of codes, since few of them meet at a place.
pub(crate) struct FineFrame {
    /// The weights of one place after the other, and where each place ends.
    weights: Vec<(u32, f32)>,
    ends: Vec<usize>,
    /// The mean of all places, which is not yet taken off them.
    whole: Vec<(u32, f32)>,
    /// Codes of the video and places of the mean frame.
    codes: usize,
}

/// A grid of `side * side` places over an area of the picture.
pub(crate) struct FineGrid {
    area: PictureArea,
    picture: Side,
    /// Codes of the video. The places of the mean frame are counted after them as further ones.
    codes: usize,
    /// `[side]`: the rows of the area that belong to each place along the side, with their shares, 1 in all; and the columns.
    rows: Vec<Vec<(usize, f32)>>,
    columns: Vec<Vec<(usize, f32)>>,
    /// `[side]`: how much of each coarse place the mean frame shows there.
    coarse: Vec<[f32; SIDE]>,
}

impl FineGrid {
    /// `side` must be no more than the rows and the columns of the area.
    pub(crate) fn new(side: usize, area: PictureArea, picture: Side, codes: usize) -> Self {
        let [height, width] = area.size();
        let (rows, columns) = (shares(height, side), shares(width, side));
        Self { area, picture, codes, rows, columns, coarse: place_weights(side) }
    }

    /// A frame of the video's index map.
    pub(crate) fn frame(&self, map: &IndexMap, frame: usize) -> FineFrame {
        let labels: Vec<&[u32]> = self.area.rows_of(map.frame(frame), map.shape().width).collect();
        let side = self.rows.len();
        FineFrame::of_places(side * side, self.codes + PLACES, |place, sum| {
            let (y, x) = (place / side, place % side);
            let x = if self.picture == Side::Mirrored { side - 1 - x } else { x };
            for &(row, of_row) in &self.rows[y] {
                for &(column, of_column) in &self.columns[x] {
                    sum.add(labels[row][column] as usize, of_row * of_column);
                }
            }
            for coarse in 0..PLACES {
                let share = self.coarse[y][coarse / SIDE] * self.coarse[x][coarse % SIDE];
                sum.add(self.codes + coarse, -(PLACES as f32) * share);
            }
        })
    }
}

/// For each of `side` places the rows or columns, of `length`, that belong to it, with their shares.
fn shares(length: usize, side: usize) -> Vec<Vec<(usize, f32)>> {
    let of_place = |place: usize| {
        let weights = (0..length).map(|line| (line, place_weight(line, length, place, side)));
        let some: Vec<(usize, f32)> = weights.filter(|(_, weight)| *weight > 0.0).collect();
        let all: f32 = some.iter().map(|(_, weight)| weight).sum();
        some.into_iter().map(|(line, weight)| (line, weight / all)).collect()
    };
    (0..side).map(of_place).collect()
}

impl FineFrame {
    fn of_places(places: usize, codes: usize, mut add_place: impl FnMut(usize, &mut Sum)) -> Self {
        let (mut sum, mut whole) = (Sum::new(codes), Sum::new(codes));
        let (mut weights, mut ends) = (Vec::new(), Vec::with_capacity(places));
        for place in 0..places {
            add_place(place, &mut sum);
            let start = weights.len();
            sum.drain_to(&mut weights);
            weights[start..]
                .iter()
                .for_each(|(code, weight)| whole.add(*code as usize, weight / places as f32));
            ends.push(weights.len());
        }
        let mut of_whole = Vec::new();
        whole.drain_to(&mut of_whole);
        Self { weights, ends, whole: of_whole, codes }
    }

    /// The sum of frames of one video, each times a factor.
    pub(crate) fn sum_of(frames: &[(&Self, f32)]) -> Self {
        let (places, codes) = frames.first().map_or((0, 0), |(frame, _)| (frame.ends.len(), frame.codes));
        Self::of_places(places, codes, |place, sum| {
            for (frame, factor) in frames {
                frame.place(place).iter().for_each(|(code, weight)| sum.add(*code as usize, weight * factor));
            }
        })
    }

    fn place(&self, place: usize) -> &[(u32, f32)] {
        let start = if place == 0 { 0 } else { self.ends[place - 1] };
        &self.weights[start..self.ends[place]]
    }

    /// The mean product of a place's vector with that of the same place of another frame.
    pub(crate) fn product(&self, other: &Self, products: Products<'_>) -> f32 {
        let places = self.ends.len();
        let sum: f32 = (0..places).map(|place| products.of(self.place(place), other.place(place))).sum();
        sum / places as f32 - products.of(&self.whole, &other.whole)
    }
}

impl Products<'_> {
    fn of(self, a: &[(u32, f32)], b: &[(u32, f32)]) -> f32 {
        let of_row = |&(row, weight): &(u32, f32)| {
            let row = &self.values[row as usize * self.columns..][..self.columns];
            weight * b.iter().map(|(column, weight)| weight * row[*column as usize]).sum::<f32>()
        };
        a.iter().map(of_row).sum()
    }
}

/// A sum of weights for each code.
struct Sum {
    weights: Vec<f32>,
    present: Vec<u32>,
}

impl Sum {
    fn new(codes: usize) -> Self {
        Self { weights: vec![0.0; codes], present: Vec::new() }
    }

    fn add(&mut self, code: usize, weight: f32) {
        if weight != 0.0 {
            if self.weights[code] == 0.0 {
                self.present.push(code as u32);
            }
            self.weights[code] += weight;
        }
    }

    /// Moves the sum to the end of a list.
    fn drain_to(&mut self, list: &mut Vec<(u32, f32)>) {
        for code in self.present.drain(..) {
            list.push((code, std::mem::take(&mut self.weights[code as usize])));
        }
    }
}

#[cfg(test)]
mod tests {
    use vqtoken_core::GridShape;

    use super::*;
    use crate::frames::code_products;
    use crate::prepare::dot;

    const DIM: usize = 5;
    const CODES: usize = 4;
    const SHAPE: GridShape = GridShape { frames: 2, height: 6, width: 7 };

    fn values(count: usize) -> Vec<f32> {
        (0..count).map(|index| ((index * 37 + 11) % 101) as f32 / 50.0 - 1.0).collect()
    }

    fn map() -> IndexMap {
        let labels = (0..SHAPE.frames * SHAPE.height * SHAPE.width)
            .map(|cell| (cell * cell / 3 % CODES) as u32)
            .collect();
        IndexMap::new(SHAPE, CODES, labels).unwrap()
    }

    /// The vectors of all places of a frame by their definition, `[side * side, D]`.
    fn vectors(side: usize, frame: usize, codes: &[f32]) -> Vec<Vec<f32>> {
        let map = map();
        let mut places = Vec::new();
        for place in 0..side * side {
            let (mut sum, mut all) = (vec![0.0; DIM], 0.0);
            let add = |weight: f32, code: usize, sum: &mut Vec<f32>| {
                sum.iter_mut().zip(&codes[code * DIM..]).for_each(|(sum, value)| *sum += weight * value);
            };
            for (cell, label) in map.frame(frame).iter().enumerate() {
                let weight = place_weight(cell / SHAPE.width, SHAPE.height, place / side, side)
                    * place_weight(cell % SHAPE.width, SHAPE.width, place % side, side);
                add(weight, *label as usize, &mut sum);
                all += weight;
            }
            sum.iter_mut().for_each(|sum| *sum /= all);
            for coarse in 0..PLACES {
                let weight = place_weight(place / side, side, coarse / SIDE, SIDE)
                    * place_weight(place % side, side, coarse % SIDE, SIDE);
                add(-(PLACES as f32) * weight, CODES + coarse, &mut sum);
            }
            places.push(sum);
        }
        let mean =
            |channel: usize| places.iter().map(|place| place[channel]).sum::<f32>() / places.len() as f32;
        let whole: Vec<f32> = (0..DIM).map(mean).collect();
        places
            .iter_mut()
            .for_each(|place| place.iter_mut().zip(&whole).for_each(|(value, mean)| *value -= mean));
        places
    }

    fn area() -> PictureArea {
        PictureArea { rows: 0..SHAPE.height, columns: 0..SHAPE.width }
    }

    #[test]
    fn products_are_those_of_the_places_vectors() {
        let codes = values((CODES + PLACES) * DIM);
        let products = code_products(&codes, &codes, DIM);
        let products = Products { values: &products, columns: CODES + PLACES };
        for side in [1, 3, 5, 6] {
            let grid = FineGrid::new(side, area(), Side::AsIs, CODES);
            let [a, b] = [0, 1].map(|frame| grid.frame(&map(), frame));
            let between = FineFrame::sum_of(&[(&a, 0.25), (&b, 0.75)]);
            let [dense_a, dense_b] = [0, 1].map(|frame| vectors(side, frame, &codes).concat());
            let dense: Vec<f32> = dense_a.iter().zip(&dense_b).map(|(a, b)| 0.25 * a + 0.75 * b).collect();
            let expected = dot(&dense_a, &dense) / (side * side) as f32;
            let product = a.product(&between, products);
            assert!((product - expected).abs() < 1e-4, "{side}: {product} not {expected}");
        }
    }

    #[test]
    fn a_mirrored_frame_has_its_places_exchanged() {
        let grid = |side| FineGrid::new(5, area(), side, CODES);
        let (as_is, mirrored) = (grid(Side::AsIs).frame(&map(), 0), grid(Side::Mirrored).frame(&map(), 0));
        for place in 0..25 {
            let sorted = |frame: &FineFrame, place| {
                let mut weights = frame.place(place).to_vec();
                weights.sort_by_key(|(code, _)| *code);
                weights
            };
            assert_eq!(sorted(&mirrored, place), sorted(&as_is, place / 5 * 5 + 4 - place % 5));
        }
    }
}
