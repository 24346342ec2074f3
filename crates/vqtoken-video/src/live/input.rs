//! Where a stream comes from, and what `ffmpeg` may reach to read it.

use std::fmt;
use std::path::Path;

/// Addresses that are read: scheme, the protocols that it is made of, and the demuxers that it may carry besides those of files.
const SCHEMES: [(&str, &str, &str); 8] = [
    ("rtsp", "rtp,udp,tcp,tls", "rtsp"),
    ("rtsps", "rtp,udp,tcp,tls", "rtsp"),
    ("http", HTTP, "hls,mpjpeg"),
    ("https", HTTP, "hls,mpjpeg"),
    ("rtmp", "rtmp,tcp", "live_flv"),
    ("rtmps", "rtmps,tcp,tls", "live_flv"),
    ("srt", "srt,udp", "mpegts"),
    ("udp", "udp", "mpegts"),
];

/// Segments of a playlist may lie behind either; none lies in a file of this machine.
const HTTP: &str = "http,https,tcp,tls,crypto";

/// Device formats of `ffmpeg`, by the name before the colon.
const DEVICES: [&str; 3] = ["v4l2", "avfoundation", "dshow"];

/// A source of frames that has no end, or whose end nobody knows.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LiveInput {
    /// An address with a scheme: rtsp, rtsps, http, https (also HLS), rtmp, rtmps, srt or udp.
    Address(String),
    /// A camera.
    Device {
        /// What `ffmpeg` calls its kind: v4l2, avfoundation or dshow.
        format: &'static str,
        /// Its path or name.
        name: String,
    },
    /// Standard input of this process: MPEG-TS, MJPEG, fragmented MP4 or anything that needs no seeking.
    StandardInput,
}

/// Why a text names no source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LiveInputError {
    /// The scheme is not among those that are read.
    #[error(
        "addresses of {scheme:?} are not read: give one of rtsp, rtsps, http, https (also HLS), rtmp, rtmps, srt or udp, a file, \
         a device such as /dev/video0, or - for standard input"
    )]
    Scheme {
        /// What stands before `://`.
        scheme: String,
    },
    /// An address without a host, or with characters that no address has.
    #[error(
        "{name:?} is no address: expected something like rtsp://HOST/PATH, with other characters written as %20"
    )]
    Address {
        /// The address without user and password.
        name: String,
    },
    /// A device without a name.
    #[error("{format}: names no device: add its name or number, such as {format}:0")]
    Device {
        /// Its kind.
        format: &'static str,
    },
}

impl LiveInput {
    /// What a text names; `None` for a file or a folder.
    ///
    /// `-` is standard input; an address has `://`; a camera is a path below `/dev`, `avfoundation:NAME`, `dshow:NAME` or `v4l2:PATH`.
    ///
    /// # Errors
    /// If the scheme is not among those that are read, or nothing follows it.
    pub fn parse(text: &str) -> Result<Option<Self>, LiveInputError> {
        if text == "-" {
            return Ok(Some(Self::StandardInput));
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            let is_plain = |c: char| !c.is_whitespace() && !c.is_control();
            if scheme_of(text).is_none() {
                return Err(LiveInputError::Scheme { scheme: scheme.to_owned() });
            }
            if rest.is_empty() || !text.chars().all(is_plain) {
                return Err(LiveInputError::Address { name: without_secrets(text) });
            }
            return Ok(Some(Self::Address(text.to_owned())));
        }
        if let Some((format, name)) = text.split_once(':')
            && let Some(&format) = DEVICES.iter().find(|device| **device == format)
        {
            let name = match format {
                _ if name.trim().is_empty() => return Err(LiveInputError::Device { format }),
                "dshow" if !name.starts_with("video=") => format!("video={name}"),
                _ => name.to_owned(),
            };
            return Ok(Some(Self::Device { format, name }));
        }
        if text.starts_with("/dev/") && !Path::new(text).is_file() {
            return Ok(Some(Self::Device { format: "v4l2", name: text.to_owned() }));
        }
        Ok(None)
    }

