//! Frames as small vectors: where in the picture the codes of a frame stand, in coarse places, and how alike two frames are by that.

use vqtoken_core::IndexMap;

use crate::picture_area::PictureArea;
use crate::prepare::dot;

/// Coarse places along each side of the picture.
pub(crate) const SIDE: usize = 3;
/// Those of the picture.
pub(crate) const PLACES: usize = SIDE * SIDE;
/// The places, and the frame as a whole.
pub(crate) const PARTS: usize = PLACES + 1;
/// How much the frame as a whole counts beside its places.
pub(crate) const WHOLE_WEIGHT: f32 = 0.2;
/// Places whose vectors together are no longer than this are even: two even frames are alike.
const EVEN: f32 = 0.01;

/// Which codes a frame shows, and where: for each code its amounts in the places, relative to what an even spread over the frame would
/// be, and its share of the whole frame. Sums over codes of amounts times codes are the frame's vectors, so that the ground, which is
/// everywhere, counts little and what stands out of it counts much.
pub(crate) struct FrameCodes(pub(crate) Vec<(u32, [f32; PARTS])>);

/// Whether the columns of the picture are read from the right.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    AsIs,
    Mirrored,
}

/// Some frames of an index map, by what they show in an area.
pub(crate) fn frame_codes(map: &IndexMap, area: &PictureArea, frames: &[usize]) -> Vec<FrameCodes> {
    let shape = map.shape();
    let [height, width] = area.size();
    let (rows, columns) = (place_weights(height), place_weights(width));
    let cell = 1.0 / (height * width) as f32;
    let mut slots = vec![u32::MAX; map.codes()];
    let mut all = Vec::with_capacity(frames.len());
    for &frame in frames {
        let mut codes: Vec<(u32, [f32; PARTS])> = Vec::new();
        for (labels, row) in area.rows_of(map.frame(frame), shape.width).zip(&rows) {
            for (&label, column) in labels.iter().zip(&columns) {
                let slot = &mut slots[label as usize];
                if *slot == u32::MAX {
                    *slot = codes.len() as u32;
                    codes.push((label, [0.0; PARTS]));
                }
                let amounts = &mut codes[*slot as usize].1;
                for y in 0..SIDE {
                    for x in 0..SIDE {
                        amounts[y * SIDE + x] += cell * row[y] * column[x];
                    }
                }
                amounts[PARTS - 1] += cell;
            }
        }
        codes.iter().for_each(|(label, _)| slots[*label as usize] = u32::MAX);
        codes.sort_unstable_by_key(|(label, _)| *label);
        subtract_even_spread(&mut codes);
        all.push(FrameCodes(codes));
    }
    all
}

fn subtract_even_spread(codes: &mut [(u32, [f32; PARTS])]) {
    let mut places = [0.0; PARTS];
    for (_, amounts) in codes.iter() {
        places.iter_mut().zip(amounts).for_each(|(place, amount)| *place += amount);
    }
    for (_, amounts) in codes.iter_mut() {
        let whole = amounts[PARTS - 1];
        amounts.iter_mut().zip(places).for_each(|(amount, place)| *amount -= place * whole);
        amounts[PARTS - 1] = whole;
    }
}

/// The same relative to a mean frame, whose places' vectors stand after the `codes` codes as further ones.
pub(crate) fn relative_frames(frames: Vec<FrameCodes>, codes: usize) -> Vec<FrameCodes> {
    let mean = |place: usize| {
        let mut amounts = [0.0; PARTS];
        amounts[place] = -1.0;
        ((codes + place) as u32, amounts)
    };
    let relative = |FrameCodes(mut codes)| {
        codes.extend((0..PLACES).map(mean));
        FrameCodes(codes)
    };
    frames.into_iter().map(relative).collect()
}

/// For each of `length` rows or columns how much it belongs to each place.
pub(crate) fn place_weights(length: usize) -> Vec<[f32; SIDE]> {
    (0..length).map(|index| std::array::from_fn(|place| place_weight(index, length, place, SIDE))).collect()
}

/// How much a row or column, of `length`, belongs to a place, of `side`: linear between the places' centres, 1 in all.
pub(crate) fn place_weight(index: usize, length: usize, place: usize, side: usize) -> f32 {
    let at = ((index as f32 + 0.5) / length as f32 * side as f32 - 0.5).clamp(0.0, (side - 1) as f32);
    (1.0 - (at - place as f32).abs()).max(0.0)
}

