//! Small runs from beginning to end.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use common::{Trial, values};
use vqtoken_model::{TokenReranker, TokenRetriever, VideoLlm};
use vqtoken_train::{EarlierRun, Event, TrainError, run};

/// Ten clips of which eight are learnt from.
fn answers(reading: &str, steps: usize, rest: &str) -> String {
    format!(
        r#"
        seed = 3
        [model]
        config = "config.json"
        tokenizer = "tokenizer.json"
        [data.shapes]
        clips = 10
        seed = 0
        size = 112
        validation = 0.2
        test = 0.0
        [[stage]]
        name = "answers"
        steps = {steps}
        batch = 4
        warm_up = 10
        weight_decay = 0.0
        validate_every = {steps}
        checkpoint_every = 5
        {rest}
        [stage.answers]
        visual_input = "{reading}"
        frames = 8
        budgets = [6, 8]
        questions = 6
        mixture = {{ open = 1.0, choice = 0.0 }}
        validation_clips = 2
        "#
    )
}

const RATES: &str = "learning_rates = { vq_attention = 4e-3, language_model = 4e-3 }";

#[test]
fn a_model_overfits_eight_clips_and_not_without_seeing_them() {
    let trial = Trial::new();
    let rates = "learning_rates = { vq_attention = 3e-3, language_model = 3e-3 }\nmicro_batches = 2\nfinal_factor = 0.1";
    let last = |reading: &str| {
        let text = answers(reading, 360, rates).replace("batch = 4", "batch = 8").replace("[6, 8]", "[8]");
        let model = trial.run(&text, reading).unwrap();
        VideoLlm::load(model).unwrap();
        let right = values(&trial.steps(reading, "answers"), "open_right");
        assert!(right[..10].iter().all(|&right| right < 0.5), "not learnt but known: {:?}", &right[..10]);
        right[right.len() - 20..].iter().sum::<f64>() / 20.0
    };
    let (seen, blind) = (last("vqtoken"), last("blind"));
    assert!(seen > 0.9, "{seen} of the answers are right at the end");
    assert!(blind < 0.85, "{blind} of the answers can be given without seeing");
}

#[test]
fn every_reading_learns() {
    for (reading, keep) in [("codebook", 1.0), ("pooled", 1.0), ("pooled", 0.3), ("blind", 1.0)] {
        let trial = Trial::new();
        let text = answers(reading, 30, RATES).replace("frames = 8", &format!("frames = 8\nkeep = {keep}"));
        trial.run(&text, "out").unwrap();
        let losses = values(&trial.steps("out", "answers"), "loss");
        assert!(
            losses[25..].iter().sum::<f64>() < 0.6 * losses[..5].iter().sum::<f64>(),
            "{reading}: {losses:?}"
        );
    }
}

#[test]
fn gradients_reach_the_tower_through_the_means_that_codes_are() {
    let trial = Trial::new();
    let rates = "learning_rates = { vision_tower = 1e-3, projector = 1e-3, vq_attention = 1e-3, language_model = 1e-3 }\nmicro_batches = 2";
    let text = answers("vqtoken", 4, rates) + "commitment = 0.25\n";
    let model = trial.run(&text, "out").unwrap();
    let tower = |id: &str| id.rsplit('@').next().unwrap().to_owned();
    let frozen = trial.run(&answers("vqtoken", 4, RATES), "frozen").unwrap();
    let (model, frozen) = (VideoLlm::load(model).unwrap(), VideoLlm::load(frozen).unwrap());
    assert_ne!(tower(model.id()), tower(frozen.id()), "the tower did not learn");
    assert!(values(&trial.steps("out", "answers"), "commitment").iter().all(|&term| term > 0.0));
}

