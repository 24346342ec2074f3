//! An answer without what models put around it.

use std::borrow::Cow;

/// Tags between which models think aloud.
const THINKING: [&str; 5] = ["think", "thinking", "thought", "reasoning", "reflection"];

/// Full-width letters and marks, as East Asian keyboards give them, in their ASCII forms.
pub(super) fn plain_forms(answer: &str) -> Cow<'_, str> {
    let plain = |c: char| match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '【' | '〔' | '「' | '『' => '[',
        '】' | '〕' | '」' | '』' => ']',
        '。' => '.',
        '、' => ',',
        '\u{3000}' => ' ',
        other => other,
    };
    match answer.chars().any(|c| plain(c) != c) {
        true => answer.chars().map(plain).collect(),
        false => answer.into(),
    }
}

/// What follows the last block of thought; nothing where the last block does not end.
pub(super) fn after_thinking(answer: &str) -> &str {
    let lower = answer.to_ascii_lowercase();
    let mut rest = 0;
    for tag in THINKING {
        let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
        if let Some(at) = lower.rfind(&close) {
            rest = rest.max(at + close.len());
        }
        if lower.rfind(&open).is_some_and(|at| at >= rest) {
            return "";
        }
    }
    &answer[rest..]
}

/// The answer without blanks, quotes, Markdown for bold or code, and end-of-text tokens around it.
pub(super) fn bare(answer: &str) -> &str {
    let blank = |c: char| c.is_whitespace() || c.is_control() || "\"'`*_“”‘’$".contains(c);
    let mut text = answer.trim_matches(blank);
    while let Some(shorter) = without_end_token(text) {
        text = shorter.trim_matches(blank);
    }
    text
}

/// Without a token such as `<|im_end|>`, `</s>` or `<end_of_turn>` at the end.
fn without_end_token(text: &str) -> Option<&str> {
    for token in ["</s>", "<eos>", "<end_of_turn>", "<end_of_utterance>", "<pad>"] {
        if let Some(rest) = text.strip_suffix(token) {
            return Some(rest);
        }
    }
    let inside = text.strip_suffix("|>")?;
    let start = inside.rfind("<|")?;
    let is_name = inside[start + 2..].chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then(|| &text[..start])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_width_forms_are_ascii() {
        assert_eq!(plain_forms("答案：（Ｂ）。"), "答案:(B).");
        assert!(matches!(plain_forms("answer: B"), Cow::Borrowed(_)));
    }

    #[test]
    fn thoughts_are_left_out() {
        assert_eq!(after_thinking("<think>A?</think> B"), " B");
        assert_eq!(after_thinking("A? B?</Think>\nC"), "\nC");
        assert_eq!(after_thinking("<think>a</think>b<think>c"), "");
        assert_eq!(after_thinking("I think <b>"), "I think <b>");
    }

    #[test]
    fn end_tokens_go() {
        assert_eq!(bare(" **B**<|im_end|>\n</s>"), "B");
        assert_eq!(bare("a <|b c|>"), "a <|b c|>");
    }
}
