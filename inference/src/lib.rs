//! Inference: one trait, several backends.

mod engine;

pub use engine::*;