#[test]
fn a_run_that_was_killed_goes_on_to_the_same_losses() {
    let trial = Trial::new();
    let text = answers("vqtoken", 14, RATES);
    trial.run(&text, "whole").unwrap();
    let mut seen = 0;
    let killed = catch_unwind(AssertUnwindSafe(|| {
        run(&trial.config(&text).unwrap(), &trial.folders("killed"), EarlierRun::Refuse, &mut |event| {
            if let Event::Step { step, .. } = event {
                seen = step;
                assert!(step < 8, "killed");
            }
            ControlFlow::Continue(())
        })
    }));
    assert!(killed.is_err() && seen == 8);
    assert_eq!(trial.steps("killed", "answers").len(), 8, "what was logged is kept");
    let again = run(&trial.config(&text).unwrap(), &trial.folders("killed"), EarlierRun::Refuse, &mut |_| {
        ControlFlow::Continue(())
    });
    assert!(matches!(again, Err(TrainError::Exists { .. })));

    trial.run(&text, "killed").unwrap();
    let (whole, killed) = (trial.steps("whole", "answers"), trial.steps("killed", "answers"));
    assert_eq!(whole.len(), 14);
    for key in ["step", "loss", "gradient_norm"] {
        assert_eq!(values(&whole, key), values(&killed, key), "{key}");
    }
    let weights = |out: &str| {
        std::fs::read(trial.folder.path().join(out).join("answers/model/model.safetensors")).unwrap()
    };
    assert!(weights("whole") == weights("killed"), "the models differ");
}

