//! Runs that are interrupted, resumed, and refused.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use common::{Folder, choice};
use proptest::prelude::*;
use vqtoken_eval::{
    Answer, Answerer, Ask, Failed, Item, Parsed, PerStage, Progress, Run, Sample, SamplesError, Task, Videos,
    read_samples, run, run_together,
};

/// Answers by the question's seed alone, fails on some, and remembers whom it was asked about.
#[derive(Default)]
struct Oracle {
    fails: Vec<String>,
    asked: Vec<String>,
    /// Run and video of every question.
    order: Vec<(usize, String)>,
}

impl Answerer for Oracle {
    fn answer(&mut self, ask: &Ask<'_>) -> Result<Answer, Box<dyn Error + Send + Sync>> {
        self.asked.push(ask.item.id.clone());
        self.order.push((ask.run, ask.item.video.clone()));
        if self.fails.contains(&ask.item.id) {
            return Err("the video\nis damaged".into());
        }
        let texts = ["A", "B.", "(C)", "The answer is D", "A or B", "I cannot say", "", "purple"];
        Ok(Answer {
            text: texts[(ask.seed % 8) as usize].into(),
            visual_tokens: 10 + (ask.seed % 5) as usize,
            seconds: PerStage { vision: 0.25, prefill: 0.5, ..PerStage::default() },
            flops: PerStage { vision: 1e12, ..PerStage::default() },
            ..Answer::default()
        })
    }
}

fn items() -> Vec<Item> {
    (0..20)
        .map(|index| choice(&format!("q{index}"), &format!("v{}", index / 3), "CW", Some(index % 4)))
        .collect()
}

fn plan<'a>(items: &'a [Item], samples: &'a Path) -> Run<'a> {
    Run {
        task: Task::ShapesLetters,
        items,
        videos: Videos::Blind,
        samples,
        settings: "test",
        seed: 7,
        failed: Failed::Keep,
    }
}

