//! How the server is set up.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use vqtoken_fetch::{Fetcher, HostPattern};
use vqtoken_files::Limits;
use vqtoken_search::Finder;
use vqtoken_video::Programs;

/// The port, if nobody says otherwise.
pub const DEFAULT_PORT: u16 = 8642;

/// How the server is set up. Bytes are bytes, times are durations.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerOptions {
    /// Where it listens. Default 127.0.0.1:8642.
    pub bind: SocketAddr,
    /// Keys, any of which opens the server; each is a client of its own.
    pub keys: Vec<String>,
    /// Whether an address that others can reach is served without a key.
    pub open: Access,
    /// Names that the server answers to beside loopback's and its address; `*` for any.
    pub hosts: Vec<String>,
    /// The folder of the store.
    pub store: PathBuf,
    /// Bytes that the store may take. Default 10 GiB.
    pub store_bytes: u64,
    /// The folder that `file://` addresses may name files in; none for none.
    pub media: Option<PathBuf>,
    /// Sources of live streams, by the names that requests use.
    pub live_sources: Vec<(String, String)>,
    /// Where windows of `live_sources` are kept, in a folder of each one's name, so that they are there after a restart; none for memory
    /// alone.
    pub live_folder: Option<PathBuf>,
    /// Hosts that videos may be fetched from; none for no fetching.
    pub fetch_hosts: Vec<HostPattern>,
    /// What fetches videos instead of the system's resolver and `fetch_hosts`: for programs with a resolver of their own, or whose
    /// videos are at addresses that are not public.
    pub fetcher: Option<Fetcher>,
    /// Bytes of an uploaded or fetched video, at most. Default 4 GiB.
    pub upload_bytes: u64,
    /// Bytes of a JSON body, at most. Default 64 MiB.
    pub body_bytes: usize,
    /// Connections at once, at most. Default 2048.
    pub connections: usize,
    /// How long a client may take to send the head of a request, or stay idle between two. Default 20 s.
    pub head_patience: Duration,
    /// How long a body may stand still, and a client may not read what is sent. Default 30 s.
    pub body_patience: Duration,
    /// How long work under way may take when the server ends. Default 5 minutes.
    pub drain_patience: Duration,
    /// What a video may ask for.
    pub limits: Limits,
    /// Which programs may be run to decode videos.
    pub programs: Programs,
    /// Frames sampled from a video. Default 32.
    pub frames: usize,
    /// Tokens of an answer, at most, where the request does not say. Default 512.
    pub max_tokens: usize,
    /// Whether texts of questions and answers go into the log.
    pub log_questions: LogQuestions,
    /// What finds stored videos by words; none where the model has no such part.
    pub finder: Option<Finder>,
}

/// Who may use a server without a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// This machine alone.
    #[default]
    Loopback,
    /// Everybody who can reach it.
    Everybody,
}

/// Whether texts of questions are logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogQuestions {
    /// They are not.
    #[default]
    Never,
    /// They are.
    Always,
}

impl ServerOptions {
    /// Loopback, no key, and a store in this folder.
    pub fn new(store: impl Into<PathBuf>) -> Self {
        Self {
            bind: SocketAddr::from(([127, 0, 0, 1], DEFAULT_PORT)),
            keys: Vec::new(),
            open: Access::Loopback,
            hosts: Vec::new(),
            store: store.into(),
            store_bytes: 10 << 30,
            media: None,
            live_sources: Vec::new(),
            live_folder: None,
            fetch_hosts: Vec::new(),
            fetcher: None,
            upload_bytes: 4 << 30,
            body_bytes: 64 << 20,
            connections: 2048,
            head_patience: Duration::from_secs(20),
            body_patience: Duration::from_secs(30),
            drain_patience: Duration::from_secs(300),
            limits: Limits::default(),
            programs: Programs::default(),
            frames: 32,
            max_tokens: 512,
            log_questions: LogQuestions::Never,
            finder: None,
        }
    }
}
