//! Why nothing was fetched.

use std::io;
use std::net::IpAddr;

use vqtoken_files::WriteError;

/// Why a URL was not fetched. Messages name the host and never the rest of a URL, which may hold secrets.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// No host is allowed.
    #[error("fetching is off: allow the hosts to fetch from, or send the video itself")]
    Off,
    /// It is not a URL.
    #[error("not a URL: {reason}: write https://HOST/PATH")]
    Url {
        /// What is wrong.
        reason: url::ParseError,
    },
    /// Another scheme than http and https.
    #[error("URLs of scheme {scheme:?} are not fetched: use http or https")]
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// A redirect from https to http.
    #[error(
        "{host} redirects from https to http, which anybody could change on the way: use the https address of the file"
    )]
    Downgrade {
        /// The host that redirects.
        host: String,
    },
    /// A name or password in the URL.
    #[error("a URL with a user name or password is not fetched: use one without")]
    Credentials,
    /// The host is not allowed.
    #[error("{host} is not among the hosts that may be fetched from: allow it, or send the video itself")]
    Host {
        /// The host, with its port if that is not the scheme's own.
        host: String,
    },
    /// The name has no address, or the resolver failed.
    #[error("{host} cannot be resolved: {source}: check the name and the network")]
    Resolve {
        /// The host.
        host: String,
        /// What the resolver says.
        source: io::Error,
    },
    /// An address of the host is not one of the public internet.
    #[error("{host} has the address {address}, which is not public: such addresses are not fetched from")]
    Address {
        /// The host.
        host: String,
        /// The address.
        address: IpAddr,
    },
    /// More redirects than allowed.
    #[error("more than {most} redirects: use the address that they lead to")]
    Redirects {
        /// How many are allowed.
        most: usize,
    },
    /// A redirect that leads nowhere.
    #[error("{host} redirects without saying where to: use the address of the file")]
    NoLocation {
        /// The host that redirects.
        host: String,
    },
    /// The server answers with something else than the file.
    #[error("{host} answers with status {status}: check the address")]
    Status {
        /// The host.
        host: String,
        /// The status of HTTP.
        status: u16,
    },
    /// The file is too large.
    #[error(
        "the file at {host} has more than {most} bytes, which is the limit: allow more, or send a smaller file"
    )]
    TooLarge {
        /// The host.
        host: String,
        /// The limit.
        most: u64,
    },
    /// It took too long.
    #[error("{host} did not send the file within {seconds} s: allow more time, or try again")]
    Timeout {
        /// The host.
        host: String,
        /// The time allowed.
        seconds: f64,
    },
    /// The connection ended before the file did.
    #[error("{host} sent {found} of {announced} bytes: try again")]
    CutShort {
        /// The host.
        host: String,
        /// Bytes that came.
        found: u64,
        /// Bytes that were announced.
        announced: u64,
    },
    /// The connection failed.
    #[error("{host}: {source}: check the address and the network, or try again")]
    Connection {
        /// The host.
        host: String,
        /// What failed.
        source: Box<ureq::Error>,
    },
    /// The caller stopped it.
    #[error("fetching was stopped")]
    Stopped,
    /// What came could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// What came could not be passed on.
    #[error("what was fetched cannot be written: {source}")]
    Sink {
        /// What the writer says.
        source: io::Error,
    },
}
