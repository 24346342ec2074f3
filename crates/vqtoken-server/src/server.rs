//! The server: set up, bound to its address, run until it is stopped.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use tokio::net::TcpListener;
use vqtoken_archive::{Archive, ArchiveError, ArchiveOptions};
use vqtoken_engine::Engine;
use vqtoken_fetch::{FetchOptions, Fetcher};
use vqtoken_files::{WriteError, create_folder, quoted};

use crate::app::{App, token_cache, visual_cache};
use crate::artist::Artist;
use crate::http::guard::Guard;
use crate::http::listen::listen;
use crate::http::under_way::UnderWay;
use crate::live::streams::Streams;
use crate::media::known_files::KnownFiles;
use crate::options::{Access, ServerOptions};
use crate::routes;
use crate::videos::jobs::Jobs;

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Others can reach the address, and there is no key.
    #[error(
        "{address} can be reached from other machines: give a key with --key, or --no-key if everybody may use the server"
    )]
    Open {
        /// The address.
        address: SocketAddr,
    },
    /// A key that no header can carry.
    #[error("a key is empty or has characters other than printable ASCII: choose another")]
    Key,
    /// The address cannot be had.
    #[error(
        "{address} cannot be listened on: {source}: is another server running? choose another address with --bind"
    )]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The media folder cannot be used.
    #[error("the media folder {} cannot be used: {source}", quoted(folder))]
    Media {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A live source whose windows no folder can be named after.
    #[error("the live source {name:?} cannot have a folder of its name: choose one without / and \\")]
    LiveName {
        /// The source's name.
        name: String,
    },
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] ArchiveError),
    /// The folder of uploads cannot be made.
    #[error(transparent)]
    Folder(#[from] WriteError),
    /// The description of the routes cannot be written.
    #[error("the description of the routes cannot be written")]
    Description(#[from] serde_json::Error),
    /// The store could not be opened in time.
    #[error("the thread that opened the store broke down")]
    Thread,
}

/// A server that is bound to its address.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    app: Arc<App>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Server {
    /// Opens the store and takes the address. Connections wait from now on; [`Server::run`] answers them.
    ///
    /// # Errors
    ///
    /// If the address needs a key or is taken, or the store or the media folder cannot be used.
    pub async fn bind(engine: Engine, options: ServerOptions, artist: Artist) -> Result<Self, ServeError> {
        check_keys(&options)?;
        check_live_names(&options)?;
        let mut options = options;
        if let Some(folder) = &options.media {
            let canonical = folder.canonicalize().and_then(|folder| match folder.is_dir() {
                true => Ok(folder),
                false => Err(io::ErrorKind::NotADirectory.into()),
            });
            options.media =
                Some(canonical.map_err(|source| ServeError::Media { folder: folder.clone(), source })?);
        }
        let address = options.bind;
        let failed = |source| ServeError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (folder, store) = (options.store.clone(), archive_options(&options));
        let opened = tokio::task::spawn_blocking(move || -> Result<_, ServeError> {
            create_folder(&folder)?;
            let archive = Archive::open(&folder, store)?;
            let uploads = folder.join("uploads");
            create_folder(&uploads)?;
            clear(&uploads);
            Ok((archive, uploads))
        });
        let (archive, uploads) = opened.await.map_err(|_| ServeError::Thread)??;
        let fetcher = options.fetcher.clone().unwrap_or_else(|| fetcher(&options));
        let app = Arc::new(App {
            guard: Guard::new(&options, address),
            engine,
            archive: Arc::new(archive),
            options,
            artist,
            under_way: Arc::new(UnderWay::default()),
            jobs: Jobs::default(),
            streams: Streams::default(),
            tokens: token_cache(),
            visuals: visual_cache(),
            fetcher,
            known_files: KnownFiles::new(),
            uploads,
            started: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            openapi: routes::openapi()?,
        });
        crate::metrics::recorder();
        Ok(Self { listener, address, router: routes::router(app.clone()), app })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` is done; then finishes what is under way and refuses what comes.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        listen(self.listener, self.router, self.app, stop).await;
    }
}

fn fetcher(options: &ServerOptions) -> Fetcher {
    let fetching = FetchOptions::default();
    let most_bytes = options.upload_bytes.min(fetching.most_bytes);
    Fetcher::new(fetching.with_hosts(options.fetch_hosts.clone()).with_most_bytes(most_bytes))
}

fn archive_options(options: &ServerOptions) -> ArchiveOptions {
    ArchiveOptions::default().with_most_bytes(options.store_bytes).with_limits(options.limits)
}

fn check_keys(options: &ServerOptions) -> Result<(), ServeError> {
    let address = options.bind;
    if options.keys.iter().any(|key| key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic())) {
        return Err(ServeError::Key);
    }
    match address.ip().is_loopback() || !options.keys.is_empty() || options.open == Access::Everybody {
        true => Ok(()),
        false => Err(ServeError::Open { address }),
    }
}

fn check_live_names(options: &ServerOptions) -> Result<(), ServeError> {
    let is_file_name = |name: &str| {
        let mut components = Path::new(name).components();
        matches!((components.next(), components.next()), (Some(Component::Normal(first)), None) if first == name)
    };
    let mut names = options.live_sources.iter().map(|(name, _)| name);
    match names.find(|name| options.live_folder.is_some() && !is_file_name(name)) {
        Some(name) => Err(ServeError::LiveName { name: name.clone() }),
        None => Ok(()),
    }
}

/// Removes uploads that a killed server left: nobody else writes there, for the store is locked.
fn clear(uploads: &Path) {
    for entry in std::fs::read_dir(uploads).into_iter().flatten().flatten() {
        let path = entry.path();
        let removed =
            if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        if let Err(error) = removed {
            tracing::warn!(%error, "an upload of an earlier run cannot be removed");
        }
    }
}
