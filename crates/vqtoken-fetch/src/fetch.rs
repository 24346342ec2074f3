//! Fetching a URL: every step is checked, and nothing is larger or longer than allowed.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::http::header::{CONTENT_TYPE, LOCATION};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Body};
use url::{Host, Url};
use vqtoken_files::{NewFile, WriteError};

use crate::address::{is_nobody, is_public};
use crate::error::FetchError;
use crate::host::HostPattern;
use crate::resolve::{Pinned, Resolve, SystemResolver, resolve_within};

/// Bytes that are read at a time.
const CHUNK: usize = 1 << 16;

/// How long a server may be silent.
const SILENCE: Duration = Duration::from_secs(20);

/// What may be fetched. Without hosts, nothing.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FetchOptions {
    /// The hosts that may be fetched from.
    pub hosts: Vec<HostPattern>,
    /// Bytes of the largest file. Default 1 GiB.
    pub most_bytes: u64,
    /// The longest time for all of it, redirects too. Default 120 s.
    pub timeout: Duration,
    /// Redirects that are followed. Default 5.
    pub redirects: usize,
    /// Whether hosts may have addresses that are not public, such as those of the own network. For operators who serve videos from there: whoever may ask can then make the
    /// server ask any allowed host there. Default false.
    pub allow_private_addresses: bool,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self {
            hosts: vec![],
            most_bytes: 1 << 30,
            timeout: Duration::from_secs(120),
            redirects: 5,
            allow_private_addresses: false,
        }
    }
}

impl FetchOptions {
    /// The same with other hosts.
    #[must_use]
    pub fn with_hosts(self, hosts: Vec<HostPattern>) -> Self {
        Self { hosts, ..self }
    }

    /// The same with another limit on the size.
    #[must_use]
    pub fn with_most_bytes(self, most_bytes: u64) -> Self {
        Self { most_bytes, ..self }
    }

    /// The same with another limit on the time.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The same with another number of redirects.
    #[must_use]
    pub fn with_redirects(self, redirects: usize) -> Self {
        Self { redirects, ..self }
    }

    /// The same with addresses that are not public allowed or not.
    #[must_use]
    pub fn with_private_addresses(self, allow_private_addresses: bool) -> Self {
        Self { allow_private_addresses, ..self }
    }
}

/// What was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fetched {
    /// The last part of the path that the file was found at, such as `clip.mp4`, with its escapes; empty if there is none.
    pub name: String,
    /// Bytes.
    pub bytes: u64,
    /// What the server calls it, such as `video/mp4`.
    pub content_type: Option<String>,
    /// How many redirects were followed.
    pub redirects: usize,
}

/// Fetches URLs. All methods block and can be called from any thread.
///
/// A name is resolved once, all its addresses have to be public, and the connection is made to one of these and to nothing else. Every redirect is checked like the first URL. Proxies
/// of the environment are not used, and no cookies are kept.
#[derive(Clone, Debug)]
pub struct Fetcher {
    options: FetchOptions,
    resolver: Arc<dyn Resolve>,
    /// Addresses that tests listen at.
    #[cfg(test)]
    pub(crate) listening: Vec<SocketAddr>,
}

impl Fetcher {
    /// With the system's resolver.
    pub fn new(options: FetchOptions) -> Self {
        Self::with_resolver(options, SystemResolver)
    }

    /// With another resolver.
    pub fn with_resolver(options: FetchOptions, resolver: impl Resolve) -> Self {
        Self {
            options,
            resolver: Arc::new(resolver),
            #[cfg(test)]
            listening: vec![],
        }
    }

    /// What may be fetched.
    pub fn options(&self) -> &FetchOptions {
        &self.options
    }

    /// Fetches a URL into a file, which is there whole or not at all.
    ///
    /// # Errors
    /// If the URL, or one that it redirects to, must not be fetched, it is too large or takes too long, or the network or the disk fails.
    pub fn fetch(&self, url: &str, path: impl AsRef<Path>) -> Result<Fetched, FetchError> {
        self.fetch_with(url, path, |_, _| ControlFlow::Continue(()))
    }

