//! Who may ask: the name by which the server is called, the site that asks, and the key.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;

use crate::app::App;
use crate::error::ApiError;
use crate::options::ServerOptions;

/// The route that needs no key and answers to any name, so that whoever watches the server needs neither.
pub(crate) const HEALTH: &str = "/health";

/// Who asks, for taking turns: a key, or the address of a peer.
#[derive(Clone, Debug)]
pub(crate) struct Client(pub(crate) Arc<str>);

/// The address of the peer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// What requests are held against.
#[derive(Debug)]
pub(crate) struct Guard {
    /// Hashes, so that a comparison takes as long for any length.
    keys: Vec<blake3::Hash>,
    hosts: Vec<String>,
    bound: IpAddr,
}

impl Guard {
    pub(crate) fn new(options: &ServerOptions, bound: SocketAddr) -> Self {
        Self {
            keys: options.keys.iter().map(|key| blake3::hash(key.as_bytes())).collect(),
            hosts: options.hosts.iter().map(|host| host.trim_matches(['[', ']']).to_lowercase()).collect(),
            bound: bound.ip(),
        }
    }

    /// Whether the server answers to a name.
    ///
    /// A page whose name was made to resolve to this machine still calls the server by that name. It cannot call it by an
    /// address in numbers, so on a server for everybody any of these is good.
    fn is_own(&self, host: &str) -> bool {
        let host = host.trim_matches(['[', ']']).trim_end_matches('.').to_lowercase();
        if self.hosts.iter().any(|own| own == "*" || *own == host) || host == "localhost" {
            return true;
        }
        host.parse::<IpAddr>().is_ok_and(|address| {
            address.is_loopback() || address == self.bound || self.bound.is_unspecified()
        })
    }

    fn check_host(&self, request: &Request) -> Result<Authority, ApiError> {
        let text = match request.headers().get(header::HOST) {
            Some(host) => String::from_utf8_lossy(host.as_bytes()).into_owned(),
            None => request.uri().authority().map(ToString::to_string).unwrap_or_default(),
        };
        let refused = || ApiError::Host { host: text.clone() };
        let twice = request.headers().get_all(header::HOST).iter().count() > 1;
        let authority: Authority = text.parse().map_err(|_| refused())?;
        match !twice && !text.contains('@') && self.is_own(authority.host()) {
            true => Ok(authority),
            false => Err(refused()),
        }
    }

    /// Refuses pages of other sites, which a browser would let ask even if it kept the answer from them.
    fn check_origin(&self, request: &Request, host: &Authority) -> Result<(), ApiError> {
        let text = |name| request.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
        if let Some(origin) = text(header::ORIGIN) {
            let own = ["http://", "https://"].iter().any(|scheme| {
                origin.strip_prefix(scheme).is_some_and(|origin| origin.eq_ignore_ascii_case(host.as_str()))
            });
            return if own { Ok(()) } else { Err(ApiError::Origin { origin: origin.into_owned() }) };
        }
        let site = request.headers().get("sec-fetch-site").map_or("none".as_bytes(), |site| site.as_bytes());
        if matches!(site, b"none" | b"same-origin") {
            return Ok(());
        }
        // A link from elsewhere may lead to the page, and to nothing else.
        let follows_link = request.headers().get("sec-fetch-mode").is_some_and(|mode| mode == "navigate")
            && request.method() == Method::GET
            && request.uri().path() == "/";
        match follows_link {
            true => Ok(()),
            false => Err(ApiError::Origin { origin: String::from_utf8_lossy(site).into_owned() }),
        }
    }

    /// Which of the keys was sent; `None` where there are none.
    fn check_key(&self, headers: &HeaderMap, page: bool) -> Result<Option<usize>, ApiError> {
        if self.keys.is_empty() {
            return Ok(None);
        }
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let key = given.and_then(key_of).ok_or(ApiError::KeyMissing { page })?;
        let hash = blake3::hash(key.as_bytes());
        let mut found = None;
        for (index, own) in self.keys.iter().enumerate() {
            if bool::from(own.as_bytes().ct_eq(hash.as_bytes())) {
                found = Some(index);
            }
        }
        found.map(Some).ok_or(ApiError::KeyWrong { page })
    }

    fn check(&self, request: &Request) -> Result<Option<usize>, ApiError> {
        let path = request.uri().path();
        if path == HEALTH {
            return Ok(None);
        }
        let host = self.check_host(request)?;
        self.check_origin(request, &host)?;
        self.check_key(request.headers(), path == "/" || path.starts_with("/page/"))
    }
}

