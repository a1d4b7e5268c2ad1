//! Text to tokens and back, and conversations to prompts, from what a GGUF file says about itself.

use crate::{
    EngineError,
    gguf::Gguf,
    sentencepiece::{SPACE, SentencePiece},
};
use codec::Encode;
use minijinja::{Environment, context, syntax::SyntaxConfig};
use std::collections::{BTreeMap, HashMap};
use tokenizers::{
    Model as _, PreTokenizer, SplitDelimiterBehavior,
    models::bpe::BPE,
    pre_tokenizers::{
        PreTokenizerWrapper,
        byte_level::ByteLevel,
        digits::Digits,
        sequence::Sequence,
        split::{Split, SplitPattern},
    },
    tokenizer::{OffsetReferential, OffsetType, PreTokenizedString},
};
use touchstone_primitives::{
    H256,
    request::{Message, Role},
    tagged_hash,
};

const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Around the number of a text that was taken out of a message because it reads like a special token.
const MARKS: [char; 2] = ['\u{f0000}', '\u{f0001}'];
/// GGUF's token types.
const NORMAL: i64 = 1;
const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;
const BYTE: i64 = 6;

/// Everything about a model's text.
pub(crate) struct Tokenizer {
    vocabulary: Vocabulary,
    /// Bytes of every token; empty for control tokens.
    bytes: Vec<Vec<u8>>,
    /// Tokens that stand for themselves in a rendered prompt, and whether a message must not contain them.
    specials: BTreeMap<String, (u32, bool)>,
    ends: Vec<u32>,
    bos: Option<u32>,
    template: Environment<'static>,
    bos_text: String,
    eos_text: String,
    /// Hash of vocabulary, merges and special tokens.
    pub(crate) hash: H256,
    /// Hash of the chat template.
    pub(crate) template_hash: H256,
}

/// How text without special tokens becomes tokens. There is one for each model, so its size does not matter.
#[allow(clippy::large_enum_variant)]
enum Vocabulary {
    /// Byte-level BPE, as of GPT-2.
    ByteLevel {
        bpe: BPE,
        splitter: PreTokenizerWrapper,
    },
    SentencePiece(SentencePiece),
}

impl Tokenizer {
    /// Takes tokenizer and chat template from a file's metadata. A file without a template may have it beside it, under its own
    /// name with the ending `.jinja`.
    pub(crate) fn new(gguf: &Gguf) -> Result<Self, EngineError> {
        let kind = gguf.text("tokenizer.ggml.model")?;
        let sentencepiece = kind == "llama";
        if kind != "gpt2" && !sentencepiece {
            let known = "tokenizer.ggml.model: gpt2 (byte-level BPE) or llama (SentencePiece)";
            return Err(gguf.bad(known, kind));
        }
        let tokens = gguf.texts("tokenizer.ggml.tokens")?;
        let types = gguf.numbers("tokenizer.ggml.token_type")?;
        if tokens.is_empty() || types.len() != tokens.len() {
            return Err(gguf.bad(
                "as many token types as tokens",
                format!("{} tokens, {} types", tokens.len(), types.len()),
            ));
        }
        let most = tokens.len() as u64 - 1;
        let bos = gguf.number("tokenizer.ggml.bos_token_id", 0, most)? as u32;
        let eos = gguf.number("tokenizer.ggml.eos_token_id", 0, most)? as u32;
        let add_bos = gguf.flag("tokenizer.ggml.add_bos_token", false)?;
        let source = template_source(gguf)?;
        let template_hash = tagged_hash("touchstone/chat-template/1", &[source.as_bytes()]);

        let mut specials = BTreeMap::new();
        for ((text, kind), id) in tokens.iter().zip(&types).zip(0u32..) {
            if matches!(*kind, CONTROL | USER_DEFINED) && !text.is_empty() {
                specials.insert(text.to_string(), (id, *kind == CONTROL));
            }
        }
        let ids = (bos, eos, add_bos);
        let Read {
            vocabulary,
            bytes,
            hash,
        } = match sentencepiece {
            true => read_sentencepiece(gguf, &tokens, &types, ids)?,
            false => read_byte_level(gguf, &tokens, &types, ids)?,
        };
        let mut ends = vec![eos];
        if gguf.metadata.contains_key("tokenizer.ggml.eot_token_id") {
            ends.push(gguf.number("tokenizer.ggml.eot_token_id", 0, most)? as u32);
        }
        for text in ["<|im_end|>", "<|eot_id|>", "<|endoftext|>", "<end_of_turn>"] {
            ends.extend(specials.get(text).map(|(id, _)| *id));
        }

        let mut template = Environment::new();
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build();
        template.set_syntax(syntax.map_err(|e| EngineError::Failed(e.to_string()))?);
        // Templates are written for Python's Jinja and call methods of its strings and dictionaries.
        template.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        // A template that loops for ever is an error, not a hang.
        template.set_fuel(Some(1_000_000));
        template.add_function(
            "raise_exception",
            |message: String| -> Result<String, minijinja::Error> {
                Err(minijinja::Error::new(
                    minijinja::ErrorKind::InvalidOperation,
                    message,
                ))
            },
        );
        template
            .add_template_owned("chat", source)
            .map_err(|e| gguf.bad("tokenizer.chat_template: a Jinja template", e.to_string()))?;
        let text_of = |id: u32| {
            tokens
                .get(id as usize)
                .map(|t| t.to_string())
                .unwrap_or_default()
        };
        let tokenizer = Self {
            vocabulary,
            bytes,
            specials,
            ends,
            bos: add_bos.then_some(bos),
            template,
            bos_text: text_of(bos),
            eos_text: text_of(eos),
            hash,
            template_hash,
        };
        let greeting = [Message {
            role: Role::User,
            content: "hello".into(),
        }];
        tokenizer
            .prompt(&greeting)
            .map_err(|e| gguf.bad("a chat template that renders a question", e.to_string()))?;
        Ok(tokenizer)
    }