    /// [`Fetcher::fetch`], and tells how many bytes have come and how many there are, if the server said so. `progress` can stop it.
    ///
    /// # Errors
    /// As [`Fetcher::fetch`], and [`FetchError::Stopped`].
    pub fn fetch_with(
        &self,
        url: &str,
        path: impl AsRef<Path>,
        progress: impl FnMut(u64, Option<u64>) -> ControlFlow<()>,
    ) -> Result<Fetched, FetchError> {
        let path = path.as_ref();
        // A URL that must not be fetched leaves no trace.
        self.check(&parse(url)?)?;
        let mut file = NewFile::create(path)?;
        let fetched = self.fetch_into(url, &mut file, progress).map_err(|error| match error {
            FetchError::Sink { source } => WriteError::io(path, source).into(),
            error => error,
        })?;
        file.finish()?;
        Ok(fetched)
    }

    /// Fetches a URL into a writer, which has got a part of it if there is an error.
    ///
    /// # Errors
    /// As [`Fetcher::fetch_with`].
    pub fn fetch_into(
        &self,
        url: &str,
        sink: &mut impl Write,
        mut progress: impl FnMut(u64, Option<u64>) -> ControlFlow<()>,
    ) -> Result<Fetched, FetchError> {
        let deadline = Instant::now() + self.options.timeout;
        let mut url = parse(url)?;
        for redirects in 0..=self.options.redirects {
            self.check(&url)?;
            let host = shown(&url);
            let addresses = self.addresses(&url, deadline)?;
            if progress(0, None).is_break() {
                return Err(FetchError::Stopped);
            }
            let response = self.ask(&url, addresses, deadline)?;
            let status = response.status();
            if matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
                let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
                let location = location.ok_or(FetchError::NoLocation { host: host.clone() })?;
                let next = url.join(location).map_err(|reason| FetchError::Url { reason })?;
                if url.scheme() == "https" && next.scheme() == "http" {
                    return Err(FetchError::Downgrade { host });
                }
                url = next;
                continue;
            }
            if status.as_u16() != 200 {
                return Err(FetchError::Status { host, status: status.as_u16() });
            }
            let header = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            let content_type = header.map(str::to_owned);
            let bytes = self.copy(&host, response.into_body(), sink, deadline, &mut progress)?;
            let name = url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default();
            return Ok(Fetched { name: name.to_owned(), bytes, content_type, redirects });
        }
        Err(FetchError::Redirects { most: self.options.redirects })
    }

    /// Whether a URL may be fetched, as far as its text says.
    fn check(&self, url: &Url) -> Result<(), FetchError> {
        if self.options.hosts.is_empty() {
            return Err(FetchError::Off);
        }
        if !matches!(url.scheme(), "http" | "https") {
            return Err(FetchError::Scheme { scheme: url.scheme().to_owned() });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(FetchError::Credentials);
        }
        match self.options.hosts.iter().any(|host| host.allows(url)) {
            true => Ok(()),
            false => Err(FetchError::Host { host: shown(url) }),
        }
    }

    /// The addresses of a URL's host, all of which are allowed.
    fn addresses(&self, url: &Url, deadline: Instant) -> Result<Vec<SocketAddr>, FetchError> {
        let host = shown(url);
        let failed = |source| FetchError::Resolve { host: host.clone(), source };
        let addresses = match url.host() {
            Some(Host::Ipv4(address)) => vec![IpAddr::V4(address)],
            Some(Host::Ipv6(address)) => vec![IpAddr::V6(address)],
            Some(Host::Domain(name)) => {
                resolve_within(&self.resolver, name, left(deadline)).map_err(|error| match error.kind() {
                    ErrorKind::TimedOut => self.timeout(&host),
                    _ => failed(error),
                })?
            }
            None => vec![],
        };
        if addresses.is_empty() {
            return Err(failed(ErrorKind::NotFound.into()));
        }
        let port = url.port_or_known_default().unwrap_or_default();
        let addresses: Vec<_> = addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect();
        // One that is not public among public ones is no accident.
        match addresses.iter().find(|address| !self.is_allowed(**address)) {
            Some(address) => Err(FetchError::Address { host, address: address.ip() }),
            None => Ok(addresses),
        }
    }

    fn is_allowed(&self, address: SocketAddr) -> bool {
        #[cfg(test)]
        if self.listening.contains(&address) {
            return true;
        }
        is_public(address.ip()) || self.options.allow_private_addresses && !is_nobody(address.ip())
    }

    /// Asks for a URL at addresses that were checked, and follows nothing.
    fn ask(
        &self,
        url: &Url,
        addresses: Vec<SocketAddr>,
        deadline: Instant,
    ) -> Result<ureq::http::Response<Body>, FetchError> {
        let time = left(deadline);
        let config = Agent::config_builder()
            .max_redirects(0)
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(time))
            .timeout_per_read(Some(SILENCE.min(time)))
            .user_agent(concat!("vqtoken/", env!("CARGO_PKG_VERSION")))
            .accept("*/*")
            .max_idle_connections(0)
            .build();
        let agent = Agent::with_parts(config, DefaultConnector::default(), Pinned(addresses));
        let mut shorter = url.clone();
        shorter.set_fragment(None);
        agent.get(shorter.as_str()).call().map_err(|error| self.failed(&shown(url), error))
    }

    /// Passes on the file as it comes.
    fn copy(
        &self,
        host: &str,
        body: Body,
        sink: &mut impl Write,
        deadline: Instant,
        progress: &mut impl FnMut(u64, Option<u64>) -> ControlFlow<()>,
    ) -> Result<u64, FetchError> {
        let most = self.options.most_bytes;
        let too_large = || FetchError::TooLarge { host: host.to_owned(), most };
        let announced = body.content_length();
        if announced.is_some_and(|bytes| bytes > most) {
            return Err(too_large());
        }
        let mut reader = body.into_reader();
        let mut chunk = vec![0; CHUNK];
        let mut found = 0_u64;
        loop {
            if progress(found, announced).is_break() {
                return Err(FetchError::Stopped);
            }
            if left(deadline).is_zero() {
                return Err(self.timeout(host));
            }
            let count = match reader.read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.broken(host, error, found, announced)),
            };
            found += count as u64;
            if found > most {
                return Err(too_large());
            }
            sink.write_all(&chunk[..count]).map_err(|source| FetchError::Sink { source })?;
        }
        match announced {
            Some(announced) if announced != found => {
                Err(FetchError::CutShort { host: host.to_owned(), found, announced })
            }
            _ => Ok(found),
        }
    }

    fn timeout(&self, host: &str) -> FetchError {
        FetchError::Timeout { host: host.to_owned(), seconds: self.options.timeout.as_secs_f64() }
    }

    fn failed(&self, host: &str, error: ureq::Error) -> FetchError {
        match error {
            ureq::Error::Timeout(_) => self.timeout(host),
            error => FetchError::Connection { host: host.to_owned(), source: Box::new(error) },
        }
    }

    /// Reading failed in the middle of the file.
    fn broken(&self, host: &str, error: io::Error, found: u64, announced: Option<u64>) -> FetchError {
        match (ureq::Error::from(error), announced) {
            (ureq::Error::Io(error), Some(announced)) if error.kind() == ErrorKind::UnexpectedEof => {
                FetchError::CutShort { host: host.to_owned(), found, announced }
            }
            (error, _) => self.failed(host, error),
        }
    }
}

fn parse(url: &str) -> Result<Url, FetchError> {
    Url::parse(url).map_err(|reason| FetchError::Url { reason })
}

/// The time that is left.
fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

/// The host of a URL for messages, with its port if that is not the scheme's own.
fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}
