//! Reports, tables, comparisons, judges and other people's predictions.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use common::{Folder, choice};
use vqtoken_eval::{
    Answer, Expected, Item, MissingVideo, PerStage, Report, Sample, Task, comparison_table, judge_report,
    paired_difference, read_predictions, read_verdicts, write_judge_requests,
};
use vqtoken_files::Limits;

fn items() -> Vec<Item> {
    vec![
        choice("1", "v", "CW", Some(0)),
        choice("2", "v", "CW", Some(1)),
        choice("3", "w", "TN", Some(2)),
        choice("4", "w", "TN", Some(3)),
        choice("5", "x", "TN", Some(0)),
        choice("6", "x", "DO", None),
        choice("7", "y", "DO", Some(0)),
    ]
}

fn answered(items: &[Item], texts: &[&str], tokens: usize) -> Vec<Sample> {
    let sample = |(doc_id, text): (usize, &&str)| {
        let seconds = PerStage { vision: 1.0, prefill: doc_id as f64, ..PerStage::default() };
        let flops = PerStage { vision: 2e12, ..PerStage::default() };
        let answer = Answer {
            text: text.to_string(),
            visual_tokens: tokens + doc_id,
            seconds,
            flops,
            option_scores: None,
        };
        Sample::answered(doc_id, &items[doc_id], "?", "test", answer)
    };
    texts.iter().enumerate().map(sample).collect()
}

/// Right, wrong, several, declined, a failure, one without answer; the seventh was not asked.
fn mixed(items: &[Item]) -> Vec<Sample> {
    let mut samples = answered(items, &["A", "C", "A or B", "I cannot tell", "A", "B"], 30);
    samples[4] = Sample::failed(4, &items[4], "?", "test", "no frames");
    samples
}

fn report() -> Report {
    let items = items();
    let missing = vec![MissingVideo { video: "y".into(), questions: 1 }];
    Report::new(Task::Shapes, "test", &items, &mixed(&items), missing)
}

#[test]
fn every_question_is_accounted_for() {
    let report = report();
    assert_eq!((report.questions, report.videos, report.without_answer, report.not_asked), (5, 3, 1, 1));
    assert_eq!(report.accuracy, 20.0);
    let classes = report.classes;
    assert_eq!(
        (classes.correct, classes.wrong, classes.several, classes.declined, classes.failed),
        (1, 1, 1, 1, 1)
    );
    assert_eq!((classes.empty, classes.unreadable, classes.unparsed()), (0, 0, 2));
    assert_eq!(report.chance, Some(25.0));
    // Answered: samples 0, 1, 2, 3 and 5, with 30 + doc_id tokens each.
    assert!((report.tokens_mean - (30.0 + 11.0 / 5.0)).abs() < 1e-12);
    assert!((report.tok_dense - 20.0 / 32.2).abs() < 1e-12);
    assert!((report.seconds_mean_total - (1.0 + 11.0 / 5.0)).abs() < 1e-12);
    assert_eq!((report.flops_mean.vision, report.flops_mean_total), (2e12, 2e12));
    assert_eq!((report.failures[0].id.as_str(), report.failures[0].reason.as_str()), ("5", "no frames"));
    let score = report.score("type", "CW").unwrap();
    assert_eq!((score.questions, score.correct, score.accuracy, score.accuracy_interval), (2, 1, 50.0, None));
    assert_eq!(report.score("type", "TN").unwrap().accuracy, 0.0);
    assert_eq!(report.score("type", "DO"), None, "its only sample has no public answer");
    let [low, high] = report.accuracy_interval.unwrap();
    // By hand: u = (0.6, -0.4, -0.2) over 3 videos, sqrt(3/2 * 0.56 / 25) = 0.18330.
    assert!(low == 0.0 && (high - (20.0 + 1.959964 * 18.330303)).abs() < 1e-4, "{low} {high}");
}