impl Side {
    /// The part that stands at `part` when the picture is seen so.
    pub(crate) fn part(self, part: usize) -> usize {
        match self {
            Self::Mirrored if part < PLACES => part / SIDE * SIDE + (SIDE - 1 - part % SIDE),
            _ => part,
        }
    }
}

/// The products of all codes of one video with all of another, `[Ka, Kb]`.
pub(crate) fn code_products(a: &[f32], b: &[f32], dim: usize) -> Vec<f32> {
    a.chunks_exact(dim).flat_map(|a| b.chunks_exact(dim).map(move |b| dot(a, b))).collect()
}

/// The products of the codes of one video, and of the mean frame's places after them, with those of another, `[Ka, Kb]`.
#[derive(Clone, Copy)]
pub(crate) struct Products<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) columns: usize,
}

/// The lengths of a frame's two vectors: of its places, and of the whole.
#[derive(Clone, Copy, Default)]
pub(crate) struct Lengths {
    places: f32,
    whole: f32,
}

/// How alike frames of two videos are, `[Ta, Tb]`, between -1 and 1.
pub(crate) struct FrameSimilarity {
    pub(crate) columns: usize,
    pub(crate) values: Vec<f32>,
}

impl FrameSimilarity {
    /// Of frames whose lengths are known.
    pub(crate) fn new(
        a: &[(FrameCodes, Lengths)],
        b: &[(FrameCodes, Lengths)],
        products: Products<'_>,
        side: Side,
    ) -> Self {
        let order: [usize; PARTS] = std::array::from_fn(|part| side.part(part));
        let mut values = Vec::with_capacity(a.len() * b.len());
        for (a, a_lengths) in a {
            // [Kb, parts]
            let mut row = vec![[0.0_f32; PARTS]; products.columns];
            for (code, amounts) in &a.0 {
                let amounts = order.map(|part| amounts[part]);
                for (row, product) in
                    row.iter_mut().zip(&products.values[*code as usize * products.columns..])
                {
                    row.iter_mut().zip(amounts).for_each(|(sum, amount)| *sum += amount * product);
                }
            }
            for (b, b_lengths) in b {
                let (mut places, mut whole) = (0.0, 0.0);
                for (code, amounts) in &b.0 {
                    let row = &row[*code as usize];
                    places += (0..PARTS - 1).map(|part| row[part] * amounts[part]).sum::<f32>();
                    whole += row[PARTS - 1] * amounts[PARTS - 1];
                }
                values.push(a_lengths.alike(b_lengths, places, whole));
            }
        }
        Self { columns: b.len(), values }
    }
}

impl Lengths {
    /// Of a frame, from the products of its video's codes, `[K, K]`.
    pub(crate) fn of(frame: &FrameCodes, products: &[f32], codes: usize) -> Self {
        let (mut places, mut whole) = (0.0_f32, 0.0_f32);
        for (k, a) in &frame.0 {
            for (l, b) in &frame.0 {
                let product = products[*k as usize * codes + *l as usize];
                places += product * (0..PLACES).map(|part| a[part] * b[part]).sum::<f32>();
                whole += product * a[PLACES] * b[PLACES];
            }
        }
        Self { places: places.max(0.0).sqrt(), whole: whole.max(0.0).sqrt() }
    }

    /// How alike two frames are, from the products of their vectors.
    fn alike(&self, other: &Self, places: f32, whole: f32) -> f32 {
        let places = (places + EVEN * EVEN) / (self.places.hypot(EVEN) * other.places.hypot(EVEN));
        let lengths = self.whole * other.whole;
        let whole = if lengths > 0.0 { whole / lengths } else { 0.0 };
        ((1.0 - WHOLE_WEIGHT) * places + WHOLE_WEIGHT * whole).clamp(-1.0, 1.0)
    }
}

/// What mirroring leaves of a code's amounts: for each row of places its middle and the sum of its sides, then the whole.
pub(crate) fn mirror_invariant(amounts: &[f32; PARTS]) -> [f32; 2 * SIDE + 1] {
    std::array::from_fn(|part| match part {
        part if part == 2 * SIDE => amounts[PARTS - 1],
        part if part % 2 == 0 => amounts[part / 2 * SIDE + SIDE / 2],
        // Scaled so that the sum's square is what the two squares are, where the sides are alike.
        part => {
            (amounts[part / 2 * SIDE] + amounts[part / 2 * SIDE + SIDE - 1]) * std::f32::consts::FRAC_1_SQRT_2
        }
    })
}
