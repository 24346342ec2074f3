//! Names a container and its codec from the first bytes, for what is not decoded natively.

use crate::mp4;

/// The formats of pictures that are read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PictureFormat {
    Gif,
    Png,
    Jpeg,
    WebP,
    Bmp,
}

impl PictureFormat {
    pub(crate) fn name(self) -> &'static str {
        match self {
            PictureFormat::Gif => "GIF",
            PictureFormat::Png => "PNG",
            PictureFormat::Jpeg => "JPEG",
            PictureFormat::WebP => "WebP",
            PictureFormat::Bmp => "BMP",
        }
    }
}

/// What the first bytes of a file say it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Mp4,
    /// A file of pictures, still or animated.
    Pictures(PictureFormat),
    /// One picture in the container of MP4; its name.
    Heif(&'static str),
    /// A text that says where the video is, in other files; what it is.
    Playlist(&'static str),
    /// A container that is left to `ffmpeg`, and the codec in it as far as it shows.
    Other {
        container: &'static str,
        codec: String,
    },
    Unknown,
}

/// Looks at the first bytes of a file.
pub(crate) fn sniff(head: &[u8]) -> Kind {
    let other = |container, codec: String| Kind::Other { container, codec };
    let at = |offset: usize, magic: &[u8]| head.get(offset..).is_some_and(|tail| tail.starts_with(magic));
    if let Some(format) = picture_format(head) {
        Kind::Pictures(format)
    } else if let Some(name) = still_heif(head) {
        Kind::Heif(name)
    } else if let Some(what) = playlist(head) {
        Kind::Playlist(what)
    } else if mp4::is_mp4(head) {
        Kind::Mp4
    } else if at(0, b"\x1a\x45\xdf\xa3") {
        let container = if contains(head, b"webm") { "WebM" } else { "Matroska" };
        other(container, matroska_codec(head))
    } else if at(0, b"RIFF") && at(8, b"AVI ") {
        other("AVI", avi_codec(head))
    } else if at(0, b"DKIF") {
        other("IVF", head.get(8..12).map_or_else(unknown, codec_name))
    } else if at(0, b"FLV") {
        other("Flash video", unknown())
    } else if at(0, b"OggS") {
        other("Ogg", unknown())
    } else if at(0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11") {
        other("ASF/WMV", unknown())
    } else if at(0, b"\x00\x00\x01\xba") {
        other("MPEG program stream", "MPEG video".into())
    } else if at(0, b"\x47") && at(188, b"\x47") || at(4, b"\x47") && at(196, b"\x47") {
        other("MPEG transport stream", transport_stream_codec(head))
    } else if at(0, b"YUV4MPEG2") {
        other("YUV4MPEG2", "raw video".into())
    } else if at(0, b"\x00\x00\x00\x01") || at(0, b"\x00\x00\x01") {
        other("a raw stream", "H.264, HEVC or MPEG video".into())
    } else {
        Kind::Unknown
    }
}

/// The format of a picture by its first bytes.
pub(crate) fn picture_format(head: &[u8]) -> Option<PictureFormat> {
    if head.starts_with(b"GIF8") {
        Some(PictureFormat::Gif)
    } else if head.starts_with(b"\x89PNG") {
        Some(PictureFormat::Png)
    } else if head.starts_with(b"\xff\xd8\xff") {
        Some(PictureFormat::Jpeg)
    } else if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP") {
        Some(PictureFormat::WebP)
    } else if head.starts_with(b"BM") {
        Some(PictureFormat::Bmp)
    } else {
        None
    }
}

/// AVIF or HEIC, unless the file also declares a sequence of pictures: that has a track like any MP4 file.
fn still_heif(head: &[u8]) -> Option<&'static str> {
    if head.get(4..8)? != b"ftyp" {
        return None;
    }
    let len = u32::from_be_bytes(head.get(..4)?.try_into().ok()?) as usize;
    let (major, others) = head.get(8..len.min(head.len()))?.split_first_chunk::<4>()?;
    let brands = || std::iter::once(&major[..]).chain(others.get(4..).unwrap_or(&[]).chunks(4));
    if brands().any(|brand| matches!(brand, b"avis" | b"hevc" | b"hevx" | b"msf1" | b"isom" | b"mp42")) {
        return None;
    }
    brands().find_map(|brand| match brand {
        b"avif" | b"avio" => Some("AVIF"),
        b"heic" | b"heix" | b"heim" | b"heis" => Some("HEIC"),
        b"mif1" => Some("HEIF"),
        _ => None,
    })
}

