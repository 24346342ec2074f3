//! A small HTTP client that tells when each byte came, and can hang up at any moment.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Bytes of an answer, at most.
const MOST_BYTES: usize = 64 << 20;

/// What a server answered.
pub(super) struct Answer {
    pub(super) status: u16,
    /// Chunks are joined.
    pub(super) body: Vec<u8>,
    /// From the request to the last byte.
    pub(super) elapsed: Duration,
    /// From the request to the first piece of an answer's text, where it is streamed.
    pub(super) first_word: Option<Duration>,
}

impl Answer {
    pub(super) fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_slice(&self.body).context("the server's answer is not JSON")
    }

    /// The JSON of an answer that is good.
    pub(super) fn good(&self) -> anyhow::Result<Value> {
        match self.status {
            200 => self.json(),
            status => bail!("the server answered {status}: {}", String::from_utf8_lossy(&self.body)),
        }
    }
}

/// Sends a request and reads the whole answer.
pub(super) async fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    (kind, body): (&str, &[u8]),
) -> anyhow::Result<Answer> {
    let start = Instant::now();
    let mut stream = begin(address, method, path, (kind, body)).await?;
    let (mut bytes, mut first_word) = (Vec::new(), None);
    let mut buffer = vec![0; 16 << 10];
    loop {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            break;
        }
        bytes.extend_from_slice(&buffer[..read]);
        if bytes.len() > MOST_BYTES {
            bail!("the server's answer has no end");
        }
        if first_word.is_none() && contains(&bytes, b"\"content\":\"") && has_word(&bytes) {
            first_word = Some(start.elapsed());
        }
    }
    let elapsed = start.elapsed();
    let end = find(&bytes, b"\r\n\r\n").context("the server hung up before its answer")?;
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let status = head.split_whitespace().nth(1).and_then(|status| status.parse().ok());
    let body = &bytes[end + 4..];
    let body = match head.contains("transfer-encoding: chunked") {
        true => dechunked(body)?,
        false => body.to_vec(),
    };
    Ok(Answer { status: status.context("the server speaks no HTTP")?, body, elapsed, first_word })
}

/// Posts a request and hangs up when `until` is done.
pub(super) async fn send_and_hang_up(
    address: SocketAddr,
    path: &str,
    body: (&str, &[u8]),
    until: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let stream = begin(address, "POST", path, body).await?;
    until.await;
    drop(stream);
    Ok(())
}

async fn begin(
    address: SocketAddr,
    method: &str,
    path: &str,
    (kind, body): (&str, &[u8]),
) -> anyhow::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(&[head.as_bytes(), body].concat()).await?;
    Ok(stream)
}

/// Whether a streamed answer has text: the first piece may be empty.
fn has_word(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    let sign = b"\"content\":\"";
    while let Some(start) = find(rest, sign) {
        rest = &rest[start + sign.len()..];
        if rest.first().is_some_and(|&byte| byte != b'"') {
            return true;
        }
    }
    false
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    find(bytes, part).is_some()
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

/// The body of a chunked answer.
fn dechunked(mut chunks: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = find(chunks, b"\r\n").context("the server's answer is cut off")?;
        let size =
            std::str::from_utf8(&chunks[..line]).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
        let size = size.context("the server's answer has a chunk without a size")?;
        let chunk = chunks.get(line + 2..line + 2 + size).context("the server's answer is cut off")?;
        body.extend_from_slice(chunk);
        if size == 0 {
            return Ok(body);
        }
        chunks = chunks.get(line + 4 + size..).unwrap_or_default();
    }
}
