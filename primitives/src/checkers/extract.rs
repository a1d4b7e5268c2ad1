//! Takes the one answer out of what a model wrote. There is always exactly one candidate, whatever was written: a list of guesses
//! does not pass because one of them is right.
//!
//! 1. **Marks.** The last mark wins: `Answer:`, `Final answer:`, `The answer is`, `####`, `\boxed{…}`, `<answer>…</answer>`, in upper or
//!    lower case. What follows it, up to the end of its line (or its closing bracket), is the *segment*.
//! 2. **Without a mark** the segment is the whole text.
//! 3. A **number** is read after the segment's last `=`, if there is one; then the first number is taken. In an unmarked segment
//!    without `=` the last number is taken (a sentence ends with its result). `1,234` is 1234, `$` and `%` are passed over.
//! 4. A **word** is the first word of a marked segment, and the last word of an unmarked one.
//! 5. A **text** is a marked segment, else the last line that is not empty.
//! 6. A **list** is like a text, cut at commas, semicolons, blanks and `and`; a **set** is a list without order and repetition.
//! 7. **Numbers** are those of the first line of the segment that holds one.
//! 8. A **choice** is one of the given options: the first that occurs in a marked segment, the last that occurs in an unmarked one. Options count
//!    as whole words only.
//! 9. **JSON** is the last complete object or array of the segment.
//! 10. Around texts and words, blanks, quotes, markdown and closing punctuation do not count; nor do upper and lower case.

use super::{json::Value, rational::Rational};
use alloc::{string::String, vec::Vec};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// How an exact answer is taken out and compared.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub enum Form {
    /// A line of text.
    Text,
    /// One word.
    Word,
    /// Words or numbers in order.
    List,
    /// Words or numbers in any order, each once.
    Set,
    /// Numbers in order, whatever words stand between them.
    Numbers,
}

/// What is looked for in front of an answer, in lower case, and what closes it besides the end of the line.
const MARKS: [(&str, Option<char>); 6] = [
    ("final answer:", None),
    ("answer:", None),
    ("the answer is", None),
    ("####", None),
    ("\\boxed{", Some('}')),
    ("<answer>", Some('<')),
];

/// A part of the text, and whether a mark points at it.
struct Segment<'a> {
    text: &'a str,
    marked: bool,
}

fn segment(answer: &str) -> Segment<'_> {
    // Only ASCII letters change, so places stay the same.
    let lower = answer.to_ascii_lowercase();
    let last = MARKS
        .iter()
        .filter_map(|(mark, close)| {
            let start = lower.rfind(mark)?;
            Some((start.saturating_add(mark.len()), *close))
        })
        .max_by_key(|(end, _)| *end);
    let Some((start, close)) = last else {
        return Segment {
            text: answer,
            marked: false,
        };
    };
    let rest = answer.get(start..).unwrap_or_default();
    // The answer may stand on the line below its mark.
    let rest = rest.trim_start_matches([' ', '\t', '\n', '\r', ':', '*', '_']);
    let end = rest
        .find(|c| c == '\n' || Some(c) == close)
        .unwrap_or(rest.len());
    Segment {
        text: rest.get(..end).unwrap_or(rest),
        marked: true,
    }
}

/// Whether this stands around an answer without belonging to it.
fn is_dressing(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '*' | '_'
                | '`'
                | '"'
                | '\''
                | '.'
                | ','
                | ';'
                | ':'
                | '!'
                | '?'
                | '('
                | ')'
                | '['
                | ']'
                | '{'
                | '}'
                | '“'
                | '”'
                | '‘'
                | '’'
                | '«'
                | '»'
                | '$'
                | '\\'
                | '<'
                | '>'
        )
}

fn utf8(answer: &[u8]) -> Option<&str> {
    core::str::from_utf8(answer).ok()
}

fn last_line(text: &str) -> &str {
    text.lines()
        .rev()
        .find(|line| !line.trim_matches(is_dressing).is_empty())
        .unwrap_or_default()
}

/// Words of a text, in lower case and without dressing.
fn words(text: &str) -> impl DoubleEndedIterator<Item = String> {
    text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '|'))
        .map(|word| word.trim_matches(is_dressing).to_lowercase())
        .filter(|word| !word.is_empty())
}

fn joined(words: impl Iterator<Item = String>, with: &str) -> String {
    let mut text = String::new();
    for word in words {
        if !text.is_empty() {
            text.push_str(with);
        }
        text.push_str(&word);
    }
    text
}

fn list(text: &str, sorted: bool) -> String {
    let mut items: Vec<String> = words(text).filter(|word| word != "and").collect();
    if sorted {
        items.sort();
        items.dedup();
    }
    joined(items.into_iter(), ",")
}

/// The canonical form of an expected text; `None` for one that no answer could equal.
pub fn normalise(text: &[u8], form: Form) -> Option<Vec<u8>> {
    let text = utf8(text)?;
    let canonical = match form {
        Form::Text => joined(words(text), " "),
        Form::Word => words(text).next()?,
        Form::List => list(text, false),
        Form::Set => list(text, true),
        Form::Numbers => {
            let found = numbers(text).filter_map(|n| Rational::parse(n.as_bytes()));
            joined(found.map(|n| n.to_string()), ",")
        }
    };
    (!canonical.is_empty()).then(|| canonical.into_bytes())
}

