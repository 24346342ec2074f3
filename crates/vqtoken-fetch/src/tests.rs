//! A small server at a loopback address stands for the public internet; every other address that is not public is refused.

use std::collections::HashMap;
use std::fs;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::{FetchError, FetchOptions, Fetcher, Resolve};

/// Answers each name with its answers one after the other, the last one from then on.
#[derive(Clone, Debug, Default)]
struct Stub {
    answers: HashMap<&'static str, Vec<Vec<IpAddr>>>,
    asked: Arc<Mutex<HashMap<String, usize>>>,
}

impl Stub {
    fn with(mut self, name: &'static str, answers: &[&str]) -> Self {
        let addresses = |answer: &&str| answer.split(' ').map(|text| text.parse().unwrap()).collect();
        self.answers.insert(name, answers.iter().map(addresses).collect());
        self
    }
}

impl Resolve for Stub {
    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let mut asked = self.asked.lock().unwrap();
        let times = asked.entry(host.to_owned()).or_default();
        *times += 1;
        let answers = self.answers.get(host).ok_or(ErrorKind::NotFound)?;
        Ok(answers[(*times - 1).min(answers.len() - 1)].clone())
    }
}

/// A server that answers each path in its own way.
struct Server {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

const BODY: &[u8] = b"the bytes of a clip";

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
                // A client that goes away is what some tests are about.
                thread::spawn(move || drop(answer(stream.unwrap())));
            }
        });
        Self { address, requests }
    }

    fn url(&self, path: &str) -> String {
        format!("http://clips.test:{}{path}", self.address.port())
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// A fetcher that may fetch from any host at any port of this server, which has the name `clips.test`.
    fn fetcher(&self, stub: Stub, options: FetchOptions) -> Fetcher {
        let port = self.address.port();
        let hosts = [format!("*:{port}"), "*".into()].map(|host| host.parse().unwrap()).to_vec();
        let stub = stub.with("clips.test", &["127.0.0.1"]);
        let mut fetcher = Fetcher::with_resolver(options.with_hosts(hosts), stub);
        fetcher.listening = vec![self.address];
        fetcher
    }

    fn plain(&self) -> Fetcher {
        self.fetcher(Stub::default(), FetchOptions::default())
    }
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? < 3 {
            break;
        }
    }
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    if let Some(location) = path.strip_prefix("/to/") {
        let location = location.replace("%20", " ");
        return write!(stream, "HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
    }
    match path.as_str() {
        "/clip.mp4" => {
            write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: video/mp4\r\ncontent-length: {}\r\n\r\n",
                BODY.len()
            )?;
            stream.write_all(BODY)
        }
        "/loop" => write!(stream, "HTTP/1.1 307 Again\r\nlocation: /loop\r\ncontent-length: 0\r\n\r\n"),
        "/nowhere" => write!(stream, "HTTP/1.1 301 Moved\r\ncontent-length: 0\r\n\r\n"),
        "/announced" => write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 999999999999\r\n\r\n"),
        "/endless" => {
            write!(stream, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
            loop {
                write!(stream, "1000\r\n{}\r\n", "x".repeat(0x1000))?;
            }
        }
        "/short" => {
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n")?;
            stream.write_all(BODY)
        }
        "/silent" => {
            thread::sleep(Duration::from_secs(30));
            Ok(())
        }
        "/drip" => {
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")?;
            loop {
                stream.write_all(b"x")?;
                thread::sleep(Duration::from_millis(20));
            }
        }
        "/garbage" => write!(stream, "what is HTTP?\r\n\r\n"),
        _ => write!(stream, "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"),
    }
}

/// Fetches into a folder that has to be empty after an error.
fn fetch(fetcher: &Fetcher, url: &str) -> Result<Vec<u8>, FetchError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip");
    let result = fetcher.fetch(url, &path);
    let files = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, usize::from(result.is_ok()), "{url}");
    result.map(|_| fs::read(&path).unwrap())
}

