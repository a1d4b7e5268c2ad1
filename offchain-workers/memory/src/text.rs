//! Plain text of documents, and its division into passages. Nothing here recurses, so nesting cannot exhaust the stack.

use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts, states,
};
use std::cell::{Cell, RefCell};

/// Longest passage, in bytes; about what the embedding model reads of a text.
pub(crate) const PASSAGE: usize = 1200;
/// Passages shorter than this are joined with the next one.
const SHORT: usize = 300;

/// Collects what a reader would see. Only tokens are read, never a tree.
#[derive(Default)]
struct Visible {
    text: RefCell<String>,
    title: RefCell<String>,
    in_title: Cell<bool>,
}

/// Elements whose content is no text for readers.
const RAW: &[&str] = &[
    "script", "style", "noscript", "template", "iframe", "xmp", "noembed", "noframes",
];
/// Elements within a line.
const INLINE: &[&str] = &[
    "a", "abbr", "b", "code", "em", "font", "i", "kbd", "samp", "small", "span", "strong", "sub",
    "sup", "tt", "u", "var",
];

impl Visible {
    fn tag(&self, tag: &Tag) -> TokenSinkResult<()> {
        let name: &str = &tag.name;
        if name == "title" {
            self.in_title.set(tag.kind == TagKind::StartTag);
            if tag.kind == TagKind::StartTag {
                return TokenSinkResult::RawData(states::RawKind::Rcdata);
            }
        }
        if tag.kind == TagKind::StartTag && RAW.contains(&name) {
            return match name {
                "script" => TokenSinkResult::RawData(states::RawKind::ScriptData),
                _ => TokenSinkResult::RawData(states::RawKind::Rawtext),
            };
        }
        if !INLINE.contains(&name) {
            let paragraph = name.starts_with('h')
                || ["p", "div", "pre", "table", "ul", "ol", "section"].contains(&name);
            self.text
                .borrow_mut()
                .push_str(if paragraph { "\n\n" } else { "\n" });
        }
        TokenSinkResult::Continue
    }
}

/// A sink that forgets what raw elements hold.
struct Sink {
    visible: Visible,
    raw: RefCell<Option<String>>,
}

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
        match token {
            Token::TagToken(tag) => {
                let mut raw = self.raw.borrow_mut();
                if tag.kind == TagKind::EndTag && raw.as_deref() == Some(&*tag.name) {
                    *raw = None;
                } else if tag.kind == TagKind::StartTag
                    && RAW.contains(&&*tag.name)
                    && !tag.self_closing
                {
                    *raw = Some(tag.name.to_string());
                }
                drop(raw);
                self.visible.tag(&tag)
            }
            Token::CharacterTokens(text) => {
                if self.raw.borrow().is_none() {
                    let target = if self.visible.in_title.get() {
                        &self.visible.title
                    } else {
                        &self.visible.text
                    };
                    target.borrow_mut().push_str(&text);
                }
                TokenSinkResult::Continue
            }
            _ => TokenSinkResult::Continue,
        }
    }
}

/// Title and visible text of an HTML document.
pub(crate) fn html(document: &str) -> (String, String) {
    let sink = Sink {
        visible: Visible::default(),
        raw: RefCell::new(None),
    };
    let tokenizer = Tokenizer::new(sink, TokenizerOpts::default());
    let input = BufferQueue::default();
    input.push_back(document.into());
    // The sink never asks to stop, so one call reads all.
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    let visible = &tokenizer.sink.visible;
    let title = visible
        .title
        .borrow()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    (title, visible.text.take())
}

/// Text of a manual page: requests become text or nothing, escapes their characters.
pub(crate) fn manual(page: &str) -> (String, String) {
    let (mut title, mut text) = (String::new(), String::new());
    for line in page.lines() {
        if line.starts_with(".\\\"") || line.starts_with("'\\\"") {
            continue;
        }
        let Some(request) = line.strip_prefix(['.', '\'']) else {
            text.push_str(&unescaped(line));
            text.push('\n');
            continue;
        };
        let (name, rest) = request.split_once(' ').unwrap_or((request, ""));
        let rest = unescaped(&rest.replace('"', ""));
        match name {
            "TH" | "Dt" => {
                let mut words = rest.split_whitespace();
                title = match (words.next(), words.next()) {
                    (Some(name), Some(section)) => format!("{name}({section})"),
                    _ => rest.trim().to_string(),
                };
            }
            "SH" | "SS" | "Sh" | "Ss" => text.push_str(&format!("\n\n{rest}\n")),
            "PP" | "P" | "LP" | "Pp" | "TP" | "sp" => text.push('\n'),
            "ad" | "nh" | "if" | "ie" | "el" | "de" | "ds" | "nr" | "hy" | "so" | "tr" | "rm"
            | "ne" | "ft" | "in" | "ti" | "ta" => {}
            "IP" => text.push_str(&format!("\n{rest}\n")),
            _ if !rest.is_empty() => text.push_str(&format!("{rest}\n")),
            _ => {}
        }
    }
    (title, text)
}