/// The text of an answer in canonical form.
pub fn text(answer: &[u8], form: Form) -> Option<Vec<u8>> {
    let segment = segment(utf8(answer)?);
    if form == Form::Word {
        let mut words = words(segment.text);
        let word = if segment.marked {
            words.next()
        } else {
            words.next_back()
        };
        return word.map(String::into_bytes);
    }
    let line = match form {
        Form::Numbers => segment
            .text
            .lines()
            .find(|line| numbers(line).next().is_some())?,
        _ if segment.marked => segment.text,
        _ => last_line(segment.text),
    };
    normalise(line.as_bytes(), form)
}

/// Which of the options the answer names, by place.
pub fn choice(answer: &[u8], options: &[Vec<u8>]) -> Option<usize> {
    let segment = segment(utf8(answer)?);
    let text = segment.text.to_lowercase();
    let named = options.iter().enumerate().filter_map(|(n, option)| {
        let option = utf8(option)?.trim().to_lowercase();
        let mut places = text.match_indices(option.as_str()).filter(|(at, found)| {
            let (before, after) = (text.get(..*at), text.get(at.saturating_add(found.len())..));
            let glued = |c: char| c.is_alphanumeric();
            !found.is_empty()
                && before.is_some_and(|before| !before.ends_with(glued))
                && after.is_some_and(|after| !after.starts_with(glued))
        });
        let place = if segment.marked {
            places.next()
        } else {
            places.last()
        };
        place.map(|(at, _)| (at, n))
    });
    let named = if segment.marked {
        named.min()
    } else {
        named.max()
    };
    named.map(|(_, n)| n)
}

/// The number of an answer.
pub fn number(answer: &[u8]) -> Option<Rational> {
    let segment = segment(utf8(answer)?);
    let (text, first) = match segment.text.rfind('=') {
        // A last `=` with no number behind it ("= ?") says nothing.
        Some(place) if numbers(segment.text.get(place..)?).next().is_some() => {
            (segment.text.get(place..)?, true)
        }
        _ => (segment.text, segment.marked),
    };
    let mut found = numbers(text);
    let found = if first { found.next() } else { found.last() };
    Rational::parse(found?.as_bytes())
}

/// The numbers of a text, in order.
fn numbers(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    core::iter::from_fn(move || {
        loop {
            let start = rest.find(|c: char| c.is_ascii_digit())?;
            // A sign counts where nothing or no word stands before it: `-5`, but not `3-5` or `covid-19`.
            let before = rest.get(..start)?;
            let signed = before
                .strip_suffix(['-', '\u{2212}'])
                .is_some_and(|left| !left.ends_with(|c: char| c.is_alphanumeric() || c == ')'));
            let sign = before.chars().next_back().map_or(0, char::len_utf8);
            let from = if signed {
                start.saturating_sub(sign)
            } else {
                start
            };
            let digits = rest.get(start..)?;
            let length = digits
                .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ',' | '/')))
                .unwrap_or(digits.len());
            let end = start.saturating_add(length);
            let word = rest.get(from..end)?.trim_end_matches(['.', ',', '/']);
            let number = whole_number(word);
            let glued = before.ends_with(|c: char| c.is_alphabetic()) && !signed;
            rest = rest.get(from.saturating_add(number.len())..)?;
            if !glued {
                return Some(number);
            }
        }
    })
}

/// The longest beginning that is one number: `3,5` is two, `1,234` is one; `3/4` is one, `3/4/5` is not.
fn whole_number(word: &str) -> &str {
    let mut end = word.len();
    loop {
        let candidate = word.get(..end).unwrap_or_default();
        if Rational::parse(candidate.as_bytes()).is_some() || end == 0 {
            return candidate;
        }
        end = candidate
            .rfind(['.', ',', '/'])
            .unwrap_or(0)
            .max(usize::from(candidate.is_empty()));
        if end == 0 {
            // Digits too many for a number: taken whole, so that the scan goes on behind them.
            return candidate;
        }
    }
}

/// The JSON of an answer: its last complete object or array.
pub fn json(answer: &[u8]) -> Option<Value> {
    let text = segment(utf8(answer)?);
    // A mark's line may be only the beginning of an object.
    let whole = utf8(answer)?;
    last_json(
        if text.marked && text.text.contains(['{', '[']) && last_json(text.text).is_some() {
            text.text
        } else {
            whole
        },
    )
}

/// Most places at which JSON is looked for.
const MAX_STARTS: usize = 32;

fn last_json(text: &str) -> Option<Value> {
    let mut found = None;
    let mut rest = text;
    for _ in 0..MAX_STARTS {
        let Some(start) = rest.find(['{', '[']) else {
            break;
        };
        let Some(tail) = rest.get(start..) else {
            break;
        };
        match Value::parse_prefix(tail.as_bytes()) {
            Some((value, length)) => {
                found = Some(value);
                rest = tail.get(length..).unwrap_or_default();
            }
            None => rest = tail.get(1..).unwrap_or_default(),
        }
    }
    found
}
