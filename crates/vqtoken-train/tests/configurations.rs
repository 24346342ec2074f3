//! Configurations and data that cannot be used say why, in one line.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::Trial;

const STAGE: &str =
    "[[stage]]\nname = \"a\"\nsteps = 2\nbatch = 2\nlearning_rates = { language_model = 1e-3 }\n";
const ANSWERS: &str = "[stage.answers]\nvisual_input = \"vqtoken\"\nframes = 2\n";

#[test]
fn what_is_wrong_is_named() {
    let trial = Trial::empty();
    let model = "[model]\nconfig = \"config.json\"\n";
    let shapes = "[data.shapes]\nclips = 20\n";
    let pooled = ANSWERS.replace("vqtoken", "pooled");
    for (text, needle) in [
        (format!("{model}colour = 3\n{STAGE}{ANSWERS}"), "line 3: unknown field `colour`"),
        (format!("{model}{shapes}{STAGE}{ANSWERS}speed = 1\n"), "unknown field `speed`"),
        (
            format!("{model}{shapes}{STAGE}"),
            "one of patch_labels, object_labels, retrieval, reranking and answers",
        ),
        (format!("{model}{STAGE}{ANSWERS}"), "need [data.shapes] or [data.llava]"),
        (format!("{model}{shapes}"), "stage"),
        (format!("[model]\n{shapes}{STAGE}{ANSWERS}"), "neither start"),
        (format!("{model}{shapes}{}{ANSWERS}", STAGE.replace("1e-3", "-1.0")), "above 0"),
        (format!("{model}{shapes}{}{ANSWERS}", STAGE.replace("{ language_model = 1e-3 }", "{}")), "nothing"),
        (format!("{model}{shapes}{}{ANSWERS}", STAGE.replace("\"a\"", "\"../a\"")), "folder"),
        (
            format!("{model}{shapes}{}{ANSWERS}", STAGE.replace("batch = 2", "batch = 2\nmicro_batches = 3")),
            "equal micro-batches",
        ),
        (format!("{model}{shapes}{STAGE}{ANSWERS}{STAGE}{ANSWERS}"), "another stage"),
        (format!("{model}[data.shapes]\nfps = 0.0\n{STAGE}{ANSWERS}"), "fps"),
        (format!("{model}{shapes}{STAGE}{ANSWERS}budgets = [0]\n"), "budgets"),
        (format!("{model}{shapes}{STAGE}{ANSWERS}budgets = [300]\n"), "from 1 to 256"),
        (format!("{model}{STAGE}[stage.object_labels]\nframes = 2\n"), "object_labels needs [data.shapes]"),
        (format!("{model}{shapes}{STAGE}[stage.object_labels]\nframes = 0\n"), "frames"),
        (
            format!(
                "{model}{shapes}{}[stage.object_labels]\nframes = 2\n",
                STAGE.replace("language_model", "projector")
            ),
            "cached codes",
        ),
        (
            format!("{model}{shapes}{STAGE}{ANSWERS}object_labels = {{ weight = -1.0, layer = 1 }}\n"),
            "object_labels.weight is -1",
        ),
        (
            format!("{model}{shapes}{STAGE}[stage.retrieval]\nframes = 2\n"),
            "a learning rate for retrieval and for nothing else",
        ),
        (
            format!("{model}{}[stage.retrieval]\nframes = 2\n", STAGE.replace("language_model", "retrieval")),
            "retrieval needs [data.shapes]",
        ),
        (
            format!(
                "{model}{shapes}{}[stage.retrieval]\nframes = 2\nheads = 0\n",
                STAGE.replace("language_model", "retrieval")
            ),
            "heads is 0",
        ),
        (
            format!("{model}{shapes}{}{ANSWERS}", STAGE.replace("language_model", "retrieval")),
            "goes with a stage of retrieval",
        ),
        (
            format!("{model}{shapes}{STAGE}[stage.reranking]\nframes = 2\n"),
            "a learning rate for reranking and for nothing else",
        ),
        (
            format!("{model}{shapes}{}{ANSWERS}", STAGE.replace("language_model", "reranking")),
            "goes with a stage of reranking",
        ),
        (format!("{model}{shapes}{}{ANSWERS}[stage.reranking]\nframes = 2\n", STAGE), "it has 2"),
        (format!("{model}{shapes}{STAGE}{ANSWERS}keep = 0.5\n"), "visual_input = \"pooled\""),
        (format!("{model}{shapes}{STAGE}{pooled}keep = 0.0\n"), "keep is 0"),
        (format!("{model}{shapes}{STAGE}{pooled}objects_first = true\n"), "keep below 1"),
        (
            format!("{model}{shapes}{STAGE}{ANSWERS}trajectories = {{ weight = 1.0, layer = 1 }}\n"),
            "visual_input = \"pooled\"",
        ),
        (format!("{model}{shapes}{STAGE}{ANSWERS}price = nan\n"), "price is NaN"),
        (format!("{model}{shapes}{STAGE}{ANSWERS}mixture = {{ open = 0.0, choice = 0.0 }}\n"), "mixture"),
        (format!("{model}{shapes}{STAGE}{ANSWERS}mixture = {{ balanced = 2.0 }}\n"), "mixture.balanced is 2"),
    ] {
        let error = trial.config(&text).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(needle) && error.contains("run.toml"), "{needle:?} is not in {error:?}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn models_that_are_not_there_or_do_not_fit() {
    let trial = Trial::empty();
    let shapes = "[data.shapes]\nclips = 20\n";
    for (model, needle) in [
        ("start = \"nowhere\"", "nowhere"),
        ("config = \"nothing.json\"", "nothing.json"),
        ("config = \"config.json\"\ntokenizer = \"none.json\"", "none.json"),
    ] {
        let error = trial.run(&format!("[model]\n{model}\n{shapes}{STAGE}{ANSWERS}"), "out").unwrap_err();
        assert!(error.to_string().contains(needle), "{error}");
    }
}

#[test]
fn malformed_conversations_are_named_with_their_row() {
    let trial = Trial::empty();
    let turn = |from: &str, value: &str| format!(r#"{{"from": "{from}", "value": "{value}"}}"#);
    let row = |video: &str, turns: &[String]| {
        format!(r#"{{"id": "x", "video": "{video}", "conversations": [{}]}}"#, turns.join(", "))
    };
    std::fs::write(trial.folder.path().join("here.mp4"), "").unwrap();
    let good = [turn("human", "<image>\\nWhat?"), turn("gpt", "A ball.")];
    for (rows, needle) in [
        ("{}".to_owned(), "not a list"),
        ("[]".to_owned(), "no conversations"),
        (format!("[{}, 3]", row("here.mp4", &good)), "row 2"),
        (
            format!("[{}]", row("here.mp4", &good[..1])),
            "row 1: conversations: turn 1 is a question without an answer",
        ),
        (format!("[{}]", row("here.mp4", &[good[1].clone(), good[0].clone()])), "turn 2 is a question"),
        (format!("[{}]", row("here.mp4", &[turn("tool", "x"), good[1].clone()])), "from \"tool\""),
        (format!("[{}]", row("here.mp4", &[turn("human", "<image>"), good[1].clone()])), "no text"),
        (
            format!("[{}, {}]", row("here.mp4", &good), row("gone.mp4", &good)),
            "1 videos are missing, the first is",
        ),
        ("[{\"conversations\": []}]".to_owned(), "no conversations about a video"),
    ] {
        std::fs::write(trial.folder.path().join("talk.json"), &rows).unwrap();
        let text = format!(
            "[model]\nconfig = \"config.json\"\n[data.llava]\njson = \"talk.json\"\nvideos = \".\"\n{STAGE}{ANSWERS}"
        );
        let error = trial.run(&text, "out").unwrap_err().to_string();
        assert!(error.contains(needle) && error.contains("talk.json"), "{needle:?} is not in {error:?}");
    }
}