#[test]
fn an_allowed_file_is_fetched() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip");
    let mut seen = vec![];
    let fetched = server
        .plain()
        .fetch_with(&server.url("/to//clip.mp4#part"), &path, |done, total| {
            seen.push((done, total));
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(fs::read(&path).unwrap(), BODY);
    assert_eq!((fetched.name.as_str(), fetched.bytes, fetched.redirects), ("clip.mp4", 19, 1));
    assert_eq!(fetched.content_type.as_deref(), Some("video/mp4"));
    assert_eq!(seen.last(), Some(&(19, Some(19))));
}

#[test]
fn without_hosts_nothing_is_fetched() {
    let fetcher = Fetcher::with_resolver(FetchOptions::default(), Stub::default());
    assert!(matches!(fetch(&fetcher, "https://example.org/"), Err(FetchError::Off)));
}

#[test]
fn only_plain_urls_of_allowed_hosts_are_fetched() {
    let hosts = vec!["example.org".parse().unwrap()];
    let fetcher = Fetcher::with_resolver(FetchOptions::default().with_hosts(hosts), Stub::default());
    let error = |url| fetch(&fetcher, url).unwrap_err();
    for url in
        ["file:///etc/passwd", "ftp://example.org/", "data:video/mp4;base64,AAAA", "gopher://example.org/"]
    {
        assert!(matches!(error(url), FetchError::Scheme { .. }), "{url}");
    }
    for url in ["https://user@example.org/", "https://:secret@example.org/", "https://a:b@example.org/"] {
        assert!(matches!(error(url), FetchError::Credentials), "{url}");
    }
    for url in [
        "https://other.org/",
        "https://example.org.other.net/",
        "https://example.org:22/",
        "http://127.0.0.1/",
        r"https://other.org\@example.org/",
    ] {
        assert!(matches!(error(url), FetchError::Host { .. }), "{url}");
    }
    for url in ["", "example.org/clip.mp4", "https://", "http://[::1", "https://exa mple.org/"] {
        assert!(matches!(error(url), FetchError::Url { .. }), "{url}");
    }
    assert!(matches!(error("https://example.org/"), FetchError::Resolve { .. }));
}

#[test]
fn addresses_that_are_not_public_are_refused_however_they_are_written() {
    let server = Server::start();
    let fetcher = server.plain();
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0x7f.0.0.1",
        "017700000001",
        "0",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "169.254.169.254",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "10.0.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
    ] {
        let error = fetch(&fetcher, &format!("http://{host}/clip.mp4")).unwrap_err();
        assert!(matches!(error, FetchError::Address { .. }), "{host}: {error}");
    }
    assert_eq!(server.requests(), 0);
}

