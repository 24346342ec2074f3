//! The engine with the model in the box.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use vqtoken_core::{Budget, ReduceError, Reducer, Reduction, TokenGrid, VideoTokens, reducer};
use vqtoken_engine::{
    AnswerEvent, Answering, EncodeEvent, EncodeJob, EncodeOutput, EncodeSource, EncodedVideo, Encoding,
    Engine, EngineError, EngineOptions, FinishReason, Finished, Piece, Question, Started, Subject,
    SubjectContent,
};
use vqtoken_model::{
    Chat, EncoderOptions, GenerationOptions, ModelError, Precision, SamplingOptions, VideoInPrompt, VideoLlm,
};
use vqtoken_video::{Frame, Mp4Options, Mp4Writer, OpenOptions, Sampling, Span, Video};

fn model() -> VideoLlm {
    static MODEL: OnceLock<VideoLlm> = OnceLock::new();
    MODEL
        .get_or_init(|| {
            VideoLlm::load_as(concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/mini"), Precision::F32)
                .unwrap()
        })
        .clone()
}

fn engine() -> Engine {
    Engine::start(model(), EngineOptions::default()).unwrap()
}

fn demo() -> &'static std::path::Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    static FILE: OnceLock<std::path::PathBuf> = OnceLock::new();
    FILE.get_or_init(|| {
        let folder = FOLDER.get_or_init(|| tempfile::tempdir().unwrap());
        let file = folder.path().join("demo.mp4");
        write_clip(&file);
        file
    })
}

/// A red square that crosses a grey picture in four seconds.
fn write_clip(file: &std::path::Path) {
    let (size, mut writer) = (96, None);
    for index in 0..48_usize {
        let inside = |x: usize, y: usize| (index..index + 24).contains(&x) && (30..54).contains(&y);
        let pixel = |i: usize| if inside(i % size, i / size) { [200, 30, 30] } else { [120, 120, 120] };
        let frame = Frame::new(size, size, (0..size * size).flat_map(pixel).collect()).unwrap();
        let writer = writer
            .get_or_insert_with(|| Mp4Writer::create(file, size, size, 12.0, Mp4Options::default()).unwrap());
        writer.push(&frame).unwrap();
    }
    writer.unwrap().finish().unwrap();
}

fn job(fine: Option<usize>) -> EncodeJob {
    let options = EncoderOptions::new(Budget::Fixed(16));
    let source = EncodeSource::Video(demo().to_owned(), OpenOptions::default());
    EncodeJob::new("test", source, EncodeOutput::Codes { options, fine })
}

fn encoded(mut encoding: Encoding) -> Result<EncodedVideo, ModelError> {
    loop {
        match encoding.blocking_next().unwrap() {
            EncodeEvent::Done(video) => return Ok(*video),
            EncodeEvent::Failed(error) => return Err(error),
            _ => {}
        }
    }
}

fn tokens() -> Arc<VideoTokens> {
    static TOKENS: OnceLock<Arc<VideoTokens>> = OnceLock::new();
    let encode = || {
        let video = encoded(engine().encode(job(None)).unwrap()).unwrap();
        Arc::new(video.encoded.unwrap().tokens)
    };
    TOKENS.get_or_init(encode).clone()
}

fn question(text: &str) -> Question {
    let subject = Subject { key: "demo".into(), content: SubjectContent::Tokens(tokens()) };
    Question::new("test", Some(subject), Chat::new(text))
}

struct Answered {
    started: Started,
    text: String,
    pieces: Vec<Piece>,
    finished: Finished,
}

fn answered(mut answering: Answering) -> Result<Answered, ModelError> {
    let (mut started, mut pieces) = (None, Vec::new());
    loop {
        match answering.blocking_next().unwrap() {
            AnswerEvent::Started(event) => started = Some(event),
            AnswerEvent::Piece(piece) => pieces.push(piece),
            AnswerEvent::Failed(error) => return Err(error),
            AnswerEvent::Finished(finished) => {
                let text = pieces.iter().map(|piece| piece.text.as_str()).collect();
                return Ok(Answered { started: started.unwrap(), text, pieces, finished });
            }
            _ => {}
        }
    }
}

fn ask(engine: &Engine, question: Question) -> Answered {
    answered(engine.ask(question).unwrap()).unwrap()
}

/// Sampled at a high temperature, so that a changed bit would soon show, and never ended by the model.
fn drawn(text: &str, seed: u64) -> Question {
    let sampling = SamplingOptions::default().with_temperature(3.0).with_seed(seed);
    let options =
        GenerationOptions::default().with_max_tokens(60).with_sampling(sampling).with_end_tokens(Vec::new());
    question(text).with_options(options).with_logprobs(1)
}