/// The key of `Bearer KEY`, or the password of `Basic`, which is what a browser sends by itself.
fn key_of(authorization: &str) -> Option<String> {
    let (scheme, value) = authorization.split_once(' ')?;
    let value = value.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(value.to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(value).ok()?).ok()?;
    decoded.split_once(':').map(|(_, password)| password.to_owned())
}

/// Lets a request pass that may, and notes whose it is.
pub(crate) async fn guard(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let key = match app.guard.check(&request) {
        Ok(key) => key,
        Err(error) => return error.into_response(),
    };
    if app.under_way.is_draining() && request.uri().path() != HEALTH {
        return ApiError::Draining.into_response();
    }
    let client = match (key, request.extensions().get::<Peer>()) {
        (Some(index), _) => format!("key {index}"),
        (None, Some(Peer(address))) => address.ip().to_string(),
        (None, None) => String::new(),
    };
    request.extensions_mut().insert(Client(client.into()));
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn request(headers: &[(&str, &str)], path: &str) -> Request {
        let mut request = Request::builder().uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Body::empty()).unwrap()
    }

    fn guard(keys: &[&str], hosts: &[&str], bound: &str) -> Guard {
        let options = ServerOptions {
            keys: keys.iter().map(ToString::to_string).collect(),
            hosts: hosts.iter().map(ToString::to_string).collect(),
            ..ServerOptions::new("store")
        };
        Guard::new(&options, bound.parse().unwrap())
    }

    #[test]
    fn only_own_names_are_answered_to() {
        let local = guard(&[], &["Videos.example"], "127.0.0.1:8642");
        let answers = |guard: &Guard, host: &str| guard.check(&request(&[("host", host)], "/ready")).is_ok();
        for host in
            ["localhost", "localhost:8642", "127.0.0.1:8642", "[::1]:8642", "videos.example", "LOCALHOST"]
        {
            assert!(answers(&local, host), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:8642",
            "192.168.0.7:8642",
            "localhost.evil.example",
            "a@localhost",
            "",
        ] {
            assert!(!answers(&local, host), "{host}");
        }
        let everywhere = guard(&[], &[], "0.0.0.0:8642");
        assert!(answers(&everywhere, "192.168.0.7:8642"));
        assert!(!answers(&everywhere, "evil.example"));
        assert!(answers(&guard(&[], &["*"], "0.0.0.0:1"), "evil.example"));
        assert!(local.check(&request(&[("host", "evil.example")], HEALTH)).is_ok());
        assert!(local.check(&request(&[], "/ready")).is_err(), "no name at all");
        assert!(local.check(&request(&[("host", "localhost"), ("host", "evil")], "/ready")).is_err());
    }

    #[test]
    fn only_the_own_page_may_ask() {
        let guard = guard(&[], &[], "127.0.0.1:8642");
        let host = ("host", "localhost:8642");
        let passes = |more: &[(&str, &str)], path: &str| {
            guard.check(&request(&[&[host], more].concat(), path)).is_ok()
        };
        assert!(passes(&[("origin", "http://localhost:8642")], "/ready"));
        for origin in
            ["http://evil.example", "null", "http://localhost", "http://localhost:8642.evil", "file://"]
        {
            assert!(!passes(&[("origin", origin)], "/ready"), "{origin}");
        }
        assert!(passes(&[("sec-fetch-site", "same-origin")], "/ready"));
        assert!(!passes(&[("sec-fetch-site", "cross-site")], "/v1/videos/v1/picture.png"));
        assert!(!passes(&[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")], "/"));
        assert!(passes(&[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")], "/"));
    }

    #[test]
    fn any_of_the_keys_opens_and_nothing_else() {
        let guard = guard(&["first", "second"], &[], "127.0.0.1:8642");
        let with =
            |value: &str| guard.check(&request(&[("host", "localhost"), ("authorization", value)], "/ready"));
        assert_eq!(with("Bearer first").unwrap(), Some(0));
        assert_eq!(with("bearer second").unwrap(), Some(1));
        let basic = format!("Basic {}", STANDARD.encode("anybody:second"));
        assert_eq!(with(&basic).unwrap(), Some(1));
        for wrong in ["Bearer firs", "Bearer first2", "Bearer ", "first", "Basic first"] {
            assert!(with(wrong).is_err(), "{wrong}");
        }
        assert!(guard.check(&request(&[("host", "localhost")], "/")).is_err());
        assert!(guard.check(&request(&[("host", "localhost")], HEALTH)).is_ok());
    }
}
