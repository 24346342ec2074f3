//! The vision side of the built-in model, and frames of moving shapes.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test file uses some of these, and fails by panicking"
)]

use std::sync::{Arc, Mutex, OnceLock};

use vqtoken_core::Budget;
use vqtoken_live::{LiveEvent, LiveOptions};
use vqtoken_model::{VideoLlm, VisionSide};
use vqtoken_shapes::Settings;
use vqtoken_video::Frame;

pub(crate) fn model() -> &'static VideoLlm {
    static MODEL: OnceLock<VideoLlm> = OnceLock::new();
    MODEL.get_or_init(|| VideoLlm::load(concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/mini")).unwrap())
}

pub(crate) fn vision() -> &'static VisionSide {
    model().vision().unwrap()
}

/// Thirty pictures of a clip of moving shapes, no two alike.
pub(crate) fn pictures() -> &'static [Frame] {
    static PICTURES: OnceLock<Vec<Frame>> = OnceLock::new();
    PICTURES.get_or_init(|| {
        let settings = Settings { clips: 1, seed: 3, seconds: 4.0, size: 192, ..Settings::default() };
        let clip = vqtoken_shapes::clips(&settings).unwrap().remove(0);
        let renderer = clip.scene.renderer();
        let pictures: Vec<Frame> =
            (0..30).map(|frame| Frame::new(192, 192, renderer.rgb(frame)).unwrap()).collect();
        assert!(pictures.windows(2).all(|pair| pair[0] != pair[1]) && pictures[0] != pictures[29]);
        pictures
    })
}

/// So many frames at a rate, each picture shown `repeats` times, over and over.
pub(crate) fn frames(count: usize, fps: f64, repeats: usize) -> impl Iterator<Item = (Frame, f64)> {
    let pictures = pictures();
    (0..count).map(move |index| (pictures[index / repeats % pictures.len()].clone(), index as f64 / fps))
}

/// Small windows with few codes, of as many frames as come.
pub(crate) fn options(window: f64, keep: f64) -> LiveOptions {
    LiveOptions::new("test")
        .with_windows(window, keep)
        .with_codes(Budget::Fixed(8), Budget::Fixed(12))
        .with_fps(None)
}

/// Events as they come.
#[derive(Clone, Default)]
pub(crate) struct Events(Arc<Mutex<Vec<LiveEvent>>>);

impl Events {
    pub(crate) fn taker(&self) -> impl Fn(LiveEvent) + Send + Sync + 'static {
        let events = Arc::clone(&self.0);
        move |event| events.lock().unwrap().push(event)
    }

    pub(crate) fn all(&self) -> Vec<LiveEvent> {
        self.0.lock().unwrap().clone()
    }
}
