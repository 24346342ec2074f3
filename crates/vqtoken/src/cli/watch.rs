//! `vqtoken watch`: a live stream becomes windows of video tokens, and questions about its last seconds are answered.

use std::io::{self, BufRead};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::{Budget, Chat, GenerationOptions, TrainedInput, Video};
use clap::Args;
use vqtoken_live::{
    LanguageAnswerer, Live, LiveError, LiveEvent, LiveOptions, LiveSource, SourceOptions, Speed,
    StandingQuestions, feed,
};
use vqtoken_video::{Cancellation, LiveInput};

use super::stages::Stages;
use super::{
    BaseArguments, ModelArguments, UsageError, interrupt, length, not_empty, output, pipeline, positive,
};
use crate::cli::GlobalArguments;

/// Seconds that are kept if nothing is said.
const KEEP: f64 = 600.0;

/// Seconds that questions are about if nothing is said.
const LAST: f64 = 300.0;

#[derive(Args, Debug)]
pub(crate) struct WatchArguments {
    /// A video file, an address (rtsp, http, https, also HLS, rtmp, srt, udp), a camera (/dev/video0, avfoundation:NAME,
    /// dshow:NAME), or - for standard input. All but MP4 files with H.264 need ffmpeg
    #[arg(value_name = "SOURCE")]
    source: String,

    /// A question that is answered again and again; can be given more than once. Questions typed while it runs are answered at once
    #[arg(long, value_name = "QUESTION", value_parser = not_empty)]
    ask: Vec<String>,

    /// Time from one answer to the next, such as 10s or 1m [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = length, requires = "ask")]
    every: Option<f64>,

    /// How much of the stream questions are about [default: 5m, or what is kept]
    #[arg(long, value_name = "TIME", value_parser = length)]
    last: Option<f64>,

    /// Tokens of an answer, at most
    #[arg(long, value_name = "N", default_value_t = 128)]
    max_tokens: usize,

    /// Frames a second
    #[arg(long, value_name = "RATE", default_value_t = 2.0, value_parser = positive)]
    fps: f64,

    /// Length of a window, each of which gets a codebook of its own
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = length)]
    window: f64,

    /// How long windows are kept [default: 10m, or --last]
    #[arg(long, value_name = "TIME", value_parser = length)]
    keep: Option<f64>,

    /// Codes of a window: a budget as for `vqtoken encode`
    #[arg(long, value_name = "BUDGET", default_value_t = Budget::PAPER_FIXED)]
    tokens: Budget,

    /// Codes of what a question is about, from a second quantization of the windows' codes
    #[arg(long, value_name = "BUDGET", default_value_t = Budget::PAPER_FIXED)]
    total: Budget,

    /// Frames that nearly repeat the one before are not encoded: in no cell of the grid the mean difference of the 8-bit values is
    /// above this [default: 0, exact repeats only]
    #[arg(long, value_name = "LEVELS", value_parser = positive)]
    near_repeats: Option<f64>,

    /// Keep windows in this folder, too, as .vqt files; if there are some, the stream goes on with them
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,

    /// Show a file (or standard input) so many times as fast, or `max`: as fast as it is encoded, without leaving frames out
    /// [default: 1]
    #[arg(long, value_name = "TIMES", value_parser = speed)]
    speed: Option<Speed>,

    /// Try again, after growing pauses, when an address or a camera ends, fails or stalls
    #[arg(long)]
    reconnect: bool,

    /// How long no frame may come before the source has stalled
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = length)]
    patience: f64,

    /// Frames are shown when they arrive: for streams without times, such as MJPEG
    #[arg(long)]
    arrival_times: bool,

    #[command(flatten)]
    model: ModelArguments,

    #[command(flatten)]
    base: BaseArguments,
}

fn speed(text: &str) -> Result<Speed, String> {
    match text {
        "max" => Ok(Speed::Max),
        text => positive(text).map(Speed::Times).map_err(|_| "give a number above 0, or max".to_owned()),
    }
}

