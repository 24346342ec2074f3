//! `vqtoken serve`: the server, and where its options come from.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{Precision, Programs, TokenRetriever, VideoLlm, builtin, picture};
use anyhow::{Context, bail};
use clap::Args;
use tracing_subscriber::EnvFilter;
use vqtoken_engine::{Engine, EngineOptions};
use vqtoken_files::quoted;
use vqtoken_search::Finder;
use vqtoken_server::{
    Access, DEFAULT_PORT, ENVIRONMENT, HostPatternError, LogQuestions, Server, ServerOptions, Settings,
    stop_signal,
};

use super::stages::Stages;
use super::{BaseArguments, GlobalArguments, ModelArguments, UsageError, output, pipeline};

/// Every option may also stand in the TOML file of --config, under its name without dashes before it, and in an environment variable:
/// VQTOKEN_SERVE_ and its name in capitals, with _ for - and commas between several values. The command line goes before the
/// environment, that before the file.
#[derive(Args, Debug)]
pub(crate) struct ServeArguments {
    /// TOML file of options
    #[arg(long, value_name = "FILE.toml")]
    config: Option<PathBuf>,

    /// Model directory, or id on the Hugging Face hub, which is fetched once [default: the built-in model]
    #[arg(long, value_name = "DIR|HUB_ID", help_heading = "Model")]
    model: Option<PathBuf>,

    /// Base model, where --model is a LoRA adapter [default: the one that the adapter names]
    #[arg(long, value_name = "DIR|HUB_ID", help_heading = "Model")]
    base: Option<PathBuf>,

    /// How weights are kept and multiplied: f32, bf16, int8, int4 or auto [default: auto]
    #[arg(long, value_name = "PRECISION", help_heading = "Model")]
    precision: Option<Precision>,

    /// Frames sampled from a video where the request does not say [default: 32]
    #[arg(long, value_name = "T", help_heading = "Model")]
    frames: Option<usize>,

    /// Tokens of an answer, at most, where the request does not say [default: 512]
    #[arg(long, value_name = "N", help_heading = "Model")]
    max_tokens: Option<usize>,

    /// Where to listen [default: 127.0.0.1:8642]
    #[arg(long, value_name = "ADDRESS:PORT", help_heading = "Who may use it")]
    bind: Option<String>,

    /// Ask every request for this key; can be given more than once, a key for each client. Other users of this machine can read the
    /// command line: VQTOKEN_SERVE_KEY or the file keep it from them
    #[arg(long, value_name = "KEY", help_heading = "Who may use it")]
    key: Vec<String>,

    /// Serve everybody who can reach the address, without a key
    #[arg(long, help_heading = "Who may use it")]
    no_key: bool,

    /// Answer to this name, too (beside localhost and the address), or to any: *
    #[arg(long, value_name = "HOST", help_heading = "Who may use it")]
    allow_host: Vec<String>,

    /// Folder of the store [default: vqtoken/videos in the user's data folder]
    #[arg(long, value_name = "DIR", help_heading = "Store and files")]
    store: Option<PathBuf>,

    /// Bytes that the store may take; the least recently used videos make room [default: 10737418240]
    #[arg(long, value_name = "BYTES", help_heading = "Store and files")]
    store_bytes: Option<u64>,

    /// Let requests name the files in this folder as file:// addresses [default: none]
    #[arg(long, value_name = "DIR", help_heading = "Store and files")]
    media: Option<PathBuf>,

    /// Let requests name videos at this host as http(s):// addresses; can be given more than once [default: none]
    #[arg(long, value_name = "HOST", help_heading = "Store and files")]
    fetch_host: Vec<String>,

    /// Let live streams read this source (an address, a camera, a file) under a name; can be given more than once
    #[arg(long, value_name = "NAME=SOURCE", help_heading = "Store and files")]
    live: Vec<String>,

    /// Keep the windows of --live in folders below this one, so that a stream goes on after a restart [default: in memory]
    #[arg(long, value_name = "DIR", help_heading = "Store and files")]
    live_folder: Option<PathBuf>,

    /// Decode without running ffmpeg
    #[arg(long, help_heading = "Store and files")]
    no_ffmpeg: bool,

    /// Bytes of an uploaded video, at most [default: 4294967296]
    #[arg(long, value_name = "BYTES", help_heading = "Limits")]
    upload_bytes: Option<u64>,

    /// Bytes of a JSON body, at most [default: 67108864]
    #[arg(long, value_name = "BYTES", help_heading = "Limits")]
    body_bytes: Option<usize>,

    /// Connections at once, at most [default: 2048]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    connections: Option<usize>,

    /// Seconds for the head of a request, and between two [default: 20]
    #[arg(long, value_name = "SECONDS", help_heading = "Limits")]
    head_seconds: Option<f64>,

    /// Seconds that a body, or the client that reads, may stand still [default: 30]
    #[arg(long, value_name = "SECONDS", help_heading = "Limits")]
    body_seconds: Option<f64>,

    /// Seconds for work under way when the server is asked to end [default: 300]
    #[arg(long, value_name = "SECONDS", help_heading = "Limits")]
    drain_seconds: Option<f64>,

