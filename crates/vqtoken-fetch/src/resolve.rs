//! From names to addresses, once, and with a limit on the time.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// Addresses that are tried at most.
const MOST: usize = 16;

/// What finds the addresses of a name.
pub trait Resolve: fmt::Debug + Send + Sync + 'static {
    /// All addresses of a host.
    ///
    /// # Errors
    /// If the name cannot be resolved.
    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The operating system's resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
    }
}

/// Resolves within a time. The system cannot be told to stop, so a name that takes longer is left to a thread that ends by itself.
pub(crate) fn resolve_within(
    resolver: &Arc<dyn Resolve>,
    host: &str,
    time: Duration,
) -> io::Result<Vec<IpAddr>> {
    let (sender, receiver) = sync_channel(1);
    let (resolver, host) = (Arc::clone(resolver), host.to_owned());
    thread::Builder::new().name("resolver".into()).spawn(move || {
        // Nobody waits any more when the time is over.
        let _ = sender.send(resolver.resolve(&host));
    })?;
    let mut addresses = receiver.recv_timeout(time).map_err(|_| io::Error::from(ErrorKind::TimedOut))??;
    addresses.truncate(MOST);
    Ok(addresses)
}

/// Gives the addresses that were checked, whatever the name says by now.
#[derive(Debug)]
pub(crate) struct Pinned(pub(crate) Vec<SocketAddr>);

impl Resolver for Pinned {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut addresses = self.empty();
        self.0.iter().take(MOST).for_each(|&address| addresses.push(address));
        match self.0.is_empty() {
            true => Err(ureq::Error::HostNotFound),
            false => Ok(addresses),
        }
    }
}