pub(crate) fn run(arguments: &WatchArguments, global: &GlobalArguments) -> anyhow::Result<()> {
    // Whatever can be refused is refused before a model is loaded.
    let source = LiveSource::parse(&arguments.source).map_err(|error| UsageError(error.to_string()))?;
    refuse_ineffective(arguments, &source)?;
    arguments.ask.iter().try_for_each(|question| Chat::new(question).check())?;
    let cancellation = Cancellation::new();
    let open = global
        .open_options()
        .with_cancellation(cancellation.clone())
        .with_patience(Duration::try_from_secs_f64(arguments.patience).unwrap_or(Duration::MAX))
        .with_arrival_times(arguments.arrival_times);
    if let LiveSource::File(path) = &source {
        Video::open_with(path, &open)?;
    }
    interrupt::on_interrupt(cancellation.clone())?;
    let mut stages = Stages::default();
    let model = pipeline::load_model(&arguments.model, &arguments.base, &mut stages)?;
    let vision = pipeline::vision(&model, &mut stages)?;
    if model.trained_input() == TrainedInput::Pooled {
        output::note(pipeline::UNTRAINED_CODES);
    }

    let last = arguments.last.or(Some(LAST));
    let questions =
        StandingQuestions::new(arguments.ask.clone()).with_times(arguments.every.unwrap_or(10.0), last);
    let generation = GenerationOptions::default().with_max_tokens(arguments.max_tokens);
    let answerer = LanguageAnswerer::new(model.language().clone(), generation);
    let listens = source != LiveSource::Stream(LiveInput::StandardInput);
    let teller = Arc::new(Teller::new(global.json, listens, cancellation.clone()));
    let for_stream = Arc::clone(&teller);
    let options = live_options(arguments, &source, global);
    let live =
        Live::start(vision, options, questions, Arc::new(answerer), move |event| for_stream.tell(event))?;
    if listens {
        listen(live.clone(), last);
    }
    let speed = arguments.speed.unwrap_or(Speed::Times(1.0));
    let how = SourceOptions::new(arguments.fps)
        .with_speed(speed)
        .with_reconnect(arguments.reconnect)
        .with_open(open);
    let fed = feed(&live, &source, &how);
    match cancellation.is_cancelled() {
        true => live.stop(),
        false => live.finish(),
    }
    live.join();
    teller.outcome(fed, cancellation.is_cancelled(), &source)
}

fn live_options(arguments: &WatchArguments, source: &LiveSource, global: &GlobalArguments) -> LiveOptions {
    let keep =
        arguments.keep.unwrap_or_else(|| KEEP.max(arguments.last.unwrap_or(0.0)).max(arguments.window));
    LiveOptions::new(source.to_string())
        .with_windows(arguments.window, keep)
        .with_codes(arguments.tokens, arguments.total)
        .with_fps(arguments.fps)
        .with_near_repeats(arguments.near_repeats.unwrap_or(0.0))
        .with_folder(arguments.save.clone())
        .with_limits(global.limits())
}

fn refuse_ineffective(arguments: &WatchArguments, source: &LiveSource) -> Result<(), UsageError> {
    let why = "needs a file or standard input: a live stream has its own pace";
    super::refuse_without_effect(&[("--speed", arguments.speed.is_some() && source.is_live())], why)?;
    let why = "needs an address or a camera: a file or standard input cannot be opened again";
    super::refuse_without_effect(&[("--reconnect", arguments.reconnect && !source.is_live())], why)?;
    let is_file = matches!(source, LiveSource::File(_));
    let why = "needs a stream: a file has times of its own";
    super::refuse_without_effect(&[("--arrival-times", arguments.arrival_times && is_file)], why)?;
    match (arguments.keep, arguments.last) {
        (Some(keep), _) if keep < arguments.window => Err(UsageError(format!(
            "--keep of {keep} s is shorter than a window, {} s: keep more, or give a smaller --window",
            arguments.window
        ))),
        (Some(keep), Some(last)) if last > keep => Err(UsageError(format!(
            "--last of {last} s is longer than what is kept, {keep} s: give a larger --keep"
        ))),
        _ => Ok(()),
    }
}

/// Asks what is typed, line by line.
fn listen(live: Live, last: Option<f64>) {
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            let question = line.trim();
            if question.is_empty() {
                continue;
            }
            match live.ask(question, last) {
                Ok(_) => {}
                Err(LiveError::Ended) => return,
                Err(error) => live.tell(LiveEvent::Warning { message: error.to_string() }),
            }
        }
    });
}

/// Tells events to people or machines, and remembers what makes the command fail.
struct Teller {
    json: bool,
    /// Whether questions can be typed.
    listens: bool,
    /// Set when nobody reads any more.
    cancellation: Cancellation,
    failures: Mutex<Failures>,
}

