//! Text that streams out: characters only when complete, and nothing of a stop text.

/// Holds text back as long as it could become a stop text.
pub(crate) struct StopScanner {
    stops: Vec<String>,
    held: String,
}

impl StopScanner {
    /// Empty stop texts are ignored.
    pub(crate) fn new(stops: &[String]) -> Self {
        let stops = stops.iter().filter(|s| !s.is_empty()).cloned().collect();
        Self {
            stops,
            held: String::new(),
        }
    }

    /// Takes new text; returns what may be shown and whether a stop text appeared.
    pub(crate) fn push(&mut self, text: &str) -> (String, bool) {
        self.held += text;
        let first = self
            .stops
            .iter()
            .filter_map(|stop| self.held.find(stop.as_str()))
            .min();
        if let Some(at) = first {
            self.held.truncate(at);
            return (std::mem::take(&mut self.held), true);
        }
        let keep = self
            .stops
            .iter()
            .map(|stop| overlap(&self.held, stop))
            .max()
            .unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - keep);
        (std::mem::replace(&mut self.held, rest), false)
    }

    /// What is still held back when the answer ends.
    pub(crate) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

/// Bytes of the longest end of `text` that begins `stop`.
fn overlap(text: &str, stop: &str) -> usize {
    (1..=text.len().min(stop.len()))
        .rev()
        .find(|&n| {
            text.is_char_boundary(text.len() - n) && stop.starts_with(&text[text.len() - n..])
        })
        .unwrap_or(0)
}

/// Turns bytes into text as soon as characters are complete; what can never be one becomes U+FFFD.
#[derive(Default)]
pub(crate) struct Utf8Stream(Vec<u8>);

impl Utf8Stream {
    /// Takes new bytes and returns the text that is complete.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> String {
        self.0.extend_from_slice(bytes);
        let mut text = String::new();
        loop {
            match std::str::from_utf8(&self.0) {
                Ok(all) => {
                    text += all;
                    self.0.clear();
                    return text;
                }
                Err(error) => {
                    let valid = error.valid_up_to();
                    text += &String::from_utf8_lossy(&self.0[..valid]);
                    let Some(bad) = error.error_len() else {
                        self.0.drain(..valid);
                        return text;
                    };
                    text.push(char::REPLACEMENT_CHARACTER);
                    self.0.drain(..valid + bad);
                }
            }
        }
    }

    /// What is left at the end: an incomplete character becomes U+FFFD.
    pub(crate) fn finish(&mut self) -> String {
        let text = String::from_utf8_lossy(&self.0).into_owned();
        self.0.clear();
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stop_text_across_pieces_is_never_shown() {
        let mut scanner = StopScanner::new(&["END".into(), String::new()]);
        assert_eq!(scanner.push("a E"), ("a ".into(), false));
        assert_eq!(scanner.push("x EN"), ("Ex ".into(), false));
        assert_eq!(scanner.push("D tail"), (String::new(), true));
    }

    proptest! {
        #[test]
        fn pieces_add_up_however_text_is_cut(text in ".{0,40}", cut in 1usize..5) {
            let mut utf8 = Utf8Stream::default();
            let mut out: String = text.as_bytes().chunks(cut).map(|c| utf8.push(c)).collect();
            out += &utf8.finish();
            prop_assert_eq!(&out, &text);
            let mut scanner = StopScanner::new(&["ab".into(), "bcd".into()]);
            let mut shown = String::new();
            let mut stopped = false;
            for c in text.chars() {
                let (t, s) = scanner.push(&c.to_string());
                shown += &t;
                if s { stopped = true; break; }
            }
            if !stopped { shown += &scanner.finish(); }
            let end = [text.find("ab"), text.find("bcd")].into_iter().flatten().min();
            prop_assert_eq!(shown, text[..end.unwrap_or(text.len())].to_string());
        }

        #[test]
        fn any_bytes_become_the_lossy_text(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut utf8 = Utf8Stream::default();
            let mut out: String = bytes.chunks(1).map(|c| utf8.push(c)).collect();
            out += &utf8.finish();
            prop_assert_eq!(out, String::from_utf8_lossy(&bytes).into_owned());
        }
    }
}