#[test]
fn greedy_answers_are_those_of_the_language_side() {
    let engine = engine();
    for text in
        ["What shapes are there?", "Which way does the red circle move?", "How many objects are there?"]
    {
        let pieces = model().ask(&tokens(), text).unwrap();
        let expected: String = pieces.map(Result::unwrap).collect();
        let answer = ask(&engine, question(text));
        assert_eq!(answer.text, expected);
        assert!(!answer.text.is_empty());
        assert_eq!(answer.finished.reason, FinishReason::Stop);
    }
}

#[test]
fn an_answer_does_not_depend_on_who_else_asks() {
    let engine = engine();
    let text = |seed: u64| {
        if seed.is_multiple_of(2) {
            "What shapes are there?"
        } else {
            "Which way does the red circle move, and what does it meet?"
        }
    };
    let alone: Vec<Answered> = (0..8).map(|seed| ask(&engine, drawn(text(seed), seed))).collect();
    let together: Vec<Answering> = (0..8).map(|seed| engine.ask(drawn(text(seed), seed)).unwrap()).collect();
    for (alone, together) in alone.into_iter().zip(together) {
        let together = answered(together).unwrap();
        assert_eq!(alone.finished.generated_tokens, 60);
        // Text, log-probabilities and alternatives, bit for bit.
        let scores = |answer: &Answered| {
            answer.pieces.iter().flat_map(|piece| piece.tokens.clone()).collect::<Vec<_>>()
        };
        assert_eq!(scores(&alone), scores(&together));
        assert_eq!(alone.text, together.text);
    }
}

#[test]
fn what_all_questions_share_is_read_once() {
    let engine = engine();
    let first = ask(&engine, question("What shapes are there?"));
    let text = model().language().chat_parts(&Chat::new("?"), VideoInPrompt::Present).unwrap().before.len();
    // The text before any video was read when the engine started.
    assert_eq!(first.started.cached_tokens, text);
    assert_eq!(first.started.video_tokens, 16);
    let second = ask(&engine, question("How many objects are there?"));
    // A newline follows the visual tokens.
    assert_eq!(second.started.cached_tokens, text + 16 + 1);
    assert!(second.started.cached_tokens < second.started.prompt_tokens);
    let again = ask(&engine, question("What shapes are there?"));
    assert_eq!(again.text, first.text);
    assert_eq!(again.started.prompt_tokens, first.started.prompt_tokens);
}

#[test]
fn stop_texts_limits_and_log_probabilities() {
    let engine = engine();
    let whole = ask(&engine, question("Describe the video.").with_logprobs(3));
    let word = whole.text.split_whitespace().nth(1).unwrap().to_owned();
    let stopped = ask(&engine, question("Describe the video.").with_stop(vec![word.clone()]));
    assert_eq!(stopped.text, whole.text[..whole.text.find(&word).unwrap()]);
    assert_eq!(stopped.finished.reason, FinishReason::Stop);

    let options = GenerationOptions::default().with_max_tokens(2);
    let short = ask(&engine, question("Describe the video.").with_options(options));
    assert_eq!((short.finished.reason, short.finished.generated_tokens), (FinishReason::Length, 2));
    assert!(whole.text.starts_with(&short.text));

    let scores: Vec<_> = whole.pieces.iter().flat_map(|piece| &piece.tokens).collect();
    assert_eq!(scores.len(), whole.finished.generated_tokens);
    for score in &scores {
        assert!(score.logprob <= 0.0);
        // Greedy: the token drawn is the most likely one.
        assert_eq!(score.top.len(), 3);
        assert_eq!((&score.top[0].0, score.top[0].2), (&score.text, score.logprob));
        assert!(score.top.is_sorted_by(|a, b| a.2 >= b.2));
    }
    let bytes: Vec<u8> = scores.iter().flat_map(|score| score.bytes.clone()).collect();
    assert_eq!(String::from_utf8(bytes).unwrap(), whole.text);
}

#[test]
fn text_alone_and_what_cannot_be_asked() {
    let engine = engine();
    let text = ask(&engine, Question::new("test", None, Chat::new("Hello")));
    assert_eq!(text.started.video_tokens, 0);
    let empty = answered(engine.ask(question(" ")).unwrap());
    assert!(matches!(empty, Err(ModelError::Question(_))));
    let long = answered(engine.ask(question(&"circle ".repeat(100_000))).unwrap());
    assert!(matches!(long, Err(ModelError::PromptTooLong { .. })), "{:?}", long.err());
    let hot = GenerationOptions::default().with_sampling(SamplingOptions::default().with_temperature(-1.0));
    assert!(answered(engine.ask(question("What?").with_options(hot)).unwrap()).is_err());
    // It goes on.
    assert!(!ask(&engine, question("What shapes are there?")).text.is_empty());
}

