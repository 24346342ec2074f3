//! What all requests share.

use std::path::PathBuf;
use std::sync::Arc;

use vqtoken_archive::Archive;
use vqtoken_core::VideoTokens;
use vqtoken_engine::Engine;
use vqtoken_fetch::Fetcher;
use vqtoken_model::VisualTokens;
use vqtoken_video::OpenOptions;

use crate::artist::Artist;
use crate::http::guard::Guard;
use crate::http::under_way::UnderWay;
use crate::live::streams::Streams;
use crate::media::known_files::KnownFiles;
use crate::options::ServerOptions;
use crate::recent::Recent;
use crate::videos::jobs::Jobs;

/// Bytes of video tokens that are held in memory so that the next question need not read them.
const TOKEN_BYTES: usize = 32 << 20;

/// Bytes of visual tokens that no file can keep.
const VISUAL_BYTES: usize = 64 << 20;

/// Video tokens by id and budget.
pub(crate) type TokenCache = Recent<(String, String), Arc<VideoTokens>>;

/// Visual tokens by content, sampling and reducer.
pub(crate) type VisualCache = Recent<String, Arc<VisualTokens>>;

/// An empty cache.
pub(crate) fn token_cache() -> TokenCache {
    Recent::new(TOKEN_BYTES)
}

/// An empty cache.
pub(crate) fn visual_cache() -> VisualCache {
    Recent::new(VISUAL_BYTES)
}

pub(crate) struct App {
    pub(crate) engine: Engine,
    pub(crate) archive: Arc<Archive>,
    pub(crate) options: ServerOptions,
    pub(crate) artist: Artist,
    pub(crate) guard: Guard,
    pub(crate) under_way: Arc<UnderWay>,
    pub(crate) jobs: Jobs,
    pub(crate) streams: Streams,
    /// By id and budget.
    pub(crate) tokens: TokenCache,
    /// By content, sampling and reducer.
    pub(crate) visuals: VisualCache,
    pub(crate) fetcher: Fetcher,
    pub(crate) known_files: KnownFiles,
    /// Where videos lie until they are encoded.
    pub(crate) uploads: PathBuf,
    /// When the server started, in seconds since 1970.
    pub(crate) started: u64,
    /// The OpenAPI document.
    pub(crate) openapi: bytes::Bytes,
}

impl App {
    /// The model's id.
    pub(crate) fn model(&self) -> &str {
        self.engine.model().id()
    }

    /// How videos of clients are opened.
    pub(crate) fn open_options(&self) -> OpenOptions {
        OpenOptions::default().with_limits(self.options.limits).with_programs(self.options.programs)
    }
}
