//! Text models in ONNX, run by ONNX Runtime: sentence embeddings and classification.

use crate::{ClassifierConfig, EngineError, OnnxConfig, OnnxProvider};
use ort::{
    environment::Environment,
    ep,
    session::{Session, SessionOutputs, builder::SessionBuilder},
    value::Tensor,
};
use parking_lot::Mutex;
use std::path::{Path, PathBuf};
use tokenizers::{Encoding, PaddingParams, Tokenizer, TruncationParams};

/// Most texts that are computed together.
const BATCH: usize = 32;
const IS_RUNTIME: &str = "the ONNX Runtime library";
/// Tokens of a text that count; these models were trained on shorter ones.
const LONGEST: usize = 256;

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// A BERT-like model with its tokenizer.
struct Encoder {
    session: Mutex<Session>,
    tokenizer: Tokenizer,
    /// Inputs that the model takes, of those we can give.
    inputs: Vec<String>,
    outputs: Vec<String>,
}

/// An error about one file.
fn bad(file: &Path, expected: impl Into<String>, found: impl ToString) -> EngineError {
    EngineError::BadModel {
        file: file.into(),
        expected: expected.into(),
        found: found.to_string(),
    }
}

/// Opens the library, which a process does once and for all.
fn open(runtime: &Path) -> Result<Environment, EngineError> {
    static OPEN: Mutex<Option<(PathBuf, Environment)>> = Mutex::new(None);
    let mut open = OPEN.lock();
    if let Some((path, environment)) = open.as_ref() {
        return match path == runtime {
            true => Ok(environment.clone()),
            false => {
                let wanted = format!("{} for all models of a node", path.display());
                Err(bad(runtime, wanted, "another ONNX Runtime"))
            }
        };
    }
    let environment = ort::init_from(runtime)
        .map_err(|e| bad(runtime, IS_RUNTIME, e))?
        .build()
        .map_err(|e| bad(runtime, IS_RUNTIME, e))?;
    *open = Some((runtime.into(), environment.clone()));
    Ok(environment)
}

impl OnnxProvider {
    /// Has a session computed by this provider, or says why that cannot be.
    // Which arms there are depends on the features.
    #[allow(unreachable_code, unreachable_patterns, unused_variables)]
    fn add_to(self, builder: SessionBuilder) -> Result<SessionBuilder, String> {
        let provider: ep::ExecutionProviderDispatch = match self {
            Self::Cpu => return Ok(builder),
            #[cfg(feature = "cuda")]
            Self::Cuda => ep::CUDA::default().build(),
            #[cfg(feature = "rocm")]
            Self::Rocm => ep::ROCm::default().build(),
            #[cfg(feature = "rocm")]
            Self::MiGraphX => ep::MIGraphX::default().build(),
            #[cfg(feature = "metal")]
            Self::CoreMl => ep::CoreML::default().build(),
            _ => return Err("this program was built without it".into()),
        };
        // Falling back to the processor in silence would be slow for a reason that nobody sees.
        builder
            .with_execution_providers([provider.error_on_failure()])
            .map_err(|e| e.to_string())
    }
}

impl Encoder {
    fn load(config: &OnnxConfig, threads: usize) -> Result<Self, EngineError> {
        let OnnxConfig {
            model,
            tokenizer: tokenizer_file,
            runtime,
            provider,
        } = config;
        for (file, what) in [
            (runtime, IS_RUNTIME),
            (model, "an ONNX model"),
            (tokenizer_file, "a tokenizer.json"),
        ] {
            std::fs::File::open(file).map_err(|e| bad(file, what, e))?;
        }
        let mut tokenizer = Tokenizer::from_file(tokenizer_file)
            .map_err(|e| bad(tokenizer_file, "a tokenizer.json", e))?;
        tokenizer.with_padding(Some(PaddingParams::default()));
        tokenizer
            .with_truncation(Some(TruncationParams {
                max_length: LONGEST,
                ..Default::default()
            }))
            .map_err(|e| bad(tokenizer_file, "a tokenizer that can truncate", e))?;
        let environment = open(runtime)?;
        let builder = Session::builder(&environment).map_err(|e| bad(runtime, IS_RUNTIME, e))?;
        let builder = provider.add_to(builder).map_err(|e| {
            let wanted = format!("an ONNX Runtime with the execution provider {provider:?}");
            let advice = "build with the feature cuda, rocm or metal, take the library of a package that has it (onnxruntime-gpu \
                          for CUDA) and its drivers, or set `provider` to cpu";
            bad(runtime, wanted, format!("{e}; {advice}"))
        })?;
        let session = builder
            .with_intra_threads(threads)
            .map_err(|e| bad(model, "an ONNX model", e))?
            .commit_from_file(model)
            .map_err(|e| bad(model, "an ONNX model", e))?;
        let inputs = session.inputs().iter().map(|i| i.name().to_string());
        let inputs: Vec<String> = inputs.collect();
        let known = ["input_ids", "attention_mask", "token_type_ids"];
        if let Some(other) = inputs.iter().find(|i| !known.contains(&i.as_str())) {
            return Err(bad(
                model,
                "inputs of a text encoder",
                format!("input {other}"),
            ));
        }
        let outputs = session.outputs().iter().map(|o| o.name().to_string());
        Ok(Self {
            outputs: outputs.collect(),
            session: Mutex::new(session),
            tokenizer,
            inputs,
        })
    }

