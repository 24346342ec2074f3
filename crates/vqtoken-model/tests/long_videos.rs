//! Index maps of many positions and many codes: every VQ-attention takes memory for the one and for the other, and not for their product.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/small.rs"]
mod small;

use burn::tensor::{Device, Tensor, TensorData};
use peak_alloc::PeakAlloc;
use vqtoken_core::{Codebook, GridShape, IndexMap};
use vqtoken_model::config::VqAttentionConfig;
use vqtoken_model::{ModelError, VideoLlm};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const D_MODEL: usize = 8;
const SHAPE: GridShape = GridShape { frames: 4000, height: 16, width: 16 };
/// Codes of a window of 20 frames, and of all windows.
const CODES_OF_A_WINDOW: usize = 10;
const CODES: usize = SHAPE.frames / 20 * CODES_OF_A_WINDOW;

/// Codes live in their windows alone.
fn windowed_map() -> IndexMap {
    let cells = SHAPE.height * SHAPE.width;
    let label = |i: usize| i / cells / 20 * CODES_OF_A_WINDOW + i * i / 7 % CODES_OF_A_WINDOW;
    IndexMap::new(SHAPE, CODES, (0..SHAPE.len()).map(|i| label(i) as u32).collect()).unwrap()
}

#[test]
fn memory_does_not_grow_with_codes_times_positions() {
    let map = windowed_map();
    let device = Device::flex().autodiff();
    let values = (0..CODES * D_MODEL).map(|i| (i as f32 * 0.37).sin()).collect();
    let codebook = TensorData::new::<f32, _>(values, [CODES, D_MODEL]);
    let codebook = Tensor::<2>::from_data(codebook, &device).require_grad();
    for (kind, allowed) in [
        (VqAttentionConfig::Hash { heads: 2, frequencies: 3, bins: 16, feed_forward: 16 }, 40),
        // The first layer has a column for each of 1,024,000 positions: 33 MB, as much again transposed, and as much for gradients.
        (VqAttentionConfig::Paper { positions: SHAPE.len() }, 160),
        (VqAttentionConfig::Released { heads: 2, patches: SHAPE.tokens_per_frame(), feed_forward: 16 }, 40),
    ] {
        let attention = kind.init(D_MODEL, &device);
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let tokens = attention.forward(codebook.clone(), &map).unwrap();
        let gradients = tokens.powi_scalar(2).mean().backward();
        let gradient: Vec<f32> = codebook.grad(&gradients).unwrap().into_data().try_to_vec().unwrap();
        let taken = (MEMORY.peak_usage() - before) / 1_000_000;
        // An indicator of every code at every position would be 8.2 GB.
        assert!(taken < allowed, "{kind:?}: {taken} MB");
        assert!(gradient.iter().all(|x| x.is_finite()) && gradient.iter().any(|&x| x != 0.0));
    }
}

#[test]
fn more_visual_tokens_than_the_language_model_reads_are_refused_before_they_are_computed() {
    let folder = tempfile::tempdir().unwrap();
    let kinds = [
        ("bare", None, (300, 2)),
        (
            "hash",
            Some(VqAttentionConfig::Hash { heads: 2, frequencies: 2, bins: 3, feed_forward: 4 }),
            (300, 2),
        ),
        ("released", Some(VqAttentionConfig::Released { heads: 4, patches: 4, feed_forward: 16 }), (3, 300)),
    ];
    for (name, kind, (codes, frames)) in kinds {
        let model = VideoLlm::load(small::write(folder.path(), name, &small::config(kind))).unwrap();
        let shape = GridShape { frames, height: 2, width: 2 };
        let map =
            IndexMap::new(shape, codes, (0..shape.len()).map(|i| (i % codes) as u32).collect()).unwrap();
        let codebook = Codebook::new(codes, 8, vec![0.5; codes * 8]).unwrap();
        let error = model.language().attend(&codebook, &map).unwrap_err();
        assert!(matches!(error, ModelError::PromptTooLong { tokens: 300, limit: 256 }), "{name}: {error}");
    }
}
