//! Sentence embeddings with ONNX Runtime.

use crate::{EmbeddingConfig, EngineError};
use ort::{session::Session, value::Tensor};
use parking_lot::Mutex;
use std::path::Path;
use tokenizers::{PaddingParams, Tokenizer, TruncationParams};

/// Most texts that are computed together.
const BATCH: usize = 32;
/// Tokens of a text that count; the model was trained on shorter ones.
const LONGEST: usize = 256;

/// A BERT-like model whose mean of the last hidden states is the embedding.
pub(crate) struct Embedder {
    session: Mutex<Session>,
    tokenizer: Tokenizer,
    /// Inputs that the model takes, of those we can give.
    inputs: Vec<String>,
    output: String,
}

impl Embedder {
    pub(crate) fn load(config: &EmbeddingConfig, threads: usize) -> Result<Self, EngineError> {
        let bad = |file: &Path, expected: &str, found: String| EngineError::BadModel {
            file: file.into(),
            expected: expected.into(),
            found,
        };
        for (file, what) in [
            (&config.runtime, "the ONNX Runtime library"),
            (&config.model, "an ONNX model"),
            (&config.tokenizer, "a tokenizer.json"),
        ] {
            std::fs::File::open(file).map_err(|e| bad(file, what, e.to_string()))?;
        }
        let mut tokenizer = Tokenizer::from_file(&config.tokenizer)
            .map_err(|e| bad(&config.tokenizer, "a tokenizer.json", e.to_string()))?;
        tokenizer.with_padding(Some(PaddingParams::default()));
        tokenizer
            .with_truncation(Some(TruncationParams {
                max_length: LONGEST,
                ..Default::default()
            }))
            .map_err(|e| {
                bad(
                    &config.tokenizer,
                    "a tokenizer that can truncate",
                    e.to_string(),
                )
            })?;
        let environment = ort::init_from(&config.runtime)
            .map_err(|e| bad(&config.runtime, "the ONNX Runtime library", e.to_string()))?
            .build()
            .map_err(|e| bad(&config.runtime, "the ONNX Runtime library", e.to_string()))?;
        let not_a_model =
            |e: &dyn std::fmt::Display| bad(&config.model, "an ONNX model", e.to_string());
        let session = Session::builder(&environment)
            .map_err(|e| not_a_model(&e))?
            .with_intra_threads(threads)
            .map_err(|e| not_a_model(&e))?
            .commit_from_file(&config.model)
            .map_err(|e| not_a_model(&e))?;
        let inputs: Vec<String> = session
            .inputs()
            .iter()
            .map(|i| i.name().to_string())
            .collect();
        let known = ["input_ids", "attention_mask", "token_type_ids"];
        if let Some(other) = inputs.iter().find(|i| !known.contains(&i.as_str())) {
            return Err(bad(
                &config.model,
                "inputs of a sentence encoder",
                format!("input {other}"),
            ));
        }
        let outputs: Vec<String> = session
            .outputs()
            .iter()
            .map(|o| o.name().to_string())
            .collect();
        let output = outputs
            .iter()
            .find(|o| o.as_str() == "last_hidden_state")
            .or(outputs.first())
            .cloned()
            .ok_or_else(|| bad(&config.model, "an output", "none".into()))?;
        Ok(Self {
            session: Mutex::new(session),
            tokenizer,
            inputs,
            output,
        })
    }

    /// One vector of length 1 for each text.
    pub(crate) fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EngineError> {
        let mut vectors = Vec::with_capacity(texts.len());
        for texts in texts.chunks(BATCH) {
            let batch = self
                .batch(texts)
                .map_err(|e| EngineError::Failed(format!("embedding with ONNX Runtime: {e}")))?;
            vectors.extend(batch);
        }
        Ok(vectors)
    }

    fn batch(
        &self,
        texts: &[&str],
    ) -> Result<Vec<Vec<f32>>, Box<dyn std::error::Error + Send + Sync>> {
        let encoded = self.tokenizer.encode_batch(texts.to_vec(), true)?;
        let length = encoded.first().map_or(0, |e| e.get_ids().len());
        let shape = [texts.len(), length];
        let all = |part: fn(&tokenizers::Encoding) -> &[u32]| -> Vec<i64> {
            encoded
                .iter()
                .flat_map(|e| part(e).iter().map(|n| i64::from(*n)))
                .collect()
        };
        let masks = all(tokenizers::Encoding::get_attention_mask);
        let mut inputs: Vec<(&str, Tensor<i64>)> = Vec::new();
        for name in &self.inputs {
            let numbers = match name.as_str() {
                "input_ids" => all(tokenizers::Encoding::get_ids),
                "attention_mask" => masks.clone(),
                _ => all(tokenizers::Encoding::get_type_ids),
            };
            inputs.push((name, Tensor::from_array((shape, numbers))?));
        }
        let mut session = self.session.lock();
        let outputs = session.run(inputs)?;
        let hidden = outputs.get(&self.output).ok_or("the output is missing")?;
        let (dimensions, states) = hidden.try_extract_tensor::<f32>()?;
        let width = match dimensions.as_ref() {
            [batch, tokens, width]
                if [*batch as usize, *tokens as usize] == shape && *width > 0 =>
            {
                *width as usize
            }
            other => return Err(format!("an output of shape {other:?}").into()),
        };
        Ok(states
            .chunks_exact(length * width)
            .zip(masks.chunks_exact(length))
            .map(|(states, mask)| mean(states, mask, width))
            .collect())
    }
}

/// The mean of the states that count, scaled to length 1.
fn mean(states: &[f32], mask: &[i64], width: usize) -> Vec<f32> {
    let mut sum = vec![0f32; width];
    for (state, _) in states
        .chunks_exact(width)
        .zip(mask)
        .filter(|(_, mask)| **mask == 1)
    {
        for (sum, x) in sum.iter_mut().zip(state) {
            *sum += x;
        }
    }
    let length = sum
        .iter()
        .map(|x| x * x)
        .sum::<f32>()
        .sqrt()
        .max(f32::MIN_POSITIVE);
    sum.iter().map(|x| x / length).collect()
}