    /// The output of this name, or else the first one.
    fn output(&self, name: &str, model: &Path) -> Result<String, EngineError> {
        let named = self.outputs.iter().find(|o| o.as_str() == name);
        let output = named.or(self.outputs.first()).cloned();
        output.ok_or_else(|| bad(model, "an output", "none"))
    }

    /// Runs the model on texts, some at a time. `read` gets the model's outputs, the attention masks text after text, and how many
    /// texts and tokens there are; it returns one result for each text.
    fn run<T>(
        &self,
        texts: &[&str],
        read: impl Fn(&SessionOutputs<'_>, &[i64], [usize; 2]) -> Result<Vec<T>, AnyError>,
    ) -> Result<Vec<T>, EngineError> {
        let mut results = Vec::with_capacity(texts.len());
        for texts in texts.chunks(BATCH) {
            let batch = self
                .batch(texts, &read)
                .map_err(|e| EngineError::Failed(format!("ONNX Runtime: {e}")))?;
            results.extend(batch);
        }
        Ok(results)
    }

    fn batch<T>(
        &self,
        texts: &[&str],
        read: impl Fn(&SessionOutputs<'_>, &[i64], [usize; 2]) -> Result<Vec<T>, AnyError>,
    ) -> Result<Vec<T>, AnyError> {
        let encoded = self.tokenizer.encode_batch(texts.to_vec(), true)?;
        let length = encoded.first().map_or(0, |e| e.get_ids().len());
        let shape = [texts.len(), length];
        let all = |part: fn(&Encoding) -> &[u32]| -> Vec<i64> {
            let numbers = encoded.iter().flat_map(part);
            numbers.map(|n| i64::from(*n)).collect()
        };
        let masks = all(Encoding::get_attention_mask);
        let mut inputs: Vec<(&str, Tensor<i64>)> = Vec::new();
        for name in &self.inputs {
            let numbers = match name.as_str() {
                "input_ids" => all(Encoding::get_ids),
                "attention_mask" => masks.clone(),
                _ => all(Encoding::get_type_ids),
            };
            inputs.push((name, Tensor::from_array((shape, numbers))?));
        }
        let mut session = self.session.lock();
        read(&session.run(inputs)?, &masks, shape)
    }
}

/// A model whose mean of the last hidden states is the embedding.
pub(crate) struct Embedder {
    encoder: Encoder,
    output: String,
}

impl Embedder {
    pub(crate) fn load(config: &OnnxConfig, threads: usize) -> Result<Self, EngineError> {
        let encoder = Encoder::load(config, threads)?;
        let output = encoder.output("last_hidden_state", &config.model)?;
        Ok(Self { encoder, output })
    }

    /// One vector of length 1 for each text.
    pub(crate) fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EngineError> {
        self.encoder.run(texts, |outputs, masks, [count, length]| {
            let hidden = outputs.get(&self.output).ok_or("the output is missing")?;
            let (dimensions, states) = hidden.try_extract_tensor::<f32>()?;
            let width = match dimensions.as_ref() {
                [batch, tokens, width]
                    if [*batch as usize, *tokens as usize] == [count, length] && *width > 0 =>
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
        })
    }
}

/// A model that tells how well labels fit texts.
pub(crate) struct Classifier {
    encoder: Encoder,
    output: String,
    labels: Vec<String>,
    several: bool,
}

impl Classifier {
    pub(crate) fn load(config: &ClassifierConfig, threads: usize) -> Result<Self, EngineError> {
        let model = &config.onnx.model;
        if config.labels.is_empty() {
            return Err(bad(
                model,
                "labels of a classifier in the configuration",
                "none",
            ));
        }
        let encoder = Encoder::load(&config.onnx, threads)?;
        let classifier = Self {
            output: encoder.output("logits", model)?,
            encoder,
            labels: config.labels.clone(),
            several: config.several,
        };
        // Whether the labels fit the model is told now and not to the first who asks.
        let found = classifier.classify(&["hello"]);
        found.map_err(|e| bad(model, "a text classifier with the configured labels", e))?;
        Ok(classifier)
    }

    /// For each text a probability for each label, in their order.
    pub(crate) fn classify(&self, texts: &[&str]) -> Result<Vec<Vec<(String, f32)>>, EngineError> {
        let labels = self.labels.len();
        self.encoder.run(texts, |outputs, _, [count, _]| {
            let logits = outputs.get(&self.output).ok_or("the output is missing")?;
            let (dimensions, logits) = logits.try_extract_tensor::<f32>()?;
            if dimensions.as_ref() != [count as i64, labels as i64] {
                let found = format!("{count} texts gave an output of shape {dimensions:?}");
                return Err(format!("{found} with {labels} labels").into());
            }
            if let Some(logit) = logits.iter().find(|logit| !logit.is_finite()) {
                return Err(format!("the output holds {logit}; the model is damaged").into());
            }
            let probabilities = logits
                .chunks_exact(labels)
                .map(|l| probabilities(l, self.several));
            Ok(probabilities
                .map(|p| self.labels.iter().cloned().zip(p).collect())
                .collect())
        })
    }
}

/// Softmax, or the logistic function of each logit where several labels may fit.
fn probabilities(logits: &[f32], several: bool) -> Vec<f32> {
    if several {
        return logits.iter().map(|l| 1.0 / (1.0 + (-l).exp())).collect();
    }
    let most = logits.iter().fold(f32::NEG_INFINITY, |m, l| m.max(*l));
    let weights = logits.iter().map(|l| (l - most).exp());
    let sum: f32 = weights.clone().sum();
    weights.map(|w| w / sum).collect()
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
