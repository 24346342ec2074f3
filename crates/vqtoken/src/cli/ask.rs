//! `vqtoken ask`: questions in, answers out.

use std::path::{Path, PathBuf};

use crate::{
    Chat, Clip, GenerationOptions, SamplingOptions, TrainedInput, Video, VideoInput, VideoLlm, VideoTokens,
    VisualTokens, builtin, figures,
};
use clap::Args;

use super::stages::{Stages, peak_memory};
use super::{BaseArguments, EncodingArguments, ModelArguments, UsageError, not_empty, output, pipeline};
use crate::cli::GlobalArguments;

#[derive(Args, Debug)]
pub(crate) struct AskArguments {
    /// A video, a folder of images, or a .vqt file
    #[arg(value_name = "VIDEO|FILE.vqt", required_unless_present = "text_only")]
    input: Option<PathBuf>,

    /// Questions; each is answered on its own, from the same video tokens
    #[arg(value_name = "QUESTION", value_parser = not_empty)]
    questions: Vec<String>,

    #[command(flatten)]
    model: ModelArguments,

    #[command(flatten)]
    base: BaseArguments,

    #[command(flatten)]
    encoding: EncodingArguments,

    /// What stands for the video: vqtoken (its codes, as --tokens says), pooled (every frame's grid at half its sides, as LLaVA-OneVision
    /// reads it), or any other reducer with its budget, such as tome:32, dpc-knn:10% or evs:q=0.9 [default: what the model was
    /// trained to read; vqtoken if an option of codes is given]
    #[arg(long, value_name = "REDUCER")]
    reducer: Option<VideoInput>,

    /// Ask the language model alone, without a video
    #[arg(long, value_name = "QUESTION", num_args = 1.., value_parser = not_empty, conflicts_with_all = ["input", "reducer"])]
    text_only: Vec<String>,

    /// Questions after the first follow up on the answers before them
    #[arg(long)]
    follow_up: bool,

    /// System message
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,

    /// Tokens of an answer, at most
    #[arg(long, value_name = "N", default_value_t = 128)]
    max_tokens: usize,

    /// 0 takes the most likely token; above 0 tokens are drawn
    #[arg(long, value_name = "X", default_value_t = 0.0)]
    temperature: f32,

    /// Draw from the most likely tokens that reach this probability together [default: 1]
    #[arg(long, value_name = "P")]
    top_p: Option<f32>,

    /// Draw from this many most likely tokens; 0 for all [default: 0]
    #[arg(long, value_name = "K")]
    top_k: Option<usize>,

    /// Seed of the drawing [default: 0]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Print seconds by stage, tokens before and after, and peak memory
    #[arg(long)]
    stats: bool,
}

impl AskArguments {
    /// What was asked to stand for the video; `None` leaves it to the model.
    fn given(&self) -> Option<VideoInput> {
        self.reducer.clone().or_else(|| self.encoding.asks_for_codes().then_some(VideoInput::Codes))
    }
}

/// What was given in place of VIDEO|FILE.vqt.
enum Input {
    /// A video to be encoded while it is decoded.
    Video(Box<Video>),
    /// One whose frames a reducer needs all together.
    Clip(Box<Clip>),
    Tokens(Box<VideoTokens>),
}

/// What the language model is asked about.
struct Subject {
    visual: Option<VisualTokens>,
    /// Tokens of the grid before reduction.
    grid_tokens: usize,
    /// What the user has to be told of the video.
    warnings: Vec<String>,
    /// What the user should know about how the video is read.
    note: Option<&'static str>,
}