    /// Number of tokens.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Whether the token ends an answer.
    pub(crate) fn is_end(&self, token: u32) -> bool {
        self.ends.contains(&token)
    }

    /// The bytes that the token stands for.
    pub(crate) fn bytes(&self, token: u32) -> &[u8] {
        self.bytes.get(token as usize).map_or(&[], Vec::as_slice)
    }

    /// The tokens of a conversation, up to where the answer begins.
    ///
    /// A message cannot smuggle in control tokens: what reads like one stays plain text.
    pub(crate) fn prompt(&self, messages: &[Message]) -> Result<Vec<u32>, EngineError> {
        let mut taken = Vec::new();
        let messages: Vec<BTreeMap<&str, String>> = messages
            .iter()
            .map(|m| {
                let role = match m.role {
                    Role::System => "system",
                    Role::User => "user",
                    Role::Assistant => "assistant",
                };
                let content = self.take_out(&m.content, &mut taken);
                BTreeMap::from([("role", role.to_string()), ("content", content)])
            })
            .collect();
        let rendered = self
            .template
            .get_template("chat")
            .and_then(|t| {
                t.render(context! {
                    messages,
                    add_generation_prompt => true,
                    bos_token => self.bos_text.clone(),
                    eos_token => self.eos_text.clone(),
                })
            })
            .map_err(|e| EngineError::Failed(format!("the chat template: {e}")))?;
        let mut tokens = self.encode(&rendered, &taken)?;
        if let Some(bos) = self.bos.filter(|bos| tokens.first() != Some(bos)) {
            tokens.insert(0, bos);
        }
        Ok(tokens)
    }

    /// The tokens of an answer, its end mark included. What reads like a control token stays plain text.
    pub(crate) fn answer(&self, text: &str) -> Result<Vec<u32>, EngineError> {
        let mut taken = Vec::new();
        let mut tokens = self.encode(&self.take_out(text, &mut taken), &taken)?;
        // The file's own end mark comes first.
        tokens.extend(self.ends.first());
        Ok(tokens)
    }

    /// Replaces control tokens in a message by marked numbers.
    fn take_out(&self, content: &str, taken: &mut Vec<String>) -> String {
        let mut out = String::new();
        let mut rest = content;
        while let Some(first) = rest.chars().next() {
            let control = self.special_at(rest).filter(|(_, _, control)| *control);
            let length = match control {
                Some((length, _, _)) => length,
                None if MARKS.contains(&first) => first.len_utf8(),
                None => {
                    out.push(first);
                    rest = &rest[first.len_utf8()..];
                    continue;
                }
            };
            out.push(MARKS[0]);
            out += &taken.len().to_string();
            out.push(MARKS[1]);
            taken.push(rest[..length].to_string());
            rest = &rest[length..];
        }
        out
    }

    /// The longest special token at the start of the text: its length, its id, whether it is a control token.
    fn special_at(&self, text: &str) -> Option<(usize, u32, bool)> {
        let first = text.chars().next()?.to_string();
        self.specials
            .range(first.clone()..)
            .take_while(|(special, _)| special.starts_with(&first))
            .filter(|(special, _)| text.starts_with(special.as_str()))
            .map(|(special, (id, control))| (special.len(), *id, *control))
            .max()
    }

