//! Paths and other people's text in messages.

use std::borrow::Cow;
use std::fmt::{self, Display, Write};
use std::path::{MAIN_SEPARATOR, Path};

/// Whether a character could steer a terminal, or make text look like other text: C0 and C1 controls, line separators, and the
/// controls of the direction of writing.
fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A control character as JSON writes it, such as `\u001b`.
fn write_escaped(c: char, f: &mut impl Write) -> fmt::Result {
    write!(f, "\\u{:04x}", u32::from(c))
}

/// Text with its control characters written out as JSON does, but for newlines and tabs: `\u001b[31m`. A line of JSON stays the same
/// value.
pub fn visible(text: &str) -> Cow<'_, str> {
    let is_kept = |c: char| !is_control(c) || c == '\n' || c == '\t';
    if text.chars().all(is_kept) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match is_kept(c) {
            true => shown.push(c),
            // Writing to a string cannot fail.
            false => drop(write_escaped(c, &mut shown)),
        }
    }
    shown.into()
}

/// A path for a message: as it is if it is plain, else in double quotes, with control characters (`\u001b`) and bytes that are not
/// UTF-8 (`\xff`) written out.
pub fn quoted<P: AsRef<Path> + ?Sized>(path: &P) -> Quoted<'_> {
    Quoted(path.as_ref())
}

/// See [`quoted`].
#[derive(Clone, Copy, Debug)]
pub struct Quoted<'a>(&'a Path);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |c: char| !is_control(c) && !c.is_whitespace() && !matches!(c, '"' | '\'' | '`');
        if let Some(text) = self.0.to_str().filter(|text| !text.is_empty() && text.chars().all(is_plain)) {
            return f.pad(text);
        }
        f.write_char('"')?;
        for chunk in self.0.as_os_str().as_encoded_bytes().utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '"' => f.write_str("\\\"")?,
                    '\\' if MAIN_SEPARATOR != '\\' => f.write_str("\\\\")?,
                    c if is_control(c) => write_escaped(c, f)?,
                    c => f.write_char(c)?,
                }
            }
            chunk.invalid().iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))?;
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_where_they_need_it() {
        for (path, shown) in [
            ("clips/a-1_ä影.mp4", "clips/a-1_ä影.mp4"),
            ("", r#""""#),
            ("my clip.mp4", r#""my clip.mp4""#),
            ("it's", r#""it's""#),
            ("say \"hi\"", r#""say \"hi\"""#),
            ("a\x1b[31m\n\u{9b}\u{202e}4pm.\u{7f}", r#""a\u001b[31m\u000a\u009b\u202e4pm.\u007f""#),
        ] {
            assert_eq!(quoted(path).to_string(), shown);
        }
    }

    #[cfg(unix)]
    #[test]
    fn bytes_that_are_not_text_are_written_out() {
        use std::os::unix::ffi::OsStrExt;

        let path = std::ffi::OsStr::from_bytes(b"a\xff\\.mp4");
        assert_eq!(quoted(path).to_string(), r#""a\xff\\.mp4""#);
    }

    #[test]
    fn text_cannot_steer_a_terminal() {
        assert_eq!(
            visible("two\nlines\tand é 影 \u{1f469}\u{200d}\u{1f680}"),
            "two\nlines\tand é 影 \u{1f469}\u{200d}\u{1f680}"
        );
        assert_eq!(visible("\x1b[31mred\r\u{9b}m\u{2066}"), r"\u001b[31mred\u000d\u009bm\u2066");
    }

    #[test]
    fn json_stays_the_same_value() {
        // What a writer of JSON leaves in a string: no C0 controls, everything else raw.
        assert_eq!(visible("{\"name\":\"\u{202e}\u{85}\"}"), r#"{"name":"\u202e\u0085"}"#);
    }
}