#[test]
fn a_watcher_may_stop_and_a_later_run_goes_on() {
    let trial = Trial::new();
    let text = answers("vqtoken", 9, RATES);
    let config = trial.config(&text).unwrap();
    let stopped = run(&config, &trial.folders("out"), EarlierRun::Refuse, &mut |event| match event {
        Event::Step { step: 3, .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    assert!(stopped.unwrap().is_none());
    trial.run(&text, "out").unwrap();
    let steps = values(&trial.steps("out", "answers"), "step");
    assert_eq!(steps, (1..=9).map(f64::from).collect::<Vec<_>>());
}

#[test]
fn the_tower_learns_from_labels_of_patches() {
    let trial = Trial::new();
    let text = r#"
        [model]
        config = "config.json"
        [[stage]]
        name = "tower"
        steps = 60
        batch = 4
        warm_up = 5
        clip = 5.0
        learning_rates = { vision_tower = 3e-3, projector = 3e-3 }
        validate_every = 60
        [stage.patch_labels]
        window = 4
        [[stage]]
        name = "whole"
        steps = 2
        batch = 2
        learning_rates = { projector = 1e-4 }
        patches = {}
    "#;
    trial.run(text, "out").unwrap();
    let losses = values(&trial.steps("out", "tower"), "loss");
    assert!(losses[50..].iter().sum::<f64>() < 0.4 * losses[..10].iter().sum::<f64>(), "{losses:?}");
    assert_eq!(trial.steps("out", "whole").len(), 2);
}

#[test]
fn the_vq_attention_learns_object_labels_and_features_are_computed_once() {
    let trial = Trial::new();
    let text = answers("vqtoken", 60, "learning_rates = { vq_attention = 3e-3 }");
    let labels =
        text.split("visual_input").next().unwrap().replace("[stage.answers]", "[stage.object_labels]");
    let labels = labels.replace(r#"name = "answers""#, r#"name = "labels""#)
        + "frames = 8\nbudgets = [6, 8]\nvalidation_clips = 2";
    trial.run(&labels, "out").unwrap();
    let losses = values(&trial.steps("out", "labels"), "loss");
    assert!(losses[50..].iter().sum::<f64>() < 0.7 * losses[..10].iter().sum::<f64>(), "{losses:?}");

    let computed = |text: &str, out: &str| {
        let mut computed = false;
        run(&trial.config(text).unwrap(), &trial.folders(out), EarlierRun::Refuse, &mut |event| {
            computed |= matches!(event, Event::Preparing { .. });
            ControlFlow::Continue(())
        })
        .unwrap();
        computed
    };
    assert!(!computed(&answers("vqtoken", 2, RATES), "same"), "cached features were computed again");
    assert!(computed(&answers("vqtoken", 2, RATES).replace("[6, 8]", "[5]"), "other"));
}

/// A run of a stage `search` of an objective that compares texts with codes, with more keys of its own.
fn search_stage(objective: &str, keys: &str) -> String {
    format!(
        r#"
    seed = 3
    [model]
    config = "config.json"
    tokenizer = "tokenizer.json"
    [data.shapes]
    clips = 10
    seed = 0
    size = 112
    validation = 0.2
    test = 0.0
    [[stage]]
    name = "search"
    steps = 24
    batch = 4
    micro_batches = 2
    warm_up = 4
    validate_every = 12
    checkpoint_every = 7
    learning_rates = {{ {objective} = 4e-3 }}
    [stage.{objective}]
    frames = 8
    budgets = [6, 8]
    queries = 1
    validation_clips = 2
    code_layers = 1
    text_features = 48
    text_layers = 1
    text_tokens = 24
    {keys}
"#
    )
}

impl Trial {
    /// Runs such a stage as a whole, and stopped and gone on with, which has to give the same bits. The model, and the folder of what was
    /// trained for it.
    fn run_whole_and_stopped(&self, objective: &str, keys: &str) -> (PathBuf, PathBuf) {
        let text = search_stage(objective, keys);
        let model = self.run(&text, "whole").unwrap();
        run(&self.config(&text).unwrap(), &self.folders("stopped"), EarlierRun::Refuse, &mut |event| {
            match event {
                Event::Step { step: 10, .. } => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        })
        .unwrap();
        self.run(&text, "stopped").unwrap();
        let folder = |out: &str| self.folder.path().join(out).join("search").join(objective);
        let weights = |out: &str| std::fs::read(folder(out).join("model.safetensors")).unwrap();
        assert!(weights("whole") == weights("stopped"), "the same weights");
        (model, folder("whole"))
    }
}

#[test]
fn texts_are_learnt_for_codes_and_a_stopped_run_goes_on_to_the_same_bits() {
    let trial = Trial::new();
    let (model, retrieval) = trial.run_whole_and_stopped("retrieval", "features = 32");
    let losses = values(&trial.steps("whole", "search"), "loss");
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    assert!(mean(&losses[18..]) < 0.8 * mean(&losses[..4]), "{losses:?}");
    let retriever = TokenRetriever::load_from(model, retrieval).unwrap();
    let texts = retriever.embed_texts(&["a red circle", "a blue square moves left"]).unwrap();
    assert_eq!(texts.vectors.len(), 2 * 32);
}

#[test]
fn texts_and_codes_are_learnt_together_and_a_stopped_run_goes_on_to_the_same_bits() {
    let trial = Trial::new();
    let (model, reranking) = trial.run_whole_and_stopped("reranking", "facts_weight = 0.5");
    let losses = values(&trial.steps("whole", "search"), "facts_loss");
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    assert!(mean(&losses[18..]) < 0.8 * mean(&losses[..4]), "{losses:?}");
    let reranker = TokenReranker::load_from(model, reranking).unwrap();
    assert_eq!(reranker.logits("a red circle", &[]).unwrap(), Vec::<f32>::new());
}

#[test]
fn a_loss_that_is_no_number_stops_the_run_and_loses_nothing() {
    let trial = Trial::new();
    let wild = "learning_rates = { vq_attention = 1e30, language_model = 1e30 }\nmax_gradient_norm = 1e30";
    let error = trial.run(&answers("vqtoken", 20, wild), "out").unwrap_err();
    assert!(matches!(error, TrainError::NotFinite { .. }), "{error}");
    assert!(error.to_string().contains("answers") && !error.to_string().contains('\n'), "{error}");
}