    /// Tokens of rendered text; marked numbers become what was taken out, as plain text.
    fn encode(&self, rendered: &str, taken: &[String]) -> Result<Vec<u32>, EngineError> {
        let mut tokens = Vec::new();
        let mut plain = String::new();
        let mut rest = rendered;
        while let Some(first) = rest.chars().next() {
            if first == MARKS[0] {
                let inside = rest[first.len_utf8()..]
                    .split(MARKS[1])
                    .next()
                    .unwrap_or_default();
                if let Some(text) = inside.parse::<usize>().ok().and_then(|n| taken.get(n)) {
                    plain += text;
                    rest = rest
                        .get(first.len_utf8() + inside.len() + MARKS[1].len_utf8()..)
                        .unwrap_or("");
                    continue;
                }
            }
            if let Some((length, id, _)) = self.special_at(rest) {
                self.encode_plain(&std::mem::take(&mut plain), &mut tokens)?;
                tokens.push(id);
                rest = &rest[length..];
                continue;
            }
            plain.push(first);
            rest = &rest[first.len_utf8()..];
        }
        self.encode_plain(&plain, &mut tokens)?;
        Ok(tokens)
    }

    fn encode_plain(&self, text: &str, tokens: &mut Vec<u32>) -> Result<(), EngineError> {
        if text.is_empty() {
            return Ok(());
        }
        let (bpe, splitter) = match &self.vocabulary {
            Vocabulary::ByteLevel { bpe, splitter } => (bpe, splitter),
            Vocabulary::SentencePiece(vocabulary) => {
                vocabulary.encode(text, tokens);
                return Ok(());
            }
        };
        let failed = |e: tokenizers::Error| EngineError::Failed(format!("the tokenizer: {e}"));
        let mut pieces = PreTokenizedString::from(text);
        splitter.pre_tokenize(&mut pieces).map_err(failed)?;
        for (piece, _, _) in pieces.get_splits(OffsetReferential::Original, OffsetType::Byte) {
            let piece = bpe.tokenize(piece).map_err(failed)?;
            tokens.extend(piece.into_iter().map(|t| t.id));
        }
        Ok(())
    }
}

/// A vocabulary as it comes out of a file, with the bytes of its tokens and a hash of everything that matters.
struct Read {
    vocabulary: Vocabulary,
    bytes: Vec<Vec<u8>>,
    hash: H256,
}

/// The chat template: the file's own, or what lies beside it.
fn template_source(gguf: &Gguf) -> Result<String, EngineError> {
    let beside = gguf.path().with_extension("jinja");
    if gguf.metadata.contains_key("tokenizer.chat_template") || !beside.exists() {
        let source = gguf.text("tokenizer.chat_template");
        return source.map(String::from).map_err(|_| {
            let wanted = format!(
                "tokenizer.chat_template, or a template in {}",
                beside.display()
            );
            gguf.bad(wanted, "no text there and no such file")
        });
    }
    std::fs::read_to_string(&beside).map_err(|e| EngineError::BadModel {
        file: beside,
        expected: "a chat template".into(),
        found: e.to_string(),
    })
}

fn read_byte_level(
    gguf: &Gguf,
    tokens: &[&str],
    types: &[i64],
    (bos, eos, add_bos): (u32, u32, bool),
) -> Result<Read, EngineError> {
    let pre = gguf.text("tokenizer.ggml.pre")?;
    let splitter = splitter(pre)
        .ok_or_else(|| gguf.bad("tokenizer.ggml.pre: smollm, gpt-2, llama-bpe or qwen2", pre))?;
    let merges = gguf.texts("tokenizer.ggml.merges")?;
    let hash = tagged_hash(
        "touchstone/tokenizer/1",
        &[&("gpt2", pre, tokens, types, &merges, bos, eos, add_bos).encode()],
    );
    let ids = tokens.iter().map(|text| text.to_string()).zip(0u32..);
    let mut pairs = Vec::with_capacity(merges.len());
    for merge in &merges {
        let (a, b) = merge
            .split_once(' ')
            .ok_or_else(|| gguf.bad("merges of two parts", format!("{merge:?}")))?;
        pairs.push((a.to_string(), b.to_string()));
    }
    let bpe = BPE::builder()
        .vocab_and_merges(ids.collect::<tokenizers::models::bpe::Vocab>(), pairs)
        .build()
        .map_err(|e| gguf.bad("merges of tokens in the vocabulary", e.to_string()))?;
    let alphabet: HashMap<char, u8> = byte_alphabet();
    let spelt = |c: char| match alphabet.get(&c) {
        Some(byte) => vec![*byte],
        None => c.to_string().into_bytes(),
    };
    let bytes = tokens.iter().zip(types).map(|(text, kind)| match *kind {
        CONTROL => Vec::new(),
        USER_DEFINED => text.as_bytes().to_vec(),
        _ => text.chars().flat_map(spelt).collect(),
    });
    Ok(Read {
        bytes: bytes.collect(),
        vocabulary: Vocabulary::ByteLevel { bpe, splitter },
        hash,
    })
}