    /// Answers that are generated together [default: 16]
    #[arg(long, value_name = "N", help_heading = "Queue")]
    rows: Option<usize>,

    /// Questions that may wait [default: 256]
    #[arg(long, value_name = "N", help_heading = "Queue")]
    questions: Option<usize>,

    /// Videos that may wait [default: 32]
    #[arg(long, value_name = "N", help_heading = "Queue")]
    videos: Option<usize>,

    /// Bytes of prompts that are kept for further questions [default: 268435456]
    #[arg(long, value_name = "BYTES", help_heading = "Queue")]
    prefix_bytes: Option<u64>,

    /// What is logged: error, warn, info, debug, or as RUST_LOG has it [default: warn]
    #[arg(long, value_name = "LEVEL", help_heading = "Log")]
    log: Option<String>,

    /// Log the texts of questions and answers, too (at level info)
    #[arg(long, help_heading = "Log")]
    log_questions: bool,
}

pub(crate) fn run(arguments: &ServeArguments, global: &GlobalArguments) -> anyhow::Result<()> {
    let settings = settings(arguments)?;
    start_log(&settings, global.json)?;
    let options = server_options(&settings, global)?;
    let engine_options = engine_options(&settings);
    let model = load(&settings, global)?;
    if settings.model.is_none() {
        output::note(builtin::NOTE);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(async {
        let engine = Engine::start(model, engine_options)?;
        let open = options.keys.is_empty() && !options.bind.ip().is_loopback();
        let server = Server::bind(engine, options, picture::artist()).await?;
        let address = server.address();
        let url = match address.ip() {
            ip if ip.is_unspecified() => format!("http://localhost:{}/", address.port()),
            _ => format!("http://{address}/"),
        };
        if open {
            output::note(format_args!("warning: everybody who can reach {address} can use this server"));
        }
        output::line(match global.json {
            true => serde_json::json!({ "address": address, "url": url }).to_string(),
            false => format!("vqtoken serves at {url}  (Ctrl-C ends it)"),
        })?;
        server.run(stop_signal()).await;
        Ok(())
    });
    // A thread that waits for a disk or a camera does not hold up the end.
    runtime.shutdown_timeout(Duration::from_secs(2));
    served
}

/// All options, from wherever they were written.
fn settings(arguments: &ServeArguments) -> anyhow::Result<Settings> {
    let given = given(arguments);
    let usage = |error: String| anyhow::Error::from(UsageError(error));
    let variables = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok().filter(|name| name.starts_with(ENVIRONMENT))?;
        Some((name, value.to_string_lossy().into_owned()))
    });
    let environment = Settings::from_environment(variables).map_err(|error| usage(error.to_string()))?;
    let file = match arguments
        .config
        .clone()
        .or_else(|| std::env::var_os(format!("{ENVIRONMENT}CONFIG")).map(Into::into))
    {
        None => Settings::default(),
        Some(path) => {
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("{} cannot be read", quoted(&path)))?;
            Settings::from_toml(&text).map_err(|error| usage(format!("{}: {error}", quoted(&path))))?
        }
    };
    Ok(given.or(environment).or(file))
}

/// What the command line says.
fn given(arguments: &ServeArguments) -> Settings {
    let some = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
    Settings {
        model: arguments.model.clone(),
        base: arguments.base.clone(),
        precision: arguments.precision.map(|precision| precision.to_string()),
        bind: arguments.bind.clone(),
        key: some(&arguments.key),
        no_key: arguments.no_key.then_some(true),
        allow_host: some(&arguments.allow_host),
        store: arguments.store.clone(),
        store_bytes: arguments.store_bytes,
        media: arguments.media.clone(),
        fetch_host: some(&arguments.fetch_host),
        live: some(&arguments.live),
        live_folder: arguments.live_folder.clone(),
        upload_bytes: arguments.upload_bytes,
        body_bytes: arguments.body_bytes,
        connections: arguments.connections,
        head_seconds: arguments.head_seconds,
        body_seconds: arguments.body_seconds,
        drain_seconds: arguments.drain_seconds,
        rows: arguments.rows,
        questions: arguments.questions,
        videos: arguments.videos,
        prefix_bytes: arguments.prefix_bytes,
        frames: arguments.frames,
        max_tokens: arguments.max_tokens,
        no_ffmpeg: arguments.no_ffmpeg.then_some(true),
        log_questions: arguments.log_questions.then_some(true),
        log: arguments.log.clone(),
    }
}

fn start_log(settings: &Settings, json: bool) -> anyhow::Result<()> {
    let text = settings.log.as_deref().unwrap_or("warn");
    let filter = EnvFilter::try_new(text).map_err(|error| {
        UsageError(format!("--log {text:?} cannot be read: {error}: write info, or vqtoken_server=debug"))
    })?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match json {
        true => log.json().try_init(),
        false => log.try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("the log cannot be started: {error}"))
}

