//! A stream on its own thread: questions, frames that are left out, ends.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{Events, frames, options, pictures, vision};
use vqtoken_core::VideoTokens;
use vqtoken_live::{
    AnswerError, Answerer, LanguageAnswerer, Live, LiveError, LiveEvent, LiveOptions, LiveSource,
    SourceOptions, Speed, StandingQuestions, feed,
};
use vqtoken_model::GenerationOptions;
use vqtoken_video::{Mp4Options, Mp4Writer};

/// Answers with the number of frames, the first and the last time.
fn spans() -> Arc<dyn Answerer> {
    Arc::new(|tokens: &Arc<VideoTokens>, question: &str| -> Result<String, AnswerError> {
        if question == "fail" {
            return Err("no idea".into());
        }
        let times = &tokens.timestamps;
        Ok(format!("{} {} {}", times.len(), times[0], times[times.len() - 1]))
    })
}

fn start(options: LiveOptions, questions: StandingQuestions, answerer: Arc<dyn Answerer>) -> (Live, Events) {
    let events = Events::default();
    let live = Live::start(vision(), options, questions, answerer, events.taker()).unwrap();
    (live, events)
}

/// Waits until so many frames have been encoded.
fn encoded(live: &Live, frames: usize) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while live.status().frames < frames && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(live.status().frames, frames, "encoding goes on");
}

fn answers(events: &Events) -> Vec<String> {
    let answer = |event| match event {
        LiveEvent::Answer { answer, .. } => Some(answer),
        _ => None,
    };
    events.all().into_iter().filter_map(answer).collect()
}

#[test]
fn standing_questions_are_answered_at_even_times_about_the_last_seconds() {
    let questions = StandingQuestions::new(vec!["What?".into(), "fail".into()]).with_times(2.0, Some(1.0));
    let run = || {
        let (live, events) = start(options(3.0, 100.0), questions.clone(), spans());
        frames(22, 4.0, 1).for_each(|(frame, seconds)| live.push(frame, seconds).unwrap());
        live.finish();
        live.join();
        events
    };
    let events = run();
    // Due at 2 and at 4, of the frames before; once more at the end.
    assert_eq!(answers(&events), ["5 0.75 1.75", "5 2.75 3.75", "5 4.25 5.25"]);
    assert_eq!(answers(&run()), answers(&events), "frames alone decide");
    let all = events.all();
    assert!(matches!(&all[0], LiveEvent::Start { offset: 0.0, resumed_windows: 0, .. }));
    let unanswered = all
        .iter()
        .filter(|event| matches!(event, LiveEvent::Unanswered { reason, .. } if reason == "no idea"));
    assert_eq!(unanswered.count(), 3);
    let Some(LiveEvent::End { frames: 22, left_out: 0, windows: 2, answers: 3, unanswered: 3, .. }) =
        all.last()
    else {
        panic!("{all:?}")
    };
}

#[test]
fn any_question_is_answered_at_any_moment() {
    let language = common::model().language().clone();
    let answerer = LanguageAnswerer::new(language.clone(), GenerationOptions::default().with_max_tokens(8));
    let (live, events) = start(options(3.0, 100.0), StandingQuestions::default(), Arc::new(answerer));
    let early = live.ask("What moves?", None).unwrap();
    assert!(matches!(live.tokens_of_last(None), Err(LiveError::NoFrames { .. })));
    frames(10, 4.0, 1).for_each(|(frame, seconds)| live.push(frame, seconds).unwrap());
    // Questions go before frames that wait.
    encoded(&live, 10);
    let tokens = live.tokens_of_last(Some(1.0)).unwrap();
    let id = live.ask("What moves?", Some(1.0)).unwrap();
    live.finish();
    assert!(matches!(live.offer(pictures()[0].clone(), 9.0), Err(LiveError::Ended)));
    live.join();
    assert!(live.status().has_ended);
    assert!(matches!(live.tokens_of_last(None), Err(LiveError::Ended)));
    let all = events.all();
    // What was asked before the first frame waited for it.
    assert!(all.iter().any(|event| matches!(event, LiveEvent::Answer { id, .. } if *id == Some(early))));
    let answer = all.iter().find_map(|event| match event {
        LiveEvent::Answer { id: found, answer, to, .. } if *found == Some(id) => Some((answer.clone(), *to)),
        _ => None,
    });
    let (answer, to) = answer.unwrap();
    assert!(!answer.is_empty() && to == 2.25);
    assert_eq!(tokens.timestamps, [1.25, 1.5, 1.75, 2.0, 2.25]);
}

