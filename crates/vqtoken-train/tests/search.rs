//! The box finds clips that it never saw, and says when they show what is looked for.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use vqtoken_model::{Precision, TokenRetriever, VisionSide};
use vqtoken_shapes::{QueryKind, Settings};
use vqtoken_train::{ClipScore, RetrievalSetup, retrieval_report};

#[test]
fn the_box_knows_when_unseen_clips_show_what_is_looked_for() {
    let model = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/mini"));
    let retriever = TokenRetriever::embedded().unwrap();
    let vision = VisionSide::load_as(model, Precision::F32).unwrap();
    let mut setup = RetrievalSetup::new(Settings { clips: 12, seed: 17, ..Settings::default() });
    setup.score = ClipScore::Reranked;
    let reports = retrieval_report(&vision, &retriever, &setup, |_| {}).unwrap();
    for (kind, report) in QueryKind::ALL.into_iter().zip(reports) {
        assert!(report.precision.value() >= 0.8, "{}: {:?}", kind.name(), report.precision);
        assert!(report.seconds.value() >= 0.8, "{}: {:?}", kind.name(), report.seconds);
    }
}
