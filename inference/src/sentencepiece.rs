//! Text to tokens as SentencePiece's BPE does it: of all neighbours that make a token together, those with the best score are
//! joined first. What makes no token at all becomes one token for each byte.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

/// Stands for a space in the vocabulary.
pub(crate) const SPACE: char = '\u{2581}';

/// A vocabulary with scores.
pub(crate) struct SentencePiece {
    /// Tokens of text, with their scores as numbers that sort like them.
    tokens: HashMap<String, (u32, i32)>,
    /// The tokens of all bytes.
    bytes: [u32; 256],
    /// Whether text begins with a space that nobody wrote.
    space_first: bool,
}

/// A part of the text that is, or becomes, a token.
#[derive(Clone, Copy)]
struct Part {
    start: usize,
    /// 0 when it has been joined to the part before it.
    length: usize,
    before: Option<usize>,
    after: Option<usize>,
}

/// Two neighbours that may be joined: the best score first, and of equal ones the leftmost. The length tells whether one of them
/// has changed since.
type Pair = (i32, Reverse<usize>, usize, usize);

impl SentencePiece {
    /// A vocabulary of tokens with ids and scores, and the tokens of the 256 bytes.
    pub(crate) fn new<'a>(
        tokens: impl Iterator<Item = (&'a str, u32, f32)>,
        bytes: [u32; 256],
        space_first: bool,
    ) -> Self {
        Self {
            tokens: tokens
                .map(|(text, id, score)| (text.into(), (id, sortable(score))))
                .collect(),
            bytes,
            space_first,
        }
    }

    /// Appends the tokens of a text.
    pub(crate) fn encode(&self, text: &str, out: &mut Vec<u32>) {
        let space = if self.space_first { " " } else { "" };
        let text = format!("{space}{text}").replace(' ', "\u{2581}");
        let mut parts: Vec<Part> = text
            .char_indices()
            .enumerate()
            .map(|(n, (start, c))| Part {
                start,
                length: c.len_utf8(),
                before: n.checked_sub(1),
                after: Some(n + 1),
            })
            .collect();
        if let Some(last) = parts.last_mut() {
            last.after = None;
        }
        let mut pairs = BinaryHeap::new();
        for left in 0..parts.len() {
            pairs.extend(self.pair(&text, &parts, left));
        }
        while let Some((_, Reverse(left), right, length)) = pairs.pop() {
            let (a, b) = (parts[left], parts[right]);
            if a.length == 0 || b.length == 0 || a.length + b.length != length {
                continue;
            }
            parts[left].length = length;
            parts[left].after = b.after;
            parts[right].length = 0;
            if let Some(after) = b.after {
                parts[after].before = Some(left);
            }
            pairs.extend(self.pair(&text, &parts, left));
            pairs.extend(a.before.and_then(|before| self.pair(&text, &parts, before)));
        }
        for part in parts.iter().filter(|part| part.length > 0) {
            let text = &text[part.start..][..part.length];
            match self.tokens.get(text) {
                Some((id, _)) => out.push(*id),
                None => out.extend(text.bytes().map(|b| self.bytes[usize::from(b)])),
            }
        }
    }

    /// The part and the one after it, if they make a token.
    fn pair(&self, text: &str, parts: &[Part], left: usize) -> Option<Pair> {
        let (a, right) = (parts[left], parts[left].after?);
        let length = a.length + parts[right].length;
        let (_, score) = self.tokens.get(&text[a.start..][..length])?;
        Some((*score, Reverse(left), right, length))
    }
}

/// A whole number that sorts as the score does.
fn sortable(score: f32) -> i32 {
    // Minus zero is zero; then the order of the bits is that of the numbers, and backwards below zero.
    let bits = (score + 0.0).to_bits() as i32;
    bits ^ (((bits >> 31) as u32) >> 1) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiny(space_first: bool) -> SentencePiece {
        let words = ["a", "b", "c", "ab", "bc", "abc", "\u{2581}", "\u{2581}a"];
        let scores = [-9.0, -9.0, -9.0, -2.0, -1.0, -3.0, -9.0, -0.5];
        let tokens = words.into_iter().zip(0..).zip(scores);
        let bytes = std::array::from_fn(|b| 1000 + b as u32);
        SentencePiece::new(tokens.map(|((t, id), s)| (t, id, s)), bytes, space_first)
    }

    fn encode(vocabulary: &SentencePiece, text: &str) -> Vec<u32> {
        let mut out = Vec::new();
        vocabulary.encode(text, &mut out);
        out
    }

    #[test]
    fn neighbours_with_the_best_score_are_joined_first() {
        let vocabulary = tiny(false);
        assert_eq!(
            encode(&vocabulary, "abc"),
            [5],
            "a + bc, the better pair, make abc"
        );
        assert_eq!(encode(&vocabulary, "abbc"), [3, 4]);
        assert_eq!(encode(&vocabulary, "aab"), [0, 3]);
        assert_eq!(
            encode(&vocabulary, "b ab"),
            [1, 7, 1],
            "the space takes the a from the b"
        );
        assert_eq!(encode(&vocabulary, ""), [0u32; 0]);
    }

    #[test]
    fn unknown_text_becomes_bytes() {
        assert_eq!(
            encode(&tiny(false), "a\u{e9}b"),
            [0, 1000 + 0xc3, 1000 + 0xa9, 1]
        );
    }

    #[test]
    fn vocabularies_that_ask_for_it_begin_with_a_space() {
        assert_eq!(encode(&tiny(true), "ab"), [7, 1]);
        assert_eq!(encode(&tiny(false), "ab"), [3]);
    }

    #[test]
    fn scores_sort_as_numbers() {
        let scores = [-1e9, -2.5, -1.0, -0.0, 0.0, 0.5, 3e9];
        let sorted: Vec<i32> = scores.map(sortable).into();
        assert!(sorted.is_sorted());
        assert_eq!(sorted[3], sorted[4]);
    }
}