#[test]
fn slow_answers_do_not_hold_up_the_stream() {
    let release = Arc::new(AtomicBool::new(false));
    let held = Arc::clone(&release);
    let slow = move |_: &Arc<VideoTokens>, _: &str| -> Result<String, AnswerError> {
        while !held.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(5));
        }
        Ok("done".into())
    };
    let questions = StandingQuestions::new(vec!["What?".into()]).with_times(1.0, None);
    let (live, events) = start(options(100.0, 100.0), questions, Arc::new(slow));
    let picture = pictures()[0].clone();
    for index in 0..12 {
        live.offer(picture.clone(), f64::from(index) / 2.0).unwrap();
        thread::sleep(Duration::from_millis(10));
    }
    encoded(&live, 12);
    release.store(true, Ordering::Relaxed);
    live.stop();
    live.join();
    let skipped = events.all().into_iter().filter(|event| {
        matches!(event, LiveEvent::Unanswered { reason, .. } if reason.contains("still being answered"))
    });
    assert!(skipped.count() >= 3);
    assert_eq!(answers(&events), ["done"]);
}

#[test]
fn an_hour_at_two_frames_a_second_loses_none() {
    let live_options = LiveOptions::new("hour").with_windows(10.0, 300.0);
    let (live, events) = start(live_options, StandingQuestions::default(), spans());
    // A new picture every minute.
    for (frame, seconds) in frames(7200, 2.0, 120) {
        live.push(frame, seconds).unwrap();
    }
    let start = Instant::now();
    let tokens = live.tokens_of_last(Some(300.0)).unwrap();
    println!("video tokens of the last five minutes in {:.3} s", start.elapsed().as_secs_f64());
    assert_eq!(tokens.codebook.codes().min(1), 1);
    live.finish();
    live.join();
    let Some(LiveEvent::End { frames: 7200, left_out: 0, windows: 360, .. }) = events.all().last().cloned()
    else {
        panic!("{:?}", events.all().last())
    };
    assert!(live.status().windows <= 31);
}

#[test]
fn a_file_is_shown_at_its_pace_or_as_fast_as_it_is_encoded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shapes.mp4");
    let mut writer = Mp4Writer::create(&path, 192, 192, 5.0, Mp4Options::default()).unwrap();
    pictures().iter().for_each(|frame| writer.push(frame).unwrap());
    writer.finish().unwrap();
    let source = LiveSource::parse(path.to_str().unwrap()).unwrap();
    assert!(!source.is_live());
    let run = |speed| {
        let (live, events) = start(options(2.0, 100.0).with_fps(2.0), StandingQuestions::default(), spans());
        let begin = Instant::now();
        feed(&live, &source, &SourceOptions::new(2.0).with_speed(speed)).unwrap();
        let taken = begin.elapsed().as_secs_f64();
        let times = live.tokens_of_last(None).unwrap().timestamps;
        live.finish();
        live.join();
        let Some(LiveEvent::End { frames, left_out: 0, .. }) = events.all().last().cloned() else { panic!() };
        (frames, times, taken)
    };
    let (frames, times, _) = run(Speed::Max);
    assert_eq!(frames, 12);
    assert!(
        times.iter().enumerate().all(|(index, time)| (time - index as f64 / 2.0).abs() < 0.21),
        "{times:?}"
    );
    let (frames, _, taken) = run(Speed::Times(4.0));
    assert_eq!(frames, 12);
    assert!(taken > 5.4 / 4.0, "{taken}");

    let (live, _) = start(options(2.0, 100.0), StandingQuestions::default(), spans());
    let missing = LiveSource::parse("there/is/no.mp4").unwrap();
    assert!(matches!(feed(&live, &missing, &SourceOptions::new(2.0)), Err(LiveError::Video(_))));
    let bad = SourceOptions::new(2.0).with_speed(Speed::Times(0.0));
    assert!(matches!(feed(&live, &source, &bad), Err(LiveError::Option { name: "speed", .. })));
}