    /// Whether it goes on whether or not anybody reads, so that whoever is too slow loses frames.
    pub fn is_live(&self) -> bool {
        !matches!(self, Self::StandardInput)
    }

    /// What `-i` is followed by.
    pub(crate) fn argument(&self) -> &str {
        match self {
            Self::Address(address) => address,
            Self::Device { name, .. } => name,
            Self::StandardInput => "pipe:0",
        }
    }

    /// Protocols that may be used on its behalf, in `ffmpeg`'s names.
    pub(crate) fn protocols(&self) -> &'static str {
        match self {
            Self::Address(address) => scheme_of(address).map_or("", |(_, protocols, _)| protocols),
            Self::Device { .. } => "file",
            Self::StandardInput => "pipe",
        }
    }

    /// Demuxers that may read it besides those of files; for a device its own alone.
    pub(crate) fn demuxers(&self) -> &'static str {
        match self {
            Self::Address(address) => scheme_of(address).map_or("", |(_, _, demuxers)| demuxers),
            Self::Device { format, .. } => format,
            Self::StandardInput => "mpjpeg",
        }
    }
}

fn scheme_of(address: &str) -> Option<&'static (&'static str, &'static str, &'static str)> {
    let scheme = address.split_once("://")?.0;
    SCHEMES.iter().find(|(name, ..)| name.eq_ignore_ascii_case(scheme))
}

/// An address without user, password, query and fragment, which may hold keys.
fn without_secrets(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = host.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

/// For messages: an address is shown without user, password and query.
impl fmt::Display for LiveInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => f.write_str(&vqtoken_files::visible(&without_secrets(address))),
            Self::Device { format: "v4l2", name } => write!(f, "{}", vqtoken_files::quoted(name.as_str())),
            Self::Device { format, name } => write!(f, "{format}:{}", vqtoken_files::visible(name)),
            Self::StandardInput => f.write_str("standard input"),
        }
    }
}

/// As it is shown.
impl fmt::Debug for LiveInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LiveInput({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_name_sources() {
        let parse = |text: &str| LiveInput::parse(text).unwrap();
        assert_eq!(parse("-"), Some(LiveInput::StandardInput));
        assert_eq!(parse("clip.mp4"), None);
        assert_eq!(parse("a:b.mp4"), None);
        assert_eq!(parse("RTSP://cam/1").map(|input| input.protocols()), Some("rtp,udp,tcp,tls"));
        assert_eq!(
            parse("/dev/video9"),
            Some(LiveInput::Device { format: "v4l2", name: "/dev/video9".into() })
        );
        let camera = parse("dshow:USB Camera").unwrap();
        assert_eq!((camera.argument(), camera.demuxers()), ("video=USB Camera", "dshow"));
        assert!(camera.is_live() && !LiveInput::StandardInput.is_live());
    }

    #[test]
    fn whatever_could_reach_elsewhere_is_refused() {
        for text in
            ["file:///etc/passwd", "concat://a|b", "subfile,,start,0,end,0,,://x", "data://x", "lavfi://x"]
        {
            assert!(matches!(LiveInput::parse(text), Err(LiveInputError::Scheme { .. })), "{text}");
        }
        for text in ["http://", "rtsp://a b", "http://a\nb"] {
            assert!(matches!(LiveInput::parse(text), Err(LiveInputError::Address { .. })), "{text}");
        }
        assert!(matches!(LiveInput::parse("avfoundation:"), Err(LiveInputError::Device { .. })));
        for (_, protocols, _) in SCHEMES {
            assert!(!protocols.split(',').any(|name| ["file", "pipe", "concat", "subfile"].contains(&name)));
        }
    }

    #[test]
    fn passwords_are_not_shown() {
        let input = LiveInput::parse("rtsp://me:secret@cam:554/live?token=secret#secret").unwrap().unwrap();
        assert_eq!(input.to_string(), "rtsp://cam:554/live");
        assert!(!format!("{input:?}").contains("secret"));
        let error = LiveInput::parse("rtsp://me:secret@cam/a b").unwrap_err();
        assert!(!error.to_string().contains("secret"));
    }
}
