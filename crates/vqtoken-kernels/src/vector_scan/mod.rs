//! One query against many stored vectors: int8 rows, and sketches of one bit a feature.

mod int8_rows;
mod sketches;

pub use sketches::{SKETCH_BLOCK, SKETCH_LEVELS, SketchTables};

#[cfg(test)]
mod tests {
    /// Pseudo-random numbers of 31 bits.
    pub(super) fn numbers(seed: u64) -> impl FnMut() -> u64 {
        let mut state = seed;
        move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 33
        }
    }
}
