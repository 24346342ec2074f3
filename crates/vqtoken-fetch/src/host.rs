//! The hosts that may be fetched from.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

/// A host, or all hosts below one, with a port if it is not the scheme's own.
///
/// | written | allows |
/// | --- | --- |
/// | `videos.example.org` | this host, at port 80 for http and 443 for https |
/// | `*.example.org` | all hosts below `example.org`, but not `example.org` |
/// | `example.org:8080` | this host at this port alone |
/// | `*` | every host |
///
/// Addresses are written as in a URL: `192.0.2.1`, `[2001:db8::1]:8080`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPattern {
    /// In lower case, without the dot at the end; empty below `*.` for every host.
    name: String,
    below: bool,
    port: Option<u16>,
}

impl HostPattern {
    /// Whether a URL's host and port are allowed.
    pub(crate) fn allows(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        let host = host.strip_suffix('.').unwrap_or(host);
        let has_port = match self.port {
            // None is what a URL gives for the port of its scheme.
            None => url.port().is_none(),
            Some(port) => url.port_or_known_default() == Some(port),
        };
        has_port && self.allows_name(host)
    }

    fn allows_name(&self, host: &str) -> bool {
        match self.below {
            false => host == self.name,
            true if self.name.is_empty() => true,
            true => host.strip_suffix(&self.name).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
        }
    }
}

impl FromStr for HostPattern {
    type Err = HostPatternError;

    fn from_str(text: &str) -> Result<Self, HostPatternError> {
        let wrong = || HostPatternError { text: text.to_owned() };
        let (host, port) = match text.rsplit_once(':') {
            // A colon within the brackets of an IPv6 address parts no port.
            Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse().map_err(|_| wrong())?)),
            _ => (text, None),
        };
        let (host, below) = match host.strip_prefix("*.") {
            Some(host) => (host, true),
            None => (host, false),
        };
        if host == "*" && !below {
            return Ok(Self { name: String::new(), below: true, port });
        }
        let parsed = Host::parse(host).map_err(|_| wrong())?;
        // There is nothing below an address.
        if below && !matches!(parsed, Host::Domain(_)) {
            return Err(wrong());
        }
        let name = parsed.to_string();
        let name = name.strip_suffix('.').unwrap_or(&name).to_owned();
        match name.is_empty() || name.contains('*') || port == Some(0) {
            true => Err(wrong()),
            false => Ok(Self { name, below, port }),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.below, self.name.as_str()) {
            (true, "") => f.write_str("*")?,
            (true, name) => write!(f, "*.{name}")?,
            (false, name) => f.write_str(name)?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// A text is not a host pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid host {text:?}: write example.org, *.example.org, example.org:8080 or *")]
#[non_exhaustive]
pub struct HostPatternError {
    /// The text given.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_allow_what_they_say() {
        for (pattern, url, allowed) in [
            ("example.org", "https://example.org/a.mp4", true),
            ("Example.ORG", "http://EXAMPLE.org./", true),
            ("example.org", "https://example.org:443/", true),
            ("example.org", "https://example.org:8443/", false),
            ("example.org", "http://example.org:443/", false),
            ("example.org", "https://videos.example.org/", false),
            ("example.org", "https://badexample.org/", false),
            ("example.org", "https://example.org.evil.net/", false),
            ("*.example.org", "https://videos.example.org/", true),
            ("*.example.org", "https://a.b.example.org/", true),
            ("*.example.org", "https://example.org/", false),
            ("*.example.org", "https://badexample.org/", false),
            ("*.example.org", "https://.example.org/", false),
            ("example.org:8080", "http://example.org:8080/", true),
            ("example.org:8080", "http://example.org/", false),
            ("example.org:443", "https://example.org/", true),
            ("127.0.0.1", "http://2130706433/", true),
            ("127.0.0.1", "http://0x7f.1/", true),
            ("[::1]:80", "http://[::1]/", true),
            ("[::1]", "http://[0:0::1]/", true),
            ("bücher.example", "https://xn--bcher-kva.example/", true),
            ("*", "https://anything.net/", true),
            ("*", "https://anything.net:8443/", false),
            ("*:8443", "https://anything.net:8443/", true),
        ] {
            let parsed: HostPattern = pattern.parse().unwrap();
            assert_eq!(parsed.allows(&Url::parse(url).unwrap()), allowed, "{pattern} {url}");
            assert_eq!(parsed.to_string().parse(), Ok(parsed));
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in [
            "",
            "*.",
            "*.*",
            "a b",
            "https://example.org",
            "example.org/path",
            "example.org:0",
            "example.org:99999",
            "user@example.org",
            "ex*mple.org",
            "*.127.0.0.1",
            "*.*.example.org",
        ] {
            assert_eq!(
                text.parse::<HostPattern>(),
                Err(HostPatternError { text: text.to_owned() }),
                "{text}"
            );
        }
    }
}