#[test]
fn queues_are_bounded_and_work_stops_when_nobody_waits() {
    let options = EngineOptions::default().with_rows(2).with_questions(3).with_videos(1);
    let engine = Engine::start(model(), options).unwrap();
    let endless = || {
        let options = GenerationOptions::default().with_max_tokens(100_000).with_end_tokens(Vec::new());
        question("What shapes are there?").with_options(options)
    };
    let mut running: Vec<Answering> = Vec::new();
    let full = loop {
        match engine.ask(endless()) {
            Ok(answering) => running.push(answering),
            Err(error) => break error,
        }
        assert!(running.len() <= 6);
    };
    let EngineError::Busy { retry_after, .. } = full else { panic!("{full}") };
    assert!(retry_after >= Duration::from_secs(1));
    assert!(running.len() >= 3);
    drop(running);
    let start = Instant::now();
    while engine.load() != vqtoken_engine::Load::default() {
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", engine.load());
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(!ask(&engine, question("What shapes are there?")).text.is_empty());

    engine.drain();
    assert!(matches!(engine.ask(endless()), Err(EngineError::Draining)));
    assert!(matches!(engine.encode(job(None)), Err(EngineError::Draining)));
    let none = EngineOptions::default().with_rows(0);
    assert!(matches!(Engine::start(model(), none), Err(EngineError::Options { name: "rows" })));
}

#[test]
fn a_video_is_encoded_as_the_vision_side_does() {
    let engine = engine();
    let frames = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = frames.clone();
    let job = job(Some(64)).with_on_frame(Box::new(move |_, seconds| seen.lock().unwrap().push(seconds)));
    let video = encoded(engine.encode(job).unwrap()).unwrap();
    let tokens = video.encoded.unwrap().tokens;
    let source = Video::open(demo()).unwrap();
    let vision = model();
    let options = EncoderOptions::new(Budget::Fixed(16));
    let expected =
        vision.vision().unwrap().encode_video(&source, Sampling::Uniform(32), options, &mut |_| ()).unwrap();
    assert_eq!(tokens, expected.tokens);
    let fine = video.fine.unwrap();
    assert_eq!(fine.codebook.codes(), 64);
    assert_eq!(fine.index_map.shape(), tokens.index_map.shape());
    assert_eq!(*frames.lock().unwrap(), tokens.timestamps);
}

#[test]
fn a_part_of_a_video_is_looked_at() {
    let engine = engine();
    let job = job(None).with_span(Span::new(1.0, 2.0));
    let tokens = encoded(engine.encode(job).unwrap()).unwrap().encoded.unwrap().tokens;
    assert_eq!(tokens.timestamps.len(), 32);
    assert!(tokens.timestamps.iter().all(|time| (1.0..=2.0).contains(time)), "{:?}", tokens.timestamps);
}

#[test]
fn encoding_stops_when_nobody_waits_and_other_outputs_work() {
    let engine = engine();
    drop(engine.encode(job(None)).unwrap());
    let reducer = reducer("tome:32").unwrap();
    let source = || EncodeSource::Video(demo().to_owned(), OpenOptions::default());
    let reduced = EncodeJob::new("test", source(), EncodeOutput::Reduced(reducer.into()));
    let reduced = encoded(engine.encode(reduced).unwrap()).unwrap();
    assert_eq!(reduced.visual.unwrap().count(), 32);
    let pooled = EncodeJob::new("test", source(), EncodeOutput::Pooled).with_sampling(Sampling::Uniform(4));
    assert!(encoded(engine.encode(pooled).unwrap()).unwrap().visual.is_some());
    let missing = EncodeSource::Video("missing.mp4".into(), OpenOptions::default());
    let missing = EncodeJob::new("test", missing, EncodeOutput::Pooled);
    assert!(matches!(encoded(engine.encode(missing).unwrap()), Err(ModelError::Video(_))));
}

#[derive(Debug)]
struct Panics;

impl Reducer for Panics {
    fn name(&self) -> String {
        "panics".to_owned()
    }

    fn reduce(&self, _: &TokenGrid) -> Result<Reduction, ReduceError> {
        panic!("on purpose")
    }
}

#[test]
fn a_panic_ends_what_was_in_hand_and_nothing_else() {
    let engine = engine();
    let source = || EncodeSource::Video(demo().to_owned(), OpenOptions::default());
    let reduced = EncodeJob::new("test", source(), EncodeOutput::Reduced(Arc::new(Panics)));
    let watched = job(None).with_on_frame(Box::new(|_, _| panic!("on purpose")));
    let broken = [reduced, watched].map(|job| engine.encode(job).unwrap());
    let whole = engine.encode(job(None)).unwrap();
    for mut encoding in broken {
        let last = std::iter::from_fn(|| encoding.blocking_next()).last();
        assert!(!matches!(last, Some(EncodeEvent::Done(_) | EncodeEvent::Failed(_))), "{last:?}");
    }
    assert_eq!(encoded(whole).unwrap().encoded.unwrap().tokens, *tokens());
    assert!(!ask(&engine, question("What shapes are there?")).text.is_empty());
}