/// Texts that players follow to other files.
fn playlist(head: &[u8]) -> Option<&'static str> {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let begins = |words: &[u8]| head.len() >= words.len() && head[..words.len()].eq_ignore_ascii_case(words);
    if begins(b"#EXTM3U") {
        Some("an HLS or M3U playlist")
    } else if begins(b"ffconcat version") || concat_list(head) {
        Some("a list of files to concatenate")
    } else if begins(b"v=0\n") || begins(b"v=0\r") {
        Some("an SDP session description")
    } else if [&b"[playlist]"[..], b"[reference]", b"<asx", b"rtsp://", b"http://", b"https://"]
        .into_iter()
        .any(begins)
    {
        Some("a playlist")
    } else if begins(b"<?xml") || begins(b"<MPD") || begins(b"<svg") || begins(b"<smil") {
        xml(head)
    } else {
        None
    }
}

/// A list of `file` lines, perhaps after comments.
fn concat_list(head: &[u8]) -> bool {
    let mut lines = head.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with(b"#"));
    first.is_some_and(|line| line.starts_with(b"file ") || line.starts_with(b"file\t"))
}

fn xml(head: &[u8]) -> Option<&'static str> {
    let known = [
        (&b"<MPD"[..], "a DASH manifest"),
        (b"<SmoothStreamingMedia", "a Smooth Streaming manifest"),
        (b"<svg", "an SVG drawing"),
        (b"<playlist", "a playlist"),
        (b"<smil", "a playlist"),
        (b"<CompositionPlaylist", "an IMF playlist"),
    ];
    let start = &head[..head.len().min(4096)];
    known.into_iter().find(|(tag, _)| contains(start, tag)).map(|(_, what)| what)
}

/// The usual name of a codec that a four-character code stands for.
pub(crate) fn codec_name(code: &[u8]) -> String {
    let upper = code.to_ascii_uppercase();
    let name = match upper.as_slice() {
        b"AVC1" | b"AVC3" | b"H264" | b"X264" => "H.264",
        b"HVC1" | b"HEV1" | b"HEVC" | b"H265" | b"DVH1" | b"DVHE" => "HEVC",
        b"VP08" | b"VP80" => "VP8",
        b"VP09" | b"VP90" => "VP9",
        b"AV01" => "AV1",
        b"MP4V" | b"XVID" | b"DIVX" | b"DX50" | b"FMP4" => "MPEG-4 part 2",
        b"MJPG" | b"MJPA" | b"MJPB" | b"JPEG" => "MJPEG",
        b"APCN" | b"APCH" | b"APCS" | b"APCO" | b"AP4H" | b"AP4X" => "ProRes",
        b"ENCV" => "an encrypted codec",
        _ => return code.iter().map(|&b| if b.is_ascii_graphic() { b as char } else { '.' }).collect(),
    };
    name.into()
}

fn unknown() -> String {
    "video".into()
}

fn contains(head: &[u8], needle: &[u8]) -> bool {
    head.windows(needle.len()).any(|window| window == needle)
}

/// The first `V_...` codec id (element 0x86) of a Matroska file.
fn matroska_codec(head: &[u8]) -> String {
    let found = head.windows(4).position(|window| window[0] == 0x86 && window[2..] == *b"V_");
    let Some(at) = found else { return unknown() };
    let len = usize::from(head[at + 1] & 0x7f);
    let id = head.get(at + 2..at + 2 + len).unwrap_or(&[]);
    match id {
        b"V_MPEG4/ISO/AVC" => "H.264".into(),
        b"V_MPEGH/ISO/HEVC" => "HEVC".into(),
        _ => String::from_utf8_lossy(id.strip_prefix(b"V_").unwrap_or(id)).into_owned(),
    }
}