pub(crate) fn run(arguments: &AskArguments, global: &GlobalArguments) -> anyhow::Result<()> {
    let questions: Vec<&String> = arguments.text_only.iter().chain(&arguments.questions).collect();
    if questions.is_empty() {
        return Err(UsageError("there is no question: add one after the video, in quotes".to_owned()).into());
    }
    refuse_ineffective(arguments, questions.len())?;
    // Whatever can be refused is refused before the video is looked at.
    let options = generation_options(arguments);
    options.check().map_err(|error| UsageError(error.to_string()))?;
    questions.iter().try_for_each(|question| Chat::new(*question).check())?;
    let mut stages = Stages::default();
    let input =
        arguments.input.as_deref().map(|input| read(arguments, input, &mut stages, global)).transpose()?;
    let model = pipeline::load_model(&arguments.model, &arguments.base, &mut stages)?;
    let subject = subject(arguments, &model, input, &mut stages, global)?;
    if let Some(note) = subject.note {
        output::note(note);
    }
    if arguments.model.model.is_none() {
        output::note(builtin::NOTE);
    }

    let mut answered: Vec<(String, String)> = Vec::new();
    let mut records = Vec::new();
    for question in questions {
        let chat = conversation(arguments, &answered, question);
        let record = answer(&model, &subject, &chat, &options, &mut stages, global)?;
        answered.push((question.clone(), record.text.clone()));
        records.push((question, record));
    }
    if global.json {
        let answers: Vec<_> = records
            .iter()
            .map(|(question, record)| {
                serde_json::json!({
                    "question": question,
                    "answer": record.text,
                    "prompt_tokens": record.prompt_tokens,
                    "generated_tokens": record.generated_tokens,
                })
            })
            .collect();
        output::line(serde_json::json!({
            "model": model.id(),
            "answers": answers,
            "warnings": subject.warnings,
            "grid_tokens": subject.grid_tokens,
            "trained_input": model.trained_input().to_string(),
            "note": subject.note,
            "visual_tokens": subject.visual.as_ref().map_or(0, VisualTokens::count),
            "seconds": stages.to_json(),
            "peak_memory_bytes": peak_memory(),
        }))?;
    } else if arguments.stats {
        print_stats(
            &model,
            &subject,
            &stages,
            records.iter().map(|(_, record)| record.generated_tokens).sum(),
        );
    }
    Ok(())
}

/// Refuses options that the others make ineffective.
fn refuse_ineffective(arguments: &AskArguments, questions: usize) -> Result<(), UsageError> {
    if !arguments.text_only.is_empty() {
        arguments.encoding.refuse_for_text()?;
    }
    if let Some(VideoInput::Reduced(_)) = arguments.reducer {
        arguments.encoding.refuse_for_reducer()?;
    }
    if arguments.temperature == 0.0 {
        let drawing = [
            ("--top-p", arguments.top_p.is_some()),
            ("--top-k", arguments.top_k.is_some()),
            ("--seed", arguments.seed.is_some()),
        ];
        let why = "says how tokens are drawn, and at temperature 0 none are: add --temperature above 0";
        super::refuse_without_effect(&drawing, why)?;
    }
    let follow_up = [("--follow-up", arguments.follow_up && questions == 1)];
    super::refuse_without_effect(&follow_up, "needs a second question, which follows up on the first")
}

/// Reads the input, which fails sooner than loading a large model would.
fn read(
    arguments: &AskArguments,
    input: &Path,
    stages: &mut Stages,
    global: &GlobalArguments,
) -> anyhow::Result<Input> {
    let is_reduced = matches!(arguments.reducer, Some(VideoInput::Reduced(_)));
    if !pipeline::is_video_tokens(input) {
        if !is_reduced {
            let video = stages.time("decode", || Video::open_with(input, &global.open_options()))?;
            return Ok(Input::Video(Box::new(video)));
        }
        return Ok(Input::Clip(Box::new(pipeline::sample(input, &arguments.encoding, stages, global)?)));
    }
    arguments.encoding.refuse_for_tokens()?;
    if is_reduced {
        return Err(UsageError("--reducer needs the video; a .vqt file is reduced already".to_owned()).into());
    }
    Ok(Input::Tokens(Box::new(VideoTokens::load_within(input, &global.limits())?)))
}

fn subject(
    arguments: &AskArguments,
    model: &VideoLlm,
    input: Option<Input>,
    stages: &mut Stages,
    global: &GlobalArguments,
) -> anyhow::Result<Subject> {
    let given = arguments.given();
    let input_kind = given.clone().map_or_else(|| VideoInput::trained(model.trained_input()), Ok)?;
    let clip = match input {
        None => return Ok(Subject { visual: None, grid_tokens: 0, warnings: Vec::new(), note: None }),
        Some(Input::Tokens(tokens)) => return attended(model, &tokens, Vec::new(), stages),
        Some(Input::Video(video)) => match &input_kind {
            VideoInput::Codes => {
                let vision = pipeline::vision(model, stages)?;
                let encoded = pipeline::encode_video(vision, &video, &arguments.encoding, stages, global)?;
                return attended(model, &encoded.tokens, encoded.messages(), stages);
            }
            _ => Box::new(pipeline::sample_video(&video, &arguments.encoding, stages, global)?),
        },
        Some(Input::Clip(clip)) => clip,
    };
    let vision = pipeline::vision(model, stages)?;
    match &input_kind {
        VideoInput::Reduced(reducer) => {
            let grid = pipeline::embed(vision, &clip, &arguments.encoding, stages)?;
            let visual = stages.time("reduce", || model.language().reduce(&grid, reducer.as_ref()))?;
            let note = given.is_none().then_some(pipeline::POOLED_BY_DEFAULT);
            let grid_tokens = grid.shape().len();
            Ok(Subject { visual: Some(visual), grid_tokens, warnings: clip.messages(), note })
        }
        _ => {
            let encoded = pipeline::encode_clip(vision, &clip, &arguments.encoding, stages)?;
            attended(model, &encoded.tokens, encoded.messages(), stages)
        }
    }
}

