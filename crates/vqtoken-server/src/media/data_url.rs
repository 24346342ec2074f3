//! `data:` addresses and base64.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::error::ApiError;

/// The usual alphabet, padded or not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A `data:` address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DataUrl<'a> {
    /// Such as `video/mp4`.
    pub(crate) kind: &'a str,
    /// What follows the comma.
    pub(crate) data: &'a str,
}

impl<'a> DataUrl<'a> {
    /// Takes an address apart, if it is one of data.
    pub(crate) fn parse(url: &'a str, place: &str) -> Result<Option<Self>, ApiError> {
        let Some((scheme, rest)) =
            url.split_once(':').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("data"))
        else {
            return Ok(None);
        };
        let _ = scheme;
        let Some((head, data)) = rest.split_once(',') else {
            return Err(ApiError::parameter(
                place,
                "is a data: address without a comma: write data:TYPE;base64,DATA",
            ));
        };
        let mut parts = head.split(';');
        let kind = parts.next().unwrap_or_default();
        match parts.any(|part| part.trim().eq_ignore_ascii_case("base64")) {
            true => Ok(Some(Self { kind, data })),
            false => Err(ApiError::parameter(
                place,
                "is a data: address that is not base64: write data:TYPE;base64,DATA",
            )),
        }
    }

    /// The parts of a list of pictures, `data:video/jpeg;base64,FIRST,SECOND`.
    pub(crate) fn pictures(self) -> Option<Vec<&'a str>> {
        let is_list = self.kind.eq_ignore_ascii_case("video/jpeg") || self.data.contains(',');
        is_list.then(|| self.data.split(',').collect())
    }
}

/// The bytes of base64.
pub(crate) fn decode(text: &str, place: &str) -> Result<Vec<u8>, ApiError> {
    let text = match text.bytes().any(|byte| byte.is_ascii_whitespace()) {
        true => Cow::Owned(text.split_ascii_whitespace().collect::<String>()),
        false => Cow::Borrowed(text),
    };
    let bytes = BASE64
        .decode(text.as_bytes())
        .map_err(|error| ApiError::parameter(place, format!("is not base64: {error}")))?;
    match bytes.is_empty() {
        true => Err(ApiError::parameter(place, "is empty: give the bytes of a video in base64")),
        false => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let parse = |url| DataUrl::parse(url, "url");
        assert_eq!(
            parse("data:video/mp4;base64,AAAA").unwrap(),
            Some(DataUrl { kind: "video/mp4", data: "AAAA" })
        );
        assert_eq!(parse("DATA:video/mp4;codecs=avc1;BASE64,AA").unwrap().map(|url| url.data), Some("AA"));
        assert_eq!(parse("https://example.org/a,b").unwrap(), None);
        assert!(parse("data:video/mp4;base64").is_err());
        assert!(parse("data:text/plain,hello").is_err());
        let list = parse("data:video/jpeg;base64,AA,BB").unwrap().unwrap();
        assert_eq!(list.pictures(), Some(vec!["AA", "BB"]));
        assert_eq!(parse("data:video/mp4;base64,AA").unwrap().unwrap().pictures(), None);
    }

    #[test]
    fn base64_with_and_without_padding_and_line_breaks() {
        for text in ["aGk=", "aGk", "aG\r\nk="] {
            assert_eq!(decode(text, "data").unwrap(), b"hi");
        }
        for text in ["a", "aGk!", "a-_k", ""] {
            let message = decode(text, "input_video.data").unwrap_err().to_string();
            assert!(message.starts_with("`input_video.data` is "), "{message}");
        }
    }
}
