//! The base subject of RFC 5256 section 2.1, with the reply and forward marks of other languages.

/// Marks before a colon, lower case.
const MARKS: [&str; 20] = [
    "re", "fw", "fwd", "aw", "wg", "sv", "vs", "vb", "antw", "rv", "tr", "odp", "pd", "rif", "ref",
    "enc", "res", "i", "r", "ynt",
];

/// The subject without marks, list tags and trailers, in lower case; `extra` are further marks, lower case.
pub(in super::super) fn base(subject: &str, extra: &[&str]) -> String {
    let collapsed = subject
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .to_lowercase();
    let mut text = collapsed.as_str();
    loop {
        let before = text;
        text = text.strip_suffix("(fwd)").map_or(text, str::trim);
        text = leader(text, extra);
        if let Some(inner) = text.strip_prefix("[fwd:").and_then(|t| t.strip_suffix(']')) {
            text = inner.trim();
        }
        if text == before {
            return text.to_owned();
        }
    }
}

/// One mark, or one list tag that leaves something over, taken off.
fn leader<'a>(text: &'a str, extra: &[&str]) -> &'a str {
    if let Some(colon) = text.find(':') {
        let mark = text[..colon].trim();
        // "re[2]" and "re [list]" are "re".
        let word = mark.find('[').map_or(mark, |at| mark[..at].trim());
        let tagged = word.len() < mark.len();
        if (!tagged || mark.ends_with(']')) && (MARKS.contains(&word) || extra.contains(&word)) {
            return text[colon + 1..].trim();
        }
    }
    if let Some(tag) = text.strip_prefix('[')
        && let Some(end) = tag.find([']', '['])
        && tag[end..].starts_with(']')
        && !tag.starts_with("fwd:")
    {
        let rest = tag[end + 1..].trim();
        if !rest.is_empty() {
            return rest;
        }
    }
    text
}