fn attended(
    model: &VideoLlm,
    tokens: &VideoTokens,
    warnings: Vec<String>,
    stages: &mut Stages,
) -> anyhow::Result<Subject> {
    let visual = stages.time("attention", || model.language().visual_tokens(tokens))?;
    let note = (model.trained_input() == TrainedInput::Pooled).then_some(pipeline::UNTRAINED_CODES);
    let grid_tokens = tokens.index_map.labels().len();
    Ok(Subject { visual: Some(visual), grid_tokens, warnings, note })
}

fn generation_options(arguments: &AskArguments) -> GenerationOptions {
    let sampling = SamplingOptions::default()
        .with_temperature(arguments.temperature)
        .with_top_k(arguments.top_k.unwrap_or(0))
        .with_top_p(arguments.top_p.unwrap_or(1.0))
        .with_seed(arguments.seed.unwrap_or(0));
    GenerationOptions::default().with_max_tokens(arguments.max_tokens).with_sampling(sampling)
}

fn conversation(arguments: &AskArguments, answered: &[(String, String)], question: &str) -> Chat {
    let mut texts = Vec::new();
    if arguments.follow_up {
        texts.extend(answered.iter().flat_map(|(question, answer)| [question.as_str(), answer.as_str()]));
    }
    texts.push(question);
    let mut chat = Chat::new(texts[0]);
    for turn in texts[1..].chunks_exact(2) {
        chat = chat.then(turn[0], turn[1]);
    }
    match &arguments.system {
        Some(system) => chat.with_system(system),
        None => chat,
    }
}

struct Record {
    text: String,
    prompt_tokens: usize,
    generated_tokens: usize,
}

fn answer(
    model: &VideoLlm,
    subject: &Subject,
    chat: &Chat,
    options: &GenerationOptions,
    stages: &mut Stages,
    global: &GlobalArguments,
) -> anyhow::Result<Record> {
    let spinner = output::spinner("prefill");
    let mut answer =
        stages.time("prefill", || model.language().chat(subject.visual.as_ref(), chat, options))?;
    spinner.finish_and_clear();
    let mut text = String::new();
    while let Some(piece) = stages.time("generation", || answer.next()) {
        let piece = piece?;
        if !global.json {
            output::piece(&piece)?;
        }
        text.push_str(&piece);
    }
    if !global.json {
        output::line("")?;
    }
    Ok(Record { text, prompt_tokens: answer.prompt_tokens(), generated_tokens: answer.generated_tokens() })
}

fn print_stats(model: &VideoLlm, subject: &Subject, stages: &Stages, generated: usize) {
    output::note(format_args!("\nmodel      {}", model.id()));
    if let Some(visual) = &subject.visual {
        output::note(format_args!(
            "tokens     {} before, {} after ({})",
            figures::grouped(subject.grid_tokens),
            figures::grouped(visual.count()),
            figures::percent(visual.count() as f64 / subject.grid_tokens as f64),
        ));
    }
    for (name, seconds) in stages.iter() {
        output::note(format_args!("{name:<10} {seconds:>8.3} s"));
    }
    output::note(format_args!("{:<10} {:>8.3} s", "all", stages.total()));
    let generation = stages.seconds("generation");
    if generated > 0 && generation > 0.0 {
        output::note(format_args!(
            "generated  {generated} tokens, {:.1} a second",
            generated as f64 / generation
        ));
    }
    if let Some(peak) = peak_memory() {
        output::note(format_args!("memory     {} at most", figures::bytes(peak as f64)));
    }
}
