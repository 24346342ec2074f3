//! Scorers against the authors' own files, which stay out of this project: `VQTOKEN_ANNOTATIONS`, or `annotations` in the
//! folder `shared` beside the checkout. The expected numbers were counted apart from this program, with a few lines of
//! Python over the same files; those of NExT-QA are also in its authors' README (HGA with BERT features: 46.26, 50.74, 59.33,
//! all 49.74).
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests are tests")]

#[path = "../../../golden/locate.rs"]
mod locate;

use std::path::PathBuf;

use vqtoken_eval::{Annotations, Report, Task, published_activitynet, read_predictions};
use vqtoken_files::Limits;

fn annotations(file: &str) -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/annotations");
    let folder = std::env::var_os("VQTOKEN_ANNOTATIONS").map_or_else(beside, PathBuf::from);
    let path = folder.join(file);
    if !path.exists() {
        locate::skip(&format!("{} is not there; VQTOKEN_ANNOTATIONS names the folder", path.display()));
        return None;
    }
    Some(path)
}

#[track_caller]
fn check(report: &Report, facet: &str, expected: &[(&str, usize, usize)]) {
    let facet = report.facets.iter().find(|one| one.facet == facet).unwrap();
    let found: Vec<_> =
        facet.scores.iter().map(|score| (score.value.as_str(), score.correct, score.questions)).collect();
    assert_eq!(found, expected);
}

#[test]
fn annotations_nextqa_hga_scores_as_published() {
    let (Some(questions), Some(predictions)) =
        (annotations("nextqa_mc_val.csv"), annotations("nextqa_mc_val_predictions_hga.json"))
    else {
        return;
    };
    let items = Annotations::one(questions).read(Task::NextQa).unwrap().items;
    let samples = read_predictions(Task::NextQa, &predictions, &items, &Limits::default()).unwrap();
    let report = Report::new(Task::NextQa, "HGA", &items, &samples, vec![]);
    assert_eq!((report.questions, report.videos, report.classes.correct), (4996, 570, 2485));
    assert_eq!(report.classes.wrong, 2511, "every index becomes a letter and an index again");
    assert_eq!(format!("{:.2}", report.accuracy), "49.74");
    check(&report, "group", &[("causal", 1206, 2607), ("descriptive", 461, 777), ("temporal", 818, 1612)]);
    let published =
        ["causal", "temporal", "descriptive"].map(|group| report.score("group", group).unwrap().accuracy);
    assert_eq!(published.map(|accuracy| format!("{accuracy:.2}")), ["46.26", "50.74", "59.33"]);
    check(
        &report,
        "type",
        &[
            ("CH", 302, 683),
            ("CW", 904, 1924),
            ("DC", 78, 177),
            ("DL", 214, 295),
            ("DO", 169, 305),
            ("TC", 348, 663),
            ("TN", 470, 949),
        ],
    );
    let [low, high] = report.accuracy_interval.unwrap();
    println!("NExT-QA val, HGA: {:.4} [{low:.4}, {high:.4}]\n{report}", report.accuracy);
    // Questions taken as independent give a half-width of 1.386 points; clusters of 8.8 questions can only widen it a little.
    assert!((1.2..1.8).contains(&((high - low) / 2.0)), "{low} {high}");
}

#[test]
fn annotations_activitynet_qa_example_scores_as_the_script_prints() {
    let files = [
        "activitynetqa_val_q.json",
        "activitynetqa_val_a.json",
        "activitynetqa_val_predictions_example.json",
    ];
    let [Some(questions), Some(answers), Some(predictions)] = files.map(annotations) else {
        return;
    };
    let task = Task::ActivityNetQa;
    let items = Annotations::two(questions, answers).read(task).unwrap().items;
    let samples = read_predictions(task, &predictions, &items, &Limits::default()).unwrap();
    let report = Report::new(task, "example", &items, &samples, vec![]);
    assert_eq!((report.questions, report.videos, report.classes.correct), (18000, 1800, 7172));
    assert_eq!(format!("{:.4}", report.accuracy / 100.0), "0.3984");
    check(
        &report,
        "question",
        &[
            ("free", 6369, 12600),
            ("motion", 338, 1800),
            ("spatial relation", 402, 1800),
            ("temporal relation", 63, 1800),
        ],
    );
    check(
        &report,
        "free answer",
        &[
            ("colour", 527, 1565),
            ("location", 136, 473),
            ("number", 947, 1479),
            ("object", 213, 961),
            ("other", 1461, 4081),
            ("yes/no", 3085, 4041),
        ],
    );
    let published = published_activitynet(&items, &samples).unwrap();
    let printed = published.types.map(|share| format!("{share:.4}"));
    let expected = ["0.1878", "0.2233", "0.0350", "0.7634", "0.3367", "0.2216", "0.2875", "0.6403", "0.3580"];
    assert_eq!(printed, expected);
    assert_eq!(format!("{:.4}", published.all), "0.3984");
    // The script divides by the wrong counts here: see `PublishedActivityNet`.
    assert_eq!(format!("{:.4}", published.free_as_printed), "0.7583");
    assert_eq!(format!("{:.4}", report.score("question", "free").unwrap().accuracy / 100.0), "0.5055");
    println!("ActivityNet-QA val, example: {published:?}\n{report}");
}

#[test]
fn annotations_are_found_in_their_folder() {
    let Some(questions) = annotations("nextqa_mc_val.csv") else {
        return;
    };
    let folder = questions.parent().unwrap();
    assert_eq!(Task::NextQa.find(folder, "val").unwrap(), Annotations::one(&questions));
    let found = Task::ActivityNetQa.find(folder, "val").unwrap();
    assert_eq!(found.read(Task::ActivityNetQa).unwrap().items.len(), 18000);
}