fn unescaped(line: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(line.len()), line.chars());
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match rest.next() {
            Some('f') => match rest.next() {
                Some('(') => rest = skip(rest, 2),
                Some('[') => rest.by_ref().take_while(|c| *c != ']').for_each(drop),
                _ => {}
            },
            Some('s') => rest = skip(rest, 1),
            Some('(') => {
                let name: String = rest.by_ref().take(2).collect();
                out.push_str(match name.as_str() {
                    "lq" | "rq" => "\"",
                    "aq" | "oq" | "cq" => "'",
                    "em" | "en" | "hy" => "-",
                    "bu" => "*",
                    _ => " ",
                });
            }
            Some('*') => match rest.next() {
                Some('(') => rest = skip(rest, 2),
                Some('[') => rest.by_ref().take_while(|c| *c != ']').for_each(drop),
                _ => {}
            },
            Some('[') => rest.by_ref().take_while(|c| *c != ']').for_each(drop),
            Some('&' | '/' | ',' | ':' | '%' | '|' | '^') | None => {}
            Some('"') => return out,
            Some('e') => out.push('\\'),
            Some('-') => out.push('-'),
            Some(c) => out.push(c),
        }
    }
    out
}

fn skip(mut chars: std::str::Chars<'_>, count: usize) -> std::str::Chars<'_> {
    chars.by_ref().take(count).for_each(drop);
    chars
}

/// Passages of a text with the heading that each stands under. Short paragraphs are joined, long ones are cut at spaces.
pub(crate) fn passages(text: &str, markdown: bool) -> Vec<(Option<String>, String)> {
    let (mut out, mut heading, mut open) = (Vec::new(), None, String::new());
    let close = |open: &mut String, heading: &Option<String>, out: &mut Vec<_>| {
        let text = std::mem::take(open);
        if text.chars().any(char::is_alphanumeric) {
            out.push((heading.clone(), text));
        }
    };
    let (mut paragraph, mut fenced) = (String::new(), false);
    for line in text.lines().chain([""]) {
        let line = line.trim_end();
        fenced ^= markdown && line.trim_start().starts_with("```");
        let starts = markdown && !fenced && line.starts_with('#');
        if line.trim().is_empty() || starts || paragraph.len() > PASSAGE {
            for piece in pieces(&paragraph) {
                if !open.is_empty() && open.len() + piece.len() + 1 > PASSAGE {
                    close(&mut open, &heading, &mut out);
                }
                if !open.is_empty() {
                    open.push('\n');
                }
                open.push_str(piece);
                if open.len() >= SHORT {
                    close(&mut open, &heading, &mut out);
                }
            }
            paragraph.clear();
        }
        if starts {
            close(&mut open, &heading, &mut out);
            heading = Some(shortened(line.trim_start_matches('#').trim(), 200).to_string());
        } else if !line.trim().is_empty() {
            if !paragraph.is_empty() {
                paragraph.push('\n');
            }
            paragraph.push_str(line);
        }
    }
    close(&mut open, &heading, &mut out);
    out
}

/// A text cut into pieces of at most [`PASSAGE`] bytes, at a space where there is one.
fn pieces(mut text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    while text.len() > PASSAGE {
        let head = shortened(text, PASSAGE);
        let cut = head
            .rfind(char::is_whitespace)
            .filter(|at| *at > 0)
            .unwrap_or(head.len());
        let (piece, rest) = text.split_at(cut);
        out.push(piece);
        text = rest.trim_start();
    }
    if !text.is_empty() {
        out.push(text);
    }
    out
}

/// The longest beginning of at most `limit` bytes that ends between characters.
pub(crate) fn shortened(text: &str, limit: usize) -> &str {
    let end = (0..=limit.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_gives_what_a_reader_sees() {
        let (title, text) = html(
            "<title>A &amp; B</title><script>alert('x')</script><style>p{}</style><p>One <b>bold</b> word<p>Two<br>three<!-- no -->",
        );
        assert_eq!(title, "A & B");
        let words: Vec<_> = text.split_whitespace().collect();
        assert_eq!(words, ["One", "bold", "word", "Two", "three"]);
    }

    #[test]
    fn hostile_html_neither_overflows_the_stack_nor_runs_away() {
        let deep = "<div>".repeat(1_000_000) + "end";
        assert_eq!(html(&deep).1.trim(), "end");
        let attributes = format!("<p {}>end", "a='<script>' ".repeat(100_000));
        assert_eq!(html(&attributes).1.trim(), "end");
        for torn in [
            "<script>never closed",
            "<!--",
            "<p a=\"",
            "<![CDATA[",
            "&#xFFFFFFFFFF;",
            "<title>x",
        ] {
            html(torn);
        }
    }

    #[test]
    fn manual_pages_lose_their_markup() {
        let (title, text) = manual(
            ".TH LS 1 now\n.SH NAME\nls \\- list \\fBdirectory\\fR contents\n.\\\" comment\n.B bold",
        );
        assert_eq!(title, "LS(1)");
        let words: Vec<_> = text.split_whitespace().collect();
        assert_eq!(
            words,
            ["NAME", "ls", "-", "list", "directory", "contents", "bold"]
        );
    }

    #[test]
    fn passages_are_short_keep_their_heading_and_lose_no_word() {
        let long = "word ".repeat(2000);
        let text = format!(
            "# First\n\nshort\n\nalso short\n\n## Second\n\n{long}\n\n{}",
            "é".repeat(3000)
        );
        let passages = passages(&text, true);
        assert!(passages.iter().all(|(_, text)| text.len() <= PASSAGE));
        assert_eq!(
            passages[0],
            (Some("First".into()), "short\nalso short".into())
        );
        assert!(
            passages[1..]
                .iter()
                .all(|(h, _)| h.as_deref() == Some("Second"))
        );
        let count = |what: &str| {
            passages
                .iter()
                .map(|(_, t)| t.matches(what).count())
                .sum::<usize>()
        };
        assert_eq!((count("word"), count("é")), (2000, 3000));
    }
}