#[derive(Default)]
struct Failures {
    /// The output could not be written.
    output: Option<io::Error>,
    /// The stream failed.
    stream: Option<String>,
    /// Questions of which answering failed, and the last reason.
    answers: Option<(usize, String)>,
    frames: usize,
    unsaved: usize,
}

impl Teller {
    fn new(json: bool, listens: bool, cancellation: Cancellation) -> Self {
        Self { json, listens, cancellation, failures: Mutex::default() }
    }

    fn tell(&self, event: LiveEvent) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        match &event {
            LiveEvent::Error { message } => failures.stream = Some(message.clone()),
            LiveEvent::Unanswered { reason, failed: true, .. } => {
                let before = failures.answers.as_ref().map_or(0, |(count, _)| *count);
                failures.answers = Some((before + 1, reason.clone()));
            }
            LiveEvent::End { frames, unsaved_windows, .. } => {
                (failures.frames, failures.unsaved) = (*frames, *unsaved_windows);
            }
            _ => {}
        }
        let told = match self.json {
            true => serde_json::to_string(&event).map_err(io::Error::other).and_then(output::line),
            false => for_people(&event, self.listens),
        };
        if let Err(error) = told {
            failures.output.get_or_insert(error);
            self.cancellation.cancel();
        }
    }

    /// Whether what was asked was done.
    fn outcome(
        &self,
        fed: Result<(), LiveError>,
        was_interrupted: bool,
        source: &LiveSource,
    ) -> anyhow::Result<()> {
        let failures = std::mem::take(&mut *self.failures.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(error) = failures.output {
            return Err(error.into());
        }
        if let Some(message) = failures.stream {
            anyhow::bail!(message);
        }
        fed?;
        if failures.unsaved > 0 {
            anyhow::bail!("{} windows could not be saved: see the warnings", failures.unsaved);
        }
        if let Some((count, reason)) = failures.answers {
            anyhow::bail!("{count} questions could not be answered, the last because: {reason}");
        }
        if failures.frames == 0 && !was_interrupted {
            anyhow::bail!("{source}: the stream ended without a frame");
        }
        Ok(())
    }
}

/// Answers are results; everything else is a note.
fn for_people(event: &LiveEvent, listens: bool) -> io::Result<()> {
    match event {
        LiveEvent::Start { name, resumed_windows, offset, .. } => {
            let how = if listens { "type a question at any time, " } else { "" };
            output::note(format_args!("watching {name}; {how}Ctrl-C ends"));
            if *resumed_windows > 0 {
                output::note(format_args!(
                    "{}  goes on with {resumed_windows} saved windows",
                    clock(*offset)
                ));
            }
        }
        LiveEvent::Window { end, frames, codes, file, .. } => {
            let place = file.as_ref().map(|file| format!(", {}", vqtoken_files::quoted(file)));
            let place = place.unwrap_or_default();
            output::note(format_args!("{}  window of {frames} frames, {codes} codes{place}", clock(*end)));
        }
        LiveEvent::Answer { question, answer, to, frames, seconds, .. } => {
            output::line(format_args!("{}  {question}  {answer}", clock(*to)))?;
            output::note(format_args!("         about {frames} frames, after {seconds:.2} s"));
        }
        LiveEvent::Unanswered { question, at, reason, .. } => {
            output::note(format_args!("{}  {question}  no answer: {reason}", clock(*at)));
        }
        LiveEvent::LeftOut { left_out, of, since, until } => output::note(format_args!(
            "{}  left out {left_out} of {of} frames since {}: encoding is slower than the stream, lower --fps",
            clock(*until),
            clock(*since),
        )),
        LiveEvent::Stalled { reason, retry_in } => {
            output::note(format_args!("warning: {reason}; trying again in {retry_in:.0} s"));
        }
        LiveEvent::Reconnected { at, attempts } => {
            output::note(format_args!("{}  frames come again, after {attempts} attempts", clock(*at)));
        }
        LiveEvent::Warning { message } => output::note(format_args!("warning: {message}")),
        LiveEvent::End { seconds, frames, left_out, windows, answers, .. } => output::note(format_args!(
            "{}  end: {frames} frames in {windows} windows, {left_out} left out, {answers} answers",
            clock(*seconds)
        )),
        // The command ends with it.
        _ => {}
    }
    Ok(())
}

/// Hours, minutes and seconds since the start of the stream.
fn clock(seconds: f64) -> String {
    let whole = seconds.max(0.0) as u64;
    format!("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60)
}