fn read_sentencepiece(
    gguf: &Gguf,
    tokens: &[&str],
    types: &[i64],
    (bos, eos, add_bos): (u32, u32, bool),
) -> Result<Read, EngineError> {
    let scores = gguf.floats("tokenizer.ggml.scores")?;
    if scores.len() != tokens.len() {
        return Err(gguf.bad(
            "as many tokenizer.ggml.scores as tokens",
            format!("{} tokens, {} scores", tokens.len(), scores.len()),
        ));
    }
    let space_first = gguf.flag("tokenizer.ggml.add_space_prefix", true)?;
    let bits: Vec<u32> = scores.iter().map(|score| score.to_bits()).collect();
    let hash = tagged_hash(
        "touchstone/tokenizer/1",
        &[&("llama", tokens, types, bits, bos, eos, add_bos, space_first).encode()],
    );
    let byte_of = |text: &str| {
        let digits = text.strip_prefix("<0x")?.strip_suffix('>')?;
        u8::from_str_radix(digits, 16).ok()
    };
    let mut of_bytes = [None; 256];
    let mut bytes = Vec::with_capacity(tokens.len());
    for ((text, kind), id) in tokens.iter().zip(types).zip(0u32..) {
        bytes.push(match *kind {
            NORMAL => text.replace(SPACE, " ").into_bytes(),
            USER_DEFINED => text.as_bytes().to_vec(),
            BYTE => {
                let byte = byte_of(text).ok_or_else(|| {
                    gguf.bad("byte tokens from <0x00> to <0xFF>", format!("{text:?}"))
                })?;
                of_bytes[usize::from(byte)] = Some(id);
                vec![byte]
            }
            _ => Vec::new(),
        });
    }
    if let Some(byte) = of_bytes.iter().position(Option::is_none) {
        let wanted = format!("a token for each byte, <0x{byte:02X}> among them");
        return Err(gguf.bad(wanted, "no such token"));
    }
    let normal = tokens.iter().zip(0u32..).zip(scores.iter().zip(types));
    let normal = normal
        .filter(|(_, (_, kind))| **kind == NORMAL)
        .map(|((text, id), (score, _))| (*text, id, *score));
    let of_bytes = of_bytes.map(Option::unwrap_or_default);
    Ok(Read {
        vocabulary: Vocabulary::SentencePiece(SentencePiece::new(normal, of_bytes, space_first)),
        bytes,
        hash,
    })
}

/// How text is cut before merging, by the names that llama.cpp gives.
fn splitter(name: &str) -> Option<PreTokenizerWrapper> {
    let by = |regex: &str| {
        let pattern = SplitPattern::Regex(regex.into());
        Split::new(pattern, SplitDelimiterBehavior::Isolated, false)
    };
    let parts: Vec<PreTokenizerWrapper> = match name {
        "smollm" => vec![
            Digits::new(true).into(),
            ByteLevel::new(false, true, true).into(),
        ],
        "gpt-2" | "default" => vec![ByteLevel::new(false, true, true).into()],
        "llama-bpe" | "llama3" => {
            vec![
                by(LLAMA3).ok()?.into(),
                ByteLevel::new(false, true, false).into(),
            ]
        }
        "qwen2" => vec![
            by(QWEN2).ok()?.into(),
            ByteLevel::new(false, true, false).into(),
        ],
        _ => return None,
    };
    Some(Sequence::new(parts).into())
}

/// GPT-2's printable stand-ins for bytes.
fn byte_alphabet() -> HashMap<char, u8> {
    let printable = |b: &u8| matches!(b, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let hidden = (0..=255u8).filter(|b| !printable(b)).zip(256u32..);
    (0..=255u8)
        .filter(printable)
        .map(|b| (char::from(b), b))
        .chain(hidden.filter_map(|(b, c)| Some((char::from_u32(c)?, b))))
        .collect()
}
