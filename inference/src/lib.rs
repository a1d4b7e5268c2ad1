//! Inference: one trait, several backends.
//!
//! | backend | what it is |
//! |---|---|
//! | [`LocalEngine`] | GGUF models on this machine's processor, with ONNX Runtime for embeddings and classification |
//! | [`RemoteEngine`] | a vLLM, SGLang or llama.cpp server, with the token ids that it sampled |
//! | [`DummyEngine`] | no model at all, for tests of everything else |

// The fixtures that unit tests share with the tests in `tests/` name this crate.
#[cfg(test)]
extern crate self as touchstone_inference;

mod adapter;
mod config;
mod dummy;
mod engine;
mod gguf;
mod kernels;
mod kformats;
mod llama;
mod local;
mod math;
mod onnx;
mod pool;
mod prefix;
mod remote;
pub mod sampler;
mod scheduler;
mod sentencepiece;
mod slots;
mod stop;
mod tokenizer;
pub mod train;

pub use config::*;
pub use dummy::DummyEngine;
pub use engine::*;
pub use local::LocalEngine;
pub use remote::*;