#[test]
fn names_of_addresses_that_are_not_public_are_refused() {
    let server = Server::start();
    let stub = Stub::default()
        .with("local.test", &["127.0.0.2"])
        .with("mapped.test", &["::ffff:127.0.0.1"])
        .with("cloud.test", &["169.254.169.254"])
        .with("private.test", &["fd00::1"])
        .with("mixed.test", &["93.184.216.34 10.0.0.1"]);
    let fetcher = server.fetcher(stub, FetchOptions::default());
    for name in ["local.test", "mapped.test", "cloud.test", "private.test", "mixed.test"] {
        let error = fetch(&fetcher, &format!("http://{name}/")).unwrap_err();
        assert!(matches!(error, FetchError::Address { .. }), "{name}: {error}");
    }
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_name_is_resolved_once_and_its_second_answer_gains_nothing() {
    let server = Server::start();
    let stub = Stub::default().with("rebind.test", &["127.0.0.1", "127.0.0.2"]);
    let asked = Arc::clone(&stub.asked);
    let fetcher = server.fetcher(stub, FetchOptions::default());
    let port = server.address.port();
    let url = |path: &str| format!("http://rebind.test:{port}{path}");
    assert_eq!(fetch(&fetcher, &url("/clip.mp4")).unwrap(), BODY);
    assert_eq!(asked.lock().unwrap()["rebind.test"], 1);
    // From now on it answers with another address, which is checked anew.
    let error = fetch(&fetcher, &url("/clip.mp4")).unwrap_err();
    assert!(matches!(error, FetchError::Address { address, .. } if address.to_string() == "127.0.0.2"));
    asked.lock().unwrap().clear();
    let error = fetch(&fetcher, &url("/to//clip.mp4")).unwrap_err();
    assert!(matches!(error, FetchError::Address { .. }), "{error}");
    assert_eq!(server.requests(), 2);
}

#[test]
fn redirects_are_checked_like_the_first_url() {
    let server = Server::start();
    let stub = Stub::default().with("local.test", &["127.0.0.2"]);
    let fetcher = server.fetcher(stub, FetchOptions::default());
    for target in [
        "http://127.0.0.1/",
        "http://127.0.0.2/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://2130706433/",
        "http://169.254.169.254/latest/meta-data",
        "http://[fe80::1]/",
        "http://local.test/",
        "//local.test/",
        "https://0x7f.1/",
    ] {
        let error = fetch(&fetcher, &server.url(&format!("/to/{target}"))).unwrap_err();
        assert!(matches!(error, FetchError::Address { .. }), "{target}: {error}");
    }
    for target in ["file:///etc/passwd", "ftp://clips.test/", "data:,x"] {
        let error = fetch(&fetcher, &server.url(&format!("/to/{target}"))).unwrap_err();
        assert!(matches!(error, FetchError::Scheme { .. }), "{target}: {error}");
    }
    let error = fetch(&fetcher, &server.url("/to/http://a:b@clips.test/")).unwrap_err();
    assert!(matches!(error, FetchError::Credentials), "{error}");
    let error = fetch(&fetcher, &server.url("/to/http://clips.test:1/")).unwrap_err();
    assert!(matches!(error, FetchError::Host { .. }), "{error}");
    let error = fetch(&fetcher, &server.url("/nowhere")).unwrap_err();
    assert!(matches!(error, FetchError::NoLocation { .. }), "{error}");
}

#[test]
fn redirects_are_counted() {
    let server = Server::start();
    let fetcher = server.fetcher(Stub::default(), FetchOptions::default().with_redirects(3));
    let error = fetch(&fetcher, &server.url("/loop")).unwrap_err();
    assert!(matches!(error, FetchError::Redirects { most: 3 }), "{error}");
    assert_eq!(server.requests(), 4);
    let none = server.fetcher(Stub::default(), FetchOptions::default().with_redirects(0));
    assert!(matches!(fetch(&none, &server.url("/to//clip.mp4")), Err(FetchError::Redirects { most: 0 })));
    assert_eq!(fetch(&none, &server.url("/clip.mp4")).unwrap(), BODY);
}

#[test]
fn size_and_time_are_limited() {
    let server = Server::start();
    let small = server.fetcher(Stub::default(), FetchOptions::default().with_most_bytes(50_000));
    for path in ["/announced", "/endless"] {
        let error = fetch(&small, &server.url(path)).unwrap_err();
        assert!(matches!(error, FetchError::TooLarge { most: 50_000, .. }), "{path}: {error}");
    }
    let exact = server.fetcher(Stub::default(), FetchOptions::default().with_most_bytes(BODY.len() as u64));
    assert_eq!(fetch(&exact, &server.url("/clip.mp4")).unwrap(), BODY);
    let quick = FetchOptions::default().with_timeout(Duration::from_millis(400));
    let quick = server.fetcher(Stub::default(), quick);
    for path in ["/silent", "/drip"] {
        let started = Instant::now();
        let error = fetch(&quick, &server.url(path)).unwrap_err();
        assert!(matches!(error, FetchError::Timeout { .. }), "{path}: {error}");
        assert!(started.elapsed() < Duration::from_secs(5), "{path}");
    }
}

#[test]
fn a_resolver_that_hangs_costs_the_time_allowed_and_no_more() {
    #[derive(Debug)]
    struct Hanging;
    impl Resolve for Hanging {
        fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
            thread::sleep(Duration::from_secs(20));
            Err(ErrorKind::NotFound.into())
        }
    }
    let options = FetchOptions::default()
        .with_hosts(vec!["*".parse().unwrap()])
        .with_timeout(Duration::from_millis(200));
    let started = Instant::now();
    let error = fetch(&Fetcher::with_resolver(options, Hanging), "https://example.org/").unwrap_err();
    assert!(matches!(error, FetchError::Timeout { .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn broken_answers_are_errors_and_leave_no_file() {
    let server = Server::start();
    let fetcher = server.plain();
    let error = |path| fetch(&fetcher, &server.url(path)).unwrap_err();
    assert!(matches!(error("/short"), FetchError::CutShort { found: 19, announced: 100, .. }));
    assert!(matches!(error("/missing"), FetchError::Status { status: 404, .. }));
    assert!(matches!(error("/garbage"), FetchError::Connection { .. }));
    let message = error("/missing?token=secret").to_string();
    assert!(message.contains("clips.test") && !message.contains("secret"), "{message}");
}

#[test]
fn it_stops_when_told_to() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip");
    let stop = |done, _| if done > 10_000 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    let error = server.plain().fetch_with(&server.url("/endless"), &path, stop).unwrap_err();
    assert!(matches!(error, FetchError::Stopped));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_file_that_cannot_be_written_is_said_by_name() {
    let server = Server::start();
    let path = Path::new("/nonexistent/clip.mp4");
    let error = server.plain().fetch(&server.url("/clip.mp4"), path).unwrap_err();
    assert!(matches!(&error, FetchError::Write(_)) && error.to_string().contains("/nonexistent"), "{error}");
    assert_eq!(server.requests(), 0);
}

#[test]
fn operators_can_allow_their_own_network() {
    let server = Server::start();
    let mut fetcher = server.fetcher(
        Stub::default().with("nobody.test", &["0.0.0.0"]),
        FetchOptions::default().with_private_addresses(true),
    );
    fetcher.listening.clear();
    assert_eq!(fetch(&fetcher, &server.url("/clip.mp4")).unwrap(), BODY);
    for url in ["http://nobody.test/", "http://224.0.0.1/", "http://[::]/"] {
        assert!(matches!(fetch(&fetcher, url), Err(FetchError::Address { .. })), "{url}");
    }
}
