//! The engine that the command line asks for.

use crate::cli::{EngineChoice, InferenceArgs};
use std::{collections::BTreeSet, env, path::PathBuf, sync::Arc};
use touchstone_inference::{
    AdapterConfig, DummyEngine, Engine, EngineConfig, LocalEngine, ModelConfig, OnnxConfig,
    OnnxProvider, RemoteConfig, RemoteEngine,
};

/// Name of the model that scripts/setup installs.
const DEFAULT_MODEL: &str = "smollm2-135m-instruct";

/// Where scripts/setup puts models and libraries.
fn data_folder() -> Option<PathBuf> {
    let base = env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".local/share")))?;
    Some(base.join("touchstone"))
}

/// The engine, or none. Its models are loaded after this returns.
pub fn start(args: &InferenceArgs) -> Result<Option<Arc<dyn Engine>>, String> {
    if args.engine != EngineChoice::Embedded && !(args.model.is_empty() && args.adapter.is_empty())
    {
        return Err(
            "--model and --adapter are for --engine embedded; other engines have their own".into(),
        );
    }
    Ok(match &args.engine {
        EngineChoice::None => None,
        EngineChoice::Dummy => Some(Arc::new(DummyEngine::new())),
        EngineChoice::Remote(url) => {
            let path = args.remote_config.as_ref().ok_or(
				"--engine remote:URL needs --remote-config PATH: a file that says which models the server has",
			)?;
            let mut config = RemoteConfig::read(path).map_err(|e| e.to_string())?;
            config.url = url.clone();
            config.slots = args.engine_slots as u32;
            config.queue = args.engine_queue as u32;
            Some(Arc::new(
                RemoteEngine::connect(&config).map_err(|e| e.to_string())?,
            ))
        }
        EngineChoice::Embedded => Some(LocalEngine::start(&config(args)?)),
    })
}

fn config(args: &InferenceArgs) -> Result<EngineConfig, String> {
    let data = data_folder().ok_or(
		"neither XDG_DATA_HOME nor HOME is set; name the model file with --model NAME=PATH, or start with --engine none",
	)?;
    let mut models: Vec<_> = args
        .model
        .iter()
        .map(|model| ModelConfig {
            name: model.name.clone(),
            path: model.path.clone(),
            blake2: model.blake2.clone(),
            context: None,
        })
        .collect();
    if models.is_empty() {
        models.push(ModelConfig {
            name: DEFAULT_MODEL.into(),
            path: data.join("models/smollm2-135m-instruct.q4_1.gguf"),
            blake2: Some(hex::encode(touchstone_runtime::genesis::SMOLLM2)),
            context: None,
        });
    }
    let default = models.first().map(|model| model.name.clone());
    let adapters = args.adapter.iter().map(|adapter| AdapterConfig {
        name: adapter.name.clone(),
        base: adapter
            .base
            .clone()
            .or_else(|| default.clone())
            .unwrap_or_default(),
        path: adapter.path.clone(),
        blake2: adapter.blake2.clone(),
    });
    let adapters: Vec<_> = adapters.collect();
    let ids = models.iter().map(|model| model.name.clone());
    let mut seen = BTreeSet::new();
    if let Some(twice) = ids
        .chain(adapters.iter().map(AdapterConfig::id))
        .find(|id| !seen.insert(id.clone()))
    {
        return Err(format!(
            "\"{twice}\" is given twice; give each its own name"
        ));
    }
    let embedding = OnnxConfig {
        model: data.join("models/minilm-l6-v2.int8.onnx"),
        tokenizer: data.join("models/minilm-tokenizer.json"),
        runtime: data.join("lib/libonnxruntime.so"),
        provider: OnnxProvider::Cpu,
    };
    let complete = [&embedding.model, &embedding.tokenizer, &embedding.runtime]
        .iter()
        .all(|path| path.exists());
    Ok(EngineConfig {
        models,
        adapters,
        adapter_mib: args.adapter_memory,
        threads: args.engine_threads,
        slots: args.engine_slots as u32,
        queue: args.engine_queue as u32,
        embedding: complete.then_some(embedding),
        ..EngineConfig::default()
    })
}
