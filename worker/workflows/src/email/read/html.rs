//! HTML to the text a reader would see, in one bounded pass.
//!
//! Quoted blocks become lines that begin with `>`, so that what follows strips them as in plain mail. Left out: head,
//! styles, scripts, what `display:none` hides (preheaders, tracking), attributes of all kinds. Nothing is fetched.

use super::super::limits;
use mail_parser::decoders::html::add_html_token;

/// Elements that end a line.
const BLOCKS: [&str; 24] = [
    "address",
    "article",
    "blockquote",
    "br",
    "dd",
    "div",
    "dl",
    "dt",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "header",
    "hr",
    "li",
    "ol",
    "p",
    "pre",
    "section",
    "table",
    "tr",
    "ul",
];
/// Elements whose content is not text.
const SILENT: [&str; 7] = [
    "head", "style", "script", "title", "template", "noscript", "svg",
];
/// Elements without an end tag.
const VOID: [&str; 12] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr",
];
/// Deeper quotes than this look all alike.
const MAX_QUOTE_DEPTH: u32 = 8;

#[derive(Default)]
struct Writer {
    out: String,
    quote: u32,
    line_open: bool,
    space: bool,
}

impl Writer {
    fn end_line(&mut self) {
        if self.line_open {
            self.out.push('\n');
        }
        self.line_open = false;
        self.space = false;
    }

    fn empty_line(&mut self) {
        if !self.line_open {
            self.open_line();
        }
        self.end_line();
    }

    fn open_line(&mut self) {
        for _ in 0..self.quote.min(MAX_QUOTE_DEPTH) {
            self.out.push_str("> ");
        }
        self.line_open = true;
    }

    fn word(&mut self, word: &str) {
        if !self.line_open {
            self.open_line();
        } else if self.space {
            self.out.push(' ');
        }
        self.space = false;
        let mut rest = word;
        while let Some(at) = rest.find('&') {
            self.out.push_str(&rest[..at]);
            rest = &rest[at..];
            // Entities are short; an ampersand without a near semicolon stands for itself.
            let end = rest
                .bytes()
                .take(12)
                .position(|b| b == b';')
                .map_or(1, |p| p + 1);
            add_html_token(&mut self.out, &rest.as_bytes()[..end], false);
            rest = &rest[end..];
        }
        self.out.push_str(rest);
    }

    fn text(&mut self, text: &str) {
        if text.starts_with(|c: char| c.is_ascii_whitespace()) {
            self.space = true;
        }
        let mut first = true;
        for word in text.split_ascii_whitespace() {
            self.space |= !first;
            first = false;
            self.word(word);
        }
        self.space |= !first && text.ends_with(|c: char| c.is_ascii_whitespace());
    }
}

/// The text, and whether the markup was cut at its limit.
pub(super) fn to_text(markup: &str) -> (String, bool) {
    let cut = markup.len() > limits::MAX_HTML_BYTES;
    let mut rest = &markup[..markup.floor_char_boundary(limits::MAX_HTML_BYTES)];
    let mut writer = Writer::default();
    // Inside hidden content: which element hides, and how many of its kind are open.
    let mut hidden: Option<(String, u32)> = None;
    let mut last_tag_seen = false;
    while let Some(at) = rest.find('<') {
        if hidden.is_none() {
            writer.text(&rest[..at]);
        }
        rest = &rest[at..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
            continue;
        }
        let is_tag = rest[1..]
            .starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'));
        let end = if is_tag && !last_tag_seen {
            rest.find('>')
        } else {
            None
        };
        let Some(end) = end else {
            // Nothing is searched twice: without a ">" here there is none further on either.
            last_tag_seen |= is_tag;
            if hidden.is_none() {
                writer.text("<");
            }
            rest = &rest[1..];
            continue;
        };
        let tag = Tag::new(&rest[1..end]);
        rest = &rest[end + 1..];
        hidden = match hidden {
            Some(state) => still_hidden(state, &tag),
            None => visible(&tag, &mut writer),
        };
    }
    if hidden.is_none() {
        writer.text(rest);
    }
    writer.end_line();
    (writer.out, cut)
}

