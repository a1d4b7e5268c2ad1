//! Takes the one program out of what a model wrote. As with other answers there is exactly one candidate.
//!
//! 1. The last block between fences (lines that begin with ```` ``` ```` or `~~~`, whatever stands behind them) is the program. A block that was
//!    begun and not closed, because the answer was cut, reaches to the end.
//! 2. Without a fence the whole text is the program, without one pair of backticks around it.

/// The program of an answer; `None` where there is none.
///
/// ```
/// use touchstone_checkers::extract::program;
/// assert_eq!(program("Here it is:\n```sql\nSELECT 1\n```\nDone."), Some("SELECT 1\n"));
/// assert_eq!(program(" `SELECT 1` "), Some("SELECT 1"));
/// assert_eq!(program("```\n```"), None);
/// ```
pub fn program(answer: &str) -> Option<&str> {
    let mut last = None;
    let mut open: Option<(&str, usize)> = None;
    let mut at = 0;
    for line in answer.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let fence = ["```", "~~~"]
            .into_iter()
            .find(|fence| line.trim_start().starts_with(fence));
        match (open, fence) {
            (None, Some(fence)) => open = Some((fence, at)),
            (Some((opened, from)), Some(fence)) if opened == fence => {
                last = Some(&answer[from..start]);
                open = None;
            }
            _ => {}
        }
    }
    let program = match (open, last) {
        (Some((_, from)), _) => &answer[from..],
        (None, Some(block)) => block,
        (None, None) => {
            let whole = answer.trim();
            whole
                .strip_prefix('`')
                .and_then(|rest| rest.strip_suffix('`'))
                .unwrap_or(whole)
        }
    };
    (!program.trim().is_empty()).then_some(program)
}

#[cfg(test)]
mod tests {
    use super::program;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_has_at_most_one_program_which_is_a_part_of_it(text in "(`{1,4}|~{3}|[a-zé]|\n| ){0,40}") {
            if let Some(found) = program(&text) {
                prop_assert!(text.contains(found) && !found.trim().is_empty());
            }
        }
    }

    #[test]
    fn the_last_block_is_the_program() {
        for (answer, expected) in [
            ("SELECT 1", Some("SELECT 1")),
            (
                "```\nfirst\n```\nor\n~~~py\nsecond\n~~~\n",
                Some("second\n"),
            ),
            (
                "```python\ndef f(x):\n    return 1",
                Some("def f(x):\n    return 1"),
            ),
            ("```\none\n```\n```\ncut", Some("cut")),
            ("  ```sql\nSELECT 2\n  ```", Some("SELECT 2\n")),
            ("~~~\na\n```\nb\n~~~", Some("a\n```\nb\n")),
            ("", None),
            (" \n", None),
            ("```", None),
            ("``", None),
        ] {
            assert_eq!(program(answer), expected, "{answer:?}");
        }
    }
}