/// The first video stream of the programme map of a transport stream: 188-byte packets, perhaps each after four
/// bytes of time.
fn transport_stream_codec(head: &[u8]) -> String {
    let (skip, step) = if head[0] == 0x47 { (0, 188) } else { (4, 192) };
    let packets = head.get(skip..).unwrap_or(&[]).chunks(step);
    packets.filter_map(programme_map).flatten().next().map_or_else(unknown, Into::into)
}

/// The codec of the first video stream, where a packet begins with a programme map (table 2).
fn programme_map(packet: &[u8]) -> Option<Option<&'static str>> {
    let starts_unit = packet.get(1)? & 0x40 != 0;
    let adaptation = if packet.get(3)? & 0x20 != 0 { 1 + usize::from(*packet.get(4)?) } else { 0 };
    let payload = packet.get(4 + adaptation..)?;
    let section = payload.get(1 + usize::from(*payload.first()?)..)?;
    if !starts_unit || *section.first()? != 2 {
        return None;
    }
    let length =
        |at: usize| Some(usize::from(section.get(at)? & 0x0f) << 8 | usize::from(*section.get(at + 1)?));
    let mut at = 12 + length(10)?;
    while let Some(kind) = section.get(at) {
        let codec = match kind {
            0x01 | 0x02 => "MPEG-2 video",
            0x10 => "MPEG-4 part 2",
            0x1b => "H.264",
            0x24 => "HEVC",
            _ => {
                at += 5 + length(at + 3)?;
                continue;
            }
        };
        return Some(Some(codec));
    }
    Some(None)
}

/// The handler of the first video stream header.
fn avi_codec(head: &[u8]) -> String {
    let found = head.windows(8).position(|window| window[..4] == *b"vids");
    found.map_or_else(unknown, |at| codec_name(&head[at + 4..at + 8]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_lead_elsewhere_are_noticed() {
        for text in [
            "#EXTM3U\n#EXT-X-VERSION:3",
            "\u{feff}#EXTM3U",
            "ffconcat version 1.0",
            "# mine\n\nfile 'a.mp4'",
            "v=0\r\no=- 0",
            "<?xml version=\"1.0\"?>\n<MPD xmlns=",
            "<svg>",
            "[playlist]\nFile1=a",
        ] {
            assert!(matches!(sniff(text.as_bytes()), Kind::Playlist(_)), "{text}");
        }
        assert_eq!(sniff(b"file names are all it holds"), Kind::Playlist("a list of files to concatenate"));
        assert_eq!(sniff(b"filed under: nothing"), Kind::Unknown);
    }

    #[test]
    fn containers_and_codecs_are_named() {
        let name = |head: &[u8]| match sniff(head) {
            Kind::Other { container, codec } => format!("{codec} in {container}"),
            other => format!("{other:?}"),
        };
        assert_eq!(name(b"\x1a\x45\xdf\xa3..webm..\x86\x85V_VP9.."), "VP9 in WebM");
        assert_eq!(name(b"\x1a\x45\xdf\xa3..matroska..\x86\x8fV_MPEG4/ISO/AVC"), "H.264 in Matroska");
        assert_eq!(name(b"RIFF....AVI LIST....vidsXVID"), "MPEG-4 part 2 in AVI");
        assert_eq!(name(b"DKIF\0\0\x20\0VP80"), "VP8 in IVF");
        assert_eq!(name(b"\0\0\0\x18ftypisom"), "Mp4");
        assert_eq!(name(b"GIF89a"), "Pictures(Gif)");
        assert_eq!(name(b"\0\0\0\x18ftypavif\0\0\0\0avifmif1"), "Heif(\"AVIF\")");
        assert_eq!(name(b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic"), "Heif(\"HEIF\")");
        assert_eq!(name(b"\0\0\0\x18ftypavis\0\0\0\0avifmsf1"), "Mp4");
        assert_eq!(name(b"hello, this is text"), "Unknown");
        assert_eq!(name(b""), "Unknown");
        assert_eq!(codec_name(b"hev1"), "HEVC");
        assert_eq!(codec_name(b"zz\x001"), "zz.1");
    }
}