fn load(settings: &Settings, global: &GlobalArguments) -> anyhow::Result<VideoLlm> {
    let precision = match &settings.precision {
        Some(text) => text.parse().map_err(|error| UsageError(format!("precision: {error}")))?,
        None => Precision::default(),
    };
    if settings.base.is_some() && settings.model.is_none() {
        return Err(UsageError(
            "--base is of use with --model alone: name the adapter with --model".to_owned(),
        )
        .into());
    }
    let limits = global.limits.clone();
    let model = ModelArguments { model: settings.model.clone(), precision, limits };
    let base = BaseArguments { base: settings.base.clone() };
    pipeline::load_model(&model, &base, &mut Stages::default())
}

fn engine_options(settings: &Settings) -> EngineOptions {
    let default = EngineOptions::default();
    default
        .with_rows(settings.rows.unwrap_or(default.rows))
        .with_questions(settings.questions.unwrap_or(default.questions))
        .with_videos(settings.videos.unwrap_or(default.videos))
        .with_prefix_bytes(settings.prefix_bytes.unwrap_or(default.prefix_bytes))
}

/// The part of the model that finds stored videos by words, if it has one.
fn finder(model: Option<&Path>, global: &GlobalArguments) -> anyhow::Result<Option<Finder>> {
    let retriever = match model {
        None => Some(TokenRetriever::embedded()?),
        Some(model) if model.join("retrieval").is_dir() => {
            Some(TokenRetriever::load_within(model, &global.limits())?)
        }
        Some(_) => None,
    };
    Ok(retriever.map(|retriever| Finder::Tokens(Box::new(retriever))))
}

fn server_options(settings: &Settings, global: &GlobalArguments) -> anyhow::Result<ServerOptions> {
    let store = match &settings.store {
        Some(store) => store.clone(),
        None => match dirs::data_dir() {
            Some(data) => data.join("vqtoken").join("videos"),
            None => bail!("the user has no data folder: name a folder for the store with --store DIR"),
        },
    };
    let mut options = ServerOptions::new(store);
    if let Some(bind) = &settings.bind {
        options.bind = address(bind)?;
    }
    options.keys = settings.key.clone().unwrap_or_default();
    if settings.no_key == Some(true) {
        options.open = Access::Everybody;
    }
    options.finder = finder(settings.model.as_deref(), global)?;
    options.hosts = settings.allow_host.clone().unwrap_or_default();
    options.media = settings.media.clone();
    for host in settings.fetch_host.iter().flatten() {
        options
            .fetch_hosts
            .push(host.parse().map_err(|error: HostPatternError| UsageError(error.to_string()))?);
    }
    for source in settings.live.iter().flatten() {
        match source.split_once('=').filter(|(name, source)| !name.is_empty() && !source.is_empty()) {
            Some((name, source)) => options.live_sources.push((name.to_owned(), source.to_owned())),
            None => {
                return Err(UsageError(format!("live {source:?} cannot be read: write NAME=SOURCE")).into());
            }
        }
    }
    options.live_folder = settings.live_folder.clone();
    options.limits = global.limits();
    if settings.no_ffmpeg == Some(true) {
        options.programs = Programs::None;
    }
    if settings.log_questions == Some(true) {
        options.log_questions = LogQuestions::Always;
    }
    fn take<T: Copy>(given: Option<T>, option: &mut T) {
        *option = given.unwrap_or(*option);
    }
    take(settings.store_bytes, &mut options.store_bytes);
    take(settings.upload_bytes, &mut options.upload_bytes);
    take(settings.body_bytes, &mut options.body_bytes);
    take(settings.connections, &mut options.connections);
    take(settings.frames, &mut options.frames);
    take(settings.max_tokens, &mut options.max_tokens);
    take(seconds("head-seconds", settings.head_seconds)?, &mut options.head_patience);
    take(seconds("body-seconds", settings.body_seconds)?, &mut options.body_patience);
    take(seconds("drain-seconds", settings.drain_seconds)?, &mut options.drain_patience);
    for (name, is_zero) in [
        ("connections", options.connections == 0),
        ("frames", options.frames == 0),
        ("max-tokens", options.max_tokens == 0),
    ] {
        if is_zero {
            return Err(UsageError(format!("{name} is 0: give at least 1")).into());
        }
    }
    Ok(options)
}

fn seconds(name: &str, given: Option<f64>) -> Result<Option<Duration>, UsageError> {
    let Some(given) = given else { return Ok(None) };
    match Duration::try_from_secs_f64(given) {
        Ok(duration) if !duration.is_zero() => Ok(Some(duration)),
        _ => Err(UsageError(format!("{name} is {given}: give a number of seconds above 0"))),
    }
}

/// An address with or without a port.
fn address(text: &str) -> Result<SocketAddr, UsageError> {
    let resolved = match text.parse::<std::net::IpAddr>() {
        Ok(ip) => Some(SocketAddr::new(ip, DEFAULT_PORT)),
        Err(_) => text.to_socket_addrs().ok().and_then(|mut addresses| addresses.next()),
    };
    resolved.ok_or_else(|| {
        UsageError(format!(
            "{text:?} is no address to listen on: write ADDRESS:PORT, such as 127.0.0.1:{DEFAULT_PORT}"
        ))
    })
}
