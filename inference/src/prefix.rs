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