#[test]
fn a_report_is_json_and_an_aligned_table() {
    let report = report();
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!((&json["accuracy"], &json["task"]), (&20.0.into(), &"shapes".into()));
    assert!((json["tokens_mean"].as_f64().unwrap() - 32.2).abs() < 1e-12);
    assert_eq!(json["facets"][0]["scores"][0]["value"], "CW");
    let expected = "\
shapes  test
          questions  accuracy            95%
all               5     20.00  [0.00, 55.93]
type  CW          2     50.00              -
type  TN          3      0.00  [0.00, 84.19]
answers: 1 right, 1 wrong, 2 unparsed (1 several, 1 declined, 0 empty, 0 unreadable), 1 failed
chance: 25.00
visual tokens: 32.20 on average, TokDense 0.621 [-0.492, 1.735]
seconds: 3.200 (vision 1.000, prefill 2.200)
TFLOP: 2.000 (vision 2.000)
without public answer: 1 questions, not scored
not asked: 1 questions
missing videos: 1 (1 questions): y
failed: 5: no frames
";
    let text = report.to_string();
    let without_dense =
        |text: &str| text.lines().filter(|line| !line.starts_with("visual")).collect::<Vec<_>>().join("\n");
    assert_eq!(without_dense(&text), without_dense(expected));
    assert!(text.contains("visual tokens: 32.20 on average, TokDense 0.621 ["), "{text}");
}

#[test]
fn no_samples_give_a_report_without_numbers() {
    let report = Report::new(Task::Shapes, "test", &items(), &[], vec![]);
    assert_eq!((report.questions, report.accuracy, report.tok_dense, report.not_asked), (0, 0.0, 0.0, 7));
    assert!(report.accuracy_interval.is_none() && report.chance.is_none() && report.facets.is_empty());
    assert!(!serde_json::to_string(&report).unwrap().contains("null,\"questions\":null"));
}

#[test]
fn numbers_in_a_facet_are_in_order_of_size() {
    let items: Vec<_> =
        ["60", "3600", "15", "600"].iter().map(|value| choice(value, value, value, Some(0))).collect();
    let samples = answered(&items, &["A"; 4], 1);
    let report = Report::new(Task::LongVideoBench, "test", &items, &samples, vec![]);
    let values: Vec<_> = report.facets[0].scores.iter().map(|score| score.value.as_str()).collect();
    assert_eq!(values, ["15", "60", "600", "3600"]);
}

#[test]
fn runs_are_compared_question_by_question() {
    let items = items();
    let first = answered(&items, &["A", "B", "A", "D", "A"], 10);
    let second = answered(&items, &["A", "A", "C", "A"], 10);
    let difference = paired_difference(&first, &second).unwrap();
    // Questions 1 to 4: 0, +1, -1, +1; videos v: 1, w: 0; mean 0.25, u = (0.5, -0.5).
    assert_eq!((difference.points, difference.questions, difference.won, difference.lost), (25.0, 4, 2, 1));
    let [low, high] = difference.points_interval.unwrap();
    assert!((high - low - 2.0 * 1.959964 * 25.0).abs() < 1e-3, "{low} {high}");
    assert_eq!(paired_difference(&first, &[]), None);
    assert_eq!(paired_difference(&first, &first).unwrap().points_interval, Some([0.0, 0.0]));

    let reports = [report(), report()];
    let table = comparison_table(&reports);
    let rows: Vec<_> = table.lines().collect();
    assert!(
        rows.len() == 3
            && rows[0].contains("tokens")
            && rows[1].contains("32.20")
            && rows[1].contains("20.00"),
        "{table}"
    );
    let ends: Vec<_> = rows.iter().map(|row| row.len()).collect();
    assert!(ends.windows(2).all(|pair| pair[0] == pair[1]), "{table}");
}