struct Tag<'a> {
    name: String,
    closes: bool,
    attributes: &'a str,
}

impl<'a> Tag<'a> {
    fn new(inner: &'a str) -> Self {
        let closes = inner.starts_with('/');
        let inner = inner.trim_start_matches('/');
        let end = inner
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == ':'))
            .unwrap_or(inner.len());
        Self {
            name: inner[..end].to_ascii_lowercase(),
            closes,
            attributes: &inner[end..],
        }
    }

    fn is_void(&self) -> bool {
        self.attributes.ends_with('/') || VOID.contains(&self.name.as_str())
    }

    fn hides(&self) -> bool {
        if SILENT.contains(&self.name.as_str()) {
            return true;
        }
        let packed: String = self
            .attributes
            .chars()
            .filter(|c| !c.is_ascii_whitespace())
            .map(|c| c.to_ascii_lowercase())
            .collect();
        packed.contains("display:none") || packed.contains("visibility:hidden")
    }
}

fn still_hidden((name, depth): (String, u32), tag: &Tag<'_>) -> Option<(String, u32)> {
    if tag.name != name || tag.is_void() {
        return Some((name, depth));
    }
    match (tag.closes, depth) {
        (true, 1) => None,
        (true, _) => Some((name, depth - 1)),
        (false, _) => Some((name, depth + 1)),
    }
}

/// Writes what a visible tag means; the state of a hidden element if it begins one.
fn visible(tag: &Tag<'_>, writer: &mut Writer) -> Option<(String, u32)> {
    if !tag.closes && !tag.is_void() && tag.hides() {
        return Some((tag.name.clone(), 1));
    }
    match tag.name.as_str() {
        "br" if !tag.closes => writer.empty_line(),
        "td" | "th" => writer.space = true,
        "blockquote" => {
            writer.end_line();
            writer.quote = if tag.closes {
                writer.quote.saturating_sub(1)
            } else {
                writer.quote.saturating_add(1)
            };
        }
        "p" | "h1" | "h2" | "h3" | "h4" if tag.closes => {
            writer.end_line();
            writer.empty_line();
        }
        name if BLOCKS.binary_search(&name).is_ok() => writer.end_line(),
        _ => {}
    }
    None
}

#[cfg(test)]
mod tests {
    use super::to_text;

    #[test]
    fn text_is_what_a_reader_sees() {
        for (markup, expected) in [
            (
                "<p>Dear&nbsp;Ada,</p>\n<p>a &amp; b &lt; c &#233; &eacute; &bogus; AT&T</p>",
                "Dear\u{a0}Ada,\n\na & b < c \u{e9} \u{e9} &bogus; AT&T\n\n",
            ),
            ("one<br>two<br/>\n<b>th</b>ree", "one\ntwo\nthree\n"),
            (
                "<head><title>x</title><style>p{}</style></head><body>y<script>z<</script></body>",
                "y\n",
            ),
            (
                "<div style='display: none'>pre<div>header</div>more</div>seen<!-- <p>not --> too",
                "seen too\n",
            ),
            (
                "new<blockquote type=cite>old<blockquote>older</blockquote></blockquote>end",
                "new\n> old\n> > older\nend\n",
            ),
            ("1 < 2 and 3 <", "1 < 2 and 3 <\n"),
            (
                "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>",
                "a b\nc\n",
            ),
            ("<unclosed attribute=\"", "<unclosed attribute=\"\n"),
            ("", ""),
        ] {
            assert_eq!(to_text(markup).0, expected, "{markup}");
        }
    }

    #[test]
    fn hostile_markup_takes_linear_time_and_little_room() {
        let cap = super::limits::MAX_HTML_BYTES;
        for piece in [
            "<blockquote>a",
            "<",
            "<div style=display:none>",
            "&#1",
            "<!--",
        ] {
            let markup = piece.repeat(cap / piece.len() + 10);
            let (text, cut) = to_text(&markup);
            assert!(cut && text.len() <= 24 * markup.len());
        }
    }
}