fn to_the_end(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn lines(path: &Path) -> Vec<String> {
    let mut lines: Vec<_> = fs::read_to_string(path).unwrap().lines().map(String::from).collect();
    lines.sort();
    lines
}

#[test]
fn a_run_writes_one_line_a_question_in_the_layout_of_lmms_eval() {
    let folder = Folder::new();
    let (items, path) = (items(), folder.path("samples.jsonl"));
    let mut steps = Vec::new();
    let mut oracle = Oracle { fails: vec!["q4".into()], ..Oracle::default() };
    let samples = run(&plan(&items, &path), &mut oracle, &mut |step| {
        steps.push(step);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!((samples.len(), steps.len()), (20, 21));
    assert_eq!(steps[0], Progress { total: 20, ..Progress::default() });
    let last = steps[20];
    assert_eq!((last.done, last.failed, last.scored), (20, 1, 20));
    assert_eq!(last.correct, samples.iter().filter(|sample| sample.exact_match == Some(1.0)).count());
    assert_eq!(samples[4].failed.as_deref(), Some("the video is damaged"));

    let text = fs::read_to_string(&path).unwrap();
    let line: serde_json::Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
    assert_eq!((&line["doc_id"], &line["target"]), (&1.into(), &"B".into()));
    assert!(line["filtered_resps"][0].is_string() && line["doc_hash"].as_str().unwrap().len() == 64);
    assert!(
        line["input"].as_str().unwrap().starts_with("question q1\nA. red\nB. green\nC. blue\nD. two\nAnswer")
    );
    assert!(line["exact_match"].is_number() && line.get("failed").is_none());
    assert_eq!((&line["seconds"]["prefill"], &line["flops"]["vision"]), (&0.5.into(), &1e12.into()));
    assert_eq!(read_samples(&path, &items).unwrap(), samples);
    let texts: BTreeSet<_> = samples.iter().map(|sample| &sample.filtered_resps).collect();
    assert!(texts.len() > 4, "each question has its own seed: {texts:?}");
}

#[test]
fn a_resumed_run_asks_only_what_is_missing() {
    let folder = Folder::new();
    let (items, path) = (items(), folder.path("samples.jsonl"));
    let plan = plan(&items, &path);
    let mut oracle = Oracle::default();
    let half = run(&plan, &mut oracle, &mut |step| match step.done {
        9 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    assert_eq!(half.unwrap().len(), 9);
    let mut rest = Oracle::default();
    let mut first = None;
    let whole = run(&plan, &mut rest, &mut |step| {
        first.get_or_insert(step);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!((rest.asked.len(), &rest.asked[0][..]), (11, "q9"));
    let first = first.unwrap();
    assert_eq!((first.done, first.resumed, first.total), (9, 9, 20));

    let other = folder.path("other.jsonl");
    let uninterrupted =
        run(&Run { samples: &other, ..plan }, &mut Oracle::default(), &mut to_the_end).unwrap();
    assert_eq!(whole, uninterrupted);
    assert_eq!(lines(&path), lines(&other));
    let mut nobody = Oracle::default();
    assert_eq!(run(&plan, &mut nobody, &mut to_the_end).unwrap(), whole);
    assert!(nobody.asked.is_empty());
}

#[test]
fn failures_are_asked_again_only_if_wanted() {
    let folder = Folder::new();
    let (items, path) = (items(), folder.path("samples.jsonl"));
    let plan = plan(&items, &path);
    let mut oracle = Oracle { fails: vec!["q3".into(), "q8".into()], ..Oracle::default() };
    run(&plan, &mut oracle, &mut to_the_end).unwrap();
    let mut again = Oracle::default();
    let samples = run(&plan, &mut again, &mut to_the_end).unwrap();
    assert!(again.asked.is_empty() && samples[3].failed.is_some());
    let samples = run(&Run { failed: Failed::AskAgain, ..plan }, &mut again, &mut to_the_end).unwrap();
    assert_eq!(again.asked, ["q3", "q8"]);
    assert!(samples.iter().all(|sample| sample.failed.is_none()));
    assert_eq!(lines(&path).len(), 20);
    assert_eq!(fs::read_dir(folder.0.path()).unwrap().count(), 1, "no partial file stays");
}

#[test]
fn items_without_a_video_are_not_asked_until_it_is_there() {
    let folder = Folder::new();
    let (items, path) = (items(), folder.path("samples.jsonl"));
    let mut paths: Vec<Option<PathBuf>> = items.iter().map(|item| Some(item.video.clone().into())).collect();
    paths[5] = None;
    let mut oracle = Oracle::default();
    let mut totals = Vec::new();
    let samples = run(&Run { videos: Videos::At(&paths), ..plan(&items, &path) }, &mut oracle, &mut |step| {
        totals.push(step.total);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!((samples.len(), totals[0]), (19, 19));
    paths[5] = Some("v".into());
    let mut rest = Oracle::default();
    run(&Run { videos: Videos::At(&paths), ..plan(&items, &path) }, &mut rest, &mut to_the_end).unwrap();
    assert_eq!(rest.asked, ["q5"]);
}

#[test]
fn files_of_another_run_are_refused() {
    let folder = Folder::new();
    let (items, path) = (items(), folder.path("samples.jsonl"));
    let plan = plan(&items, &path);
    run(&plan, &mut Oracle::default(), &mut to_the_end).unwrap();
    let before = fs::read_to_string(&path).unwrap();
    let refused = |plan: &Run<'_>| {
        let error = run(plan, &mut Oracle::default(), &mut to_the_end).unwrap_err();
        assert!(!error.to_string().contains('\n'));
        error
    };
    assert!(matches!(
        refused(&Run { settings: "other", ..plan }),
        SamplesError::OtherSettings { line: 1, .. }
    ));
    assert!(matches!(
        refused(&Run { items: &items[..5], ..plan }),
        SamplesError::OtherQuestion { line: 6, .. }
    ));
    let mut changed = items.clone();
    changed[2].question.push('!');
    assert!(matches!(refused(&Run { items: &changed, ..plan }), SamplesError::OtherQuestion { line: 3, .. }));
    assert_eq!(fs::read_to_string(&path).unwrap(), before, "nothing is lost");

    let twice = before.clone() + before.lines().next().unwrap() + "\n";
    fs::write(&path, twice).unwrap();
    assert!(matches!(refused(&plan), SamplesError::Twice { line: 21, .. }));
    fs::write(&path, before.replacen("\"doc_id\":3", "\"doc_id\":\"x\"", 1)).unwrap();
    let error = refused(&plan);
    assert!(matches!(error, SamplesError::Line { line: 4, .. }), "{error}");
    assert!(error.to_string().contains("samples.jsonl: line 4"));
    let none = folder.path("none/samples.jsonl");
    assert!(matches!(refused(&Run { samples: &none, ..plan }), SamplesError::Io { .. }));
}

#[test]
fn a_file_that_is_written_to_is_in_use() {
    let folder = Folder::new();
    let (items, path) = (items(), folder.path("samples.jsonl"));
    let plan = plan(&items, &path);
    let mut inner = None;
    run(&plan, &mut Oracle::default(), &mut |_| {
        inner.get_or_insert_with(|| run(&plan, &mut Oracle::default(), &mut to_the_end));
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(matches!(inner, Some(Err(SamplesError::InUse { .. }))));
}

#[test]
fn runs_of_a_pass_advance_video_by_video_and_equal_runs_alone() {
    let folder = Folder::new();
    let mut items = items();
    // A question about the first video at the very end does not bring it back later.
    items[19].video = "v0".into();
    let (a, b, c) = (folder.path("a.jsonl"), folder.path("b.jsonl"), folder.path("c.jsonl"));
    let alone = plan(&items, &a);
    let expected = run(&alone, &mut Oracle::default(), &mut to_the_end).unwrap();

    let (second, third) = (Run { samples: &b, ..alone }, Run { samples: &c, settings: "other", ..alone });
    let mut oracle = Oracle::default();
    let interrupted = run_together(&[second, third], &mut oracle, &mut |_, states| match states
        .iter()
        .map(|state| state.done)
        .sum::<usize>()
    {
        10 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    // Four questions about the first video and three about the second in each run, of which the last three are left.
    assert_eq!(interrupted.unwrap().iter().map(Vec::len).collect::<Vec<_>>(), [6, 4]);
    let visits = |oracle: &Oracle| {
        let mut visits = oracle.order.clone();
        visits.dedup();
        visits.iter().map(|(run, video)| format!("{run}{video}")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(visits(&oracle), "0v0 1v0 0v1");

    let mut rest = Oracle::default();
    let samples = run_together(&[second, third], &mut rest, &mut |_, _| ControlFlow::Continue(())).unwrap();
    assert_eq!(visits(&rest), "0v1 1v1 0v2 1v2 0v3 1v3 0v4 1v4 0v5 1v5 0v6 1v6");
    assert_eq!((rest.asked.len(), &samples[0]), (30, &expected));
    assert_eq!(lines(&a), lines(&b));
    let other = |sample: &Sample| Sample { settings: "other".into(), ..sample.clone() };
    assert_eq!(samples[1], expected.iter().map(other).collect::<Vec<_>>());

    let refused =
        run_together(&[second, second], &mut rest, &mut |_, _| ControlFlow::Continue(())).unwrap_err();
    assert!(matches!(refused, SamplesError::InUse { .. }), "{refused}");
}

#[test]
fn option_scores_must_fit_the_options() {
    let item = choice("q", "v", "CW", Some(1));
    let of = |scores: &[f64]| {
        let answer = Answer { option_scores: Some(scores.to_vec()), text: "A".into(), ..Answer::default() };
        Sample::answered(0, &item, "?", "test", answer)
    };
    let good = of(&[0.0, 1.0, 0.5, -1.0]);
    assert_eq!((good.parsed, good.exact_match), (Some(Parsed::Option(1)), Some(1.0)));
    for bad in [&[0.0, 1.0][..], &[0.0, f64::NAN, 0.0, 0.0]] {
        let sample = of(bad);
        assert!(sample.failed.unwrap().contains("option scores") && sample.exact_match == Some(0.0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_file_cut_anywhere_resumes_to_the_same_samples(cut in any::<prop::sample::Index>(), fails in 0usize..20) {
        let folder = Folder::new();
        let (items, path) = (items(), folder.path("samples.jsonl"));
        let plan = plan(&items, &path);
        let oracle = || Oracle { fails: vec![format!("q{fails}")], ..Oracle::default() };
        let whole = run(&plan, &mut oracle(), &mut to_the_end).unwrap();
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..cut.index(bytes.len() + 1)]).unwrap();
        let kept = read_samples(&path, &items).unwrap().len();
        let mut rest = oracle();
        prop_assert_eq!(&run(&plan, &mut rest, &mut to_the_end).unwrap(), &whole);
        prop_assert_eq!(rest.asked.len(), 20 - kept);
        prop_assert_eq!(fs::read(&path).unwrap(), bytes);
    }

    #[test]
    fn seeds_belong_to_questions_and_not_to_the_order(start in 0usize..20) {
        let folder = Folder::new();
        let items = items();
        let turned: Vec<Item> = (0..20).map(|index| items[(index + start) % 20].clone()).collect();
        let texts = |items: &[Item], name: &str| -> BTreeMap<String, Vec<String>> {
            let path = folder.path(name);
            let samples = run(&plan(items, &path), &mut Oracle::default(), &mut to_the_end).unwrap();
            samples.into_iter().map(|sample| (sample.id, sample.filtered_resps)).collect()
        };
        prop_assert_eq!(texts(&items, "a.jsonl"), texts(&turned, "b.jsonl"));
    }
}