#[test]
fn predictions_in_every_layout() {
    let folder = Folder::new();
    let items = items();
    let next_qa = folder
        .file("p.json", r#"{"1": {"prediction": 0, "answer": 0}, "2": {"prediction": 3, "answer": 1}}"#);
    let samples = read_predictions(Task::NextQa, &next_qa, &items[..2], &Limits::default()).unwrap();
    assert_eq!(samples.iter().map(|sample| sample.exact_match).collect::<Vec<_>>(), [Some(1.0), Some(0.0)]);
    assert_eq!(samples[1].filtered_resps, ["D"]);
    let ego = folder.file("e.json", r#"{"1": 0}"#);
    let samples = read_predictions(Task::EgoSchema, &ego, &items[..2], &Limits::default()).unwrap();
    assert_eq!(
        (samples[0].exact_match, samples[1].failed.as_deref()),
        (Some(1.0), Some("there is no prediction"))
    );

    let open: Vec<_> = items.into_iter().map(Item::opened).collect();
    let lines = folder
        .file("v.jsonl", "{\"id\":\"1\",\"answer\":\"x\",\"pred\":\"Red.\"}\n{\"id\":\"2\",\"pred\":\"\"}\n");
    let samples = read_predictions(Task::ActivityNetQa, &lines, &open[..2], &Limits::default()).unwrap();
    assert_eq!(
        (samples[0].exact_match, samples[1].exact_match, samples[1].failed.is_none()),
        (Some(1.0), Some(0.0), true)
    );
    let report = Report::new(Task::ActivityNetQa, "test", &open, &samples, vec![]);
    assert_eq!((report.classes.correct, report.classes.empty, report.chance), (1, 1, None));

    let cases = [
        ("a.json", r#"{"1": {"prediction": "x", "answer": 0}, "9": 1}"#, "9 is missing"),
        ("b.json", r#"{"1": {"prediction": []}}"#, "is neither an index nor a text"),
        (
            "c.json",
            r#"[{"question_id": "1", "answer": "x"}, {"question_id": "1", "answer": "y"}]"#,
            "the same key as row 1",
        ),
        ("d.json", r#"[{"answer": "x"}]"#, "`question_id` is missing"),
        ("e.json", r#"[{"question_id": "1"}]"#, "`answer` is missing"),
    ];
    for (name, text, expected) in cases {
        let message =
            read_predictions(Task::ActivityNetQa, &folder.file(name, text), &open, &Limits::default())
                .unwrap_err()
                .to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn judges_get_requests_and_give_verdicts() {
    let folder = Folder::new();
    let mut items: Vec<_> = items().into_iter().map(Item::opened).collect();
    items[3].expected = Expected::Open { answers: vec![] };
    let mut samples = answered(&items, &["crimson", "olive", "blue", "x"], 30);
    samples.push(Sample::failed(4, &items[4], "?", "test", "no frames"));
    let path = folder.path("requests.jsonl");
    assert_eq!(write_judge_requests(&path, &items, &samples).unwrap(), 3);
    let text = std::fs::read_to_string(&path).unwrap();
    let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&first["id"], &first["answer"], &first["pred"]),
        (&"1".into(), &"red".into(), &"crimson".into())
    );
    assert!(first["prompt"].as_str().unwrap().contains("Reference answer: red\nGiven answer: crimson"));

    let layouts = [
        (
            "a.jsonl",
            "{\"id\":\"1\",\"pred\":\"Yes\",\"score\":4}\n{\"id\":\"2\",\"pred\":\"no\",\"score\":\"1\"}\n{\"id\":\"3\",\"pred\":\"maybe\",\"score\":3}",
        ),
        (
            "b.jsonl",
            "{\"id\":\"1\",\"review\":\"Sure: {'pred': 'yes', 'score': 4}\"}\n{\"id\":\"2\",\"review\":\"{\\\"pred\\\": \\\"no\\\", \\\"score\\\": 1}\"}\n{\"id\":\"3\",\"review\":\"I think so\"}",
        ),
        (
            "c.json",
            r#"[{"question_id":"1","Correctness":"yes","score":4,"pred":"crimson"},{"question_id":"2","Correctness":"no","score":1,"pred":"yes"},{"question_id":"3","Correctness":"yes","score":9,"pred":""}]"#,
        ),
        (
            "d.json",
            r#"{"1":[{"pred":"yes","score":4},{"q":"","a":"","pred":""}],"2":[{"pred":"no","score":1},{}]}"#,
        ),
    ];
    for (name, text) in layouts {
        let verdicts = read_verdicts(&folder.file(name, text), &Limits::default()).unwrap();
        let report = judge_report(&samples, &verdicts);
        assert_eq!(
            (report.judged, report.failed, &report.without_verdict[..]),
            (3, 1, &["3".to_string()][..]),
            "{name}"
        );
        assert!(
            (report.accuracy - 100.0 / 3.0).abs() < 1e-9 && (report.score - 5.0 / 3.0).abs() < 1e-9,
            "{name}"
        );
        assert!(report.accuracy_interval.is_some() && report.score_interval.is_some());
    }
    let message =
        read_verdicts(&folder.file("e.json", r#"{"1": 3}"#), &Limits::default()).unwrap_err().to_string();
    assert!(message.contains("1: not valid JSON of verdicts"), "{message}");
    let none = judge_report(&[], &Default::default());
    assert_eq!((none.judged, none.accuracy, none.score), (0, 0.0, 0.0));
}
