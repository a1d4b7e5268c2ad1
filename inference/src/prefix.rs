//! What finished sequences computed, for others that begin with the same tokens: the chat template, a document, a conversation.

use crate::llama::Cache;
use std::collections::VecDeque;
use touchstone_primitives::H256;

/// Shorter beginnings are not worth a copy.
const SHORTEST: usize = 8;

/// Finished sequences within a budget of bytes, the most recently used last.
pub(crate) struct Prefixes {
    budget: usize,
    kept: VecDeque<Kept>,
}

struct Kept {
    adapter: Option<H256>,
    tokens: Vec<u32>,
    cache: Cache,
}

impl Prefixes {
    pub(crate) fn new(budget: usize) -> Self {
        Self {
            budget,
            kept: VecDeque::new(),
        }
    }

    /// A cache for the longest known beginning of a prompt. Its last token is always left to compute, for the logits.
    pub(crate) fn find(&mut self, adapter: Option<H256>, prompt: &[u32]) -> Cache {
        let usable = prompt.len().saturating_sub(1);
        let common = |kept: &Kept| {
            let alike = kept
                .tokens
                .iter()
                .zip(prompt)
                .take_while(|(a, b)| a == b)
                .count();
            alike.min(usable).min(kept.cache.length)
        };
        let best = self
            .kept
            .iter()
            .enumerate()
            .filter(|(_, kept)| kept.adapter == adapter)
            .map(|(index, kept)| (common(kept), index))
            .max();
        let Some((count, index)) = best.filter(|(count, _)| *count >= SHORTEST) else {
            return Cache::default();
        };
        let Some(kept) = self.kept.remove(index) else {
            return Cache::default();
        };
        let cache = kept.cache.prefix(count);
        self.kept.push_back(kept);
        cache
    }

    /// Keeps what a sequence computed, unless another one holds it already.
    pub(crate) fn keep(&mut self, adapter: Option<H256>, tokens: Vec<u32>, cache: Cache) {
        if cache.bytes() > self.budget {
            return;
        }
        // Of two that begin alike the longer one serves both.
        let covered = |long: &[u32], short: &[u32]| long.starts_with(short);
        if self
            .kept
            .iter()
            .any(|k| k.adapter == adapter && covered(&k.tokens, &tokens))
        {
            return;
        }
        self.kept
            .retain(|k| k.adapter != adapter || !covered(&tokens, &k.tokens));
        self.kept.push_back(Kept {
            adapter,
            tokens,
            cache,
        });
        let mut bytes: usize = self.kept.iter().map(|k| k.cache.bytes()).sum();
        while bytes > self.budget {
            let Some(oldest) = self.kept.pop_front() else {
                return;
            };
            bytes -= oldest.cache.bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(length: usize) -> Cache {
        Cache::default().prefix(length)
    }

    #[test]
    fn longest_common_beginning_of_the_same_adapter_is_found() {
        let mut prefixes = Prefixes::new(1 << 20);
        let tokens: Vec<u32> = (0..40).collect();
        prefixes.keep(None, tokens[..20].to_vec(), cache(20));
        prefixes.keep(None, tokens[..30].to_vec(), cache(30));
        prefixes.keep(None, tokens[..25].to_vec(), cache(25));
        assert_eq!(prefixes.kept.len(), 1, "the longest one serves for all");
        assert_eq!(prefixes.find(None, &tokens).length, 30);
        assert_eq!(
            prefixes.find(None, &tokens[..30]).length,
            29,
            "one token is left to compute"
        );
        assert_eq!(prefixes.find(None, &tokens[..SHORTEST]).length, 0);
        assert_eq!(prefixes.find(Some(H256::zero()), &tokens).length, 0);
        let other: Vec<u32> = tokens
            .iter()
            .map(|t| if *t < 12 { *t } else { 99 })
            .collect();
        assert_eq!(prefixes.find(None, &other).length, 12);
    }
}
