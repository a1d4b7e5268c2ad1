//! The factors that are trained: where they lie in one flat vector, how they begin, and how PEFT stores them.

use super::TrainError;
use crate::{
    adapter::{Target, place},
    kernels::Matrix,
    llama::{Layer, Shape},
};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};
use safetensors::{Dtype, tensor::TensorView};
use std::ops::Range;

/// Matrices of a layer that read the same input.
pub(crate) const BUNDLES: [&[Target]; 4] = [
    &[Target::Query, Target::Key, Target::Value],
    &[Target::Output],
    &[Target::Gate, Target::Up],
    &[Target::Down],
];

/// The frozen matrices of a bundle.
pub(crate) fn matrices(layer: &Layer, bundle: usize) -> Vec<&Matrix> {
    match bundle {
        0 => vec![&layer.query, &layer.key, &layer.value],
        1 => vec![&layer.output],
        2 => vec![&layer.gate, &layer.up],
        _ => vec![&layer.down],
    }
}

/// Where the factors of a bundle are.
pub(crate) struct Bundle {
    /// The first factors of its targets, one after the other: each row as long as the input.
    pub(crate) a: Range<usize>,
    /// For each matrix of the bundle, if it is trained: its number among those that are, and its second factor, column by column.
    pub(crate) b: Vec<Option<(usize, Range<usize>)>>,
    /// Rows of all first factors.
    pub(crate) rank: usize,
}

/// Where everything is.
pub(crate) struct Layout {
    pub(crate) rank: usize,
    /// What the second factor's input is multiplied with.
    pub(crate) scale: f32,
    /// For each layer.
    pub(crate) bundles: Vec<[Bundle; 4]>,
    /// Numbers in all.
    pub(crate) size: usize,
}

impl Layout {
    /// Lays out factors of a rank for the given targets in every layer.
    pub(crate) fn new(shape: &Shape, targets: &[Target], rank: usize, alpha: f64) -> Self {
        let mut size = 0;
        let mut take = |count: usize| {
            size += count;
            size - count..size
        };
        let mut bundle = |members: &[Target]| {
            let trained = members.iter().filter(|t| targets.contains(t)).count();
            let cols = members[0].dimensions(shape).1;
            let a = take(trained * rank * cols);
            let mut number = 0;
            let b = members.iter().map(|target| {
                targets.contains(target).then(|| {
                    number += 1;
                    (number - 1, take(rank * target.dimensions(shape).0))
                })
            });
            Bundle {
                a,
                b: b.collect(),
                rank: trained * rank,
            }
        };
        let bundles = (0..shape.layers)
            .map(|_| BUNDLES.map(&mut bundle))
            .collect();
        Self {
            rank,
            scale: (alpha / rank as f64) as f32,
            bundles,
            size,
        }
    }

    /// What training begins with: second factors of zero, first factors between plus and minus `1 / sqrt(columns)`, as in PEFT.
    pub(crate) fn begin(&self, shape: &Shape, seed: u64) -> Vec<f32> {
        let mut draw = ChaCha8Rng::seed_from_u64(seed);
        let mut weights = vec![0f32; self.size];
        for (bundle, members) in self.bundles.iter().flat_map(|b| b.iter().zip(BUNDLES)) {
            let most = 1.0 / (members[0].dimensions(shape).1 as f32).sqrt();
            for weight in &mut weights[bundle.a.clone()] {
                // 24 bits, between 0 and 1.
                let even = (draw.next_u32() >> 8) as f32 / (1 << 24) as f32;
                *weight = (2.0 * even - 1.0) * most;
            }
        }
        weights
    }

    /// PEFT's file, in bf16: what the engine computes with.
    pub(crate) fn safetensors(
        &self,
        shape: &Shape,
        weights: &[f32],
    ) -> Result<Vec<u8>, TrainError> {
        let mut tensors = Vec::new();
        let bytes = |numbers: &mut dyn Iterator<Item = f32>| -> Vec<u8> {
            numbers
                .flat_map(|x| half::bf16::from_f32(x).to_le_bytes())
                .collect()
        };
        for (layer, bundles) in self.bundles.iter().enumerate() {
            for (bundle, members) in bundles.iter().zip(BUNDLES) {
                for (target, b) in members.iter().zip(&bundle.b) {
                    let Some((number, b)) = b else { continue };
                    let (rows, cols) = target.dimensions(shape);
                    let module =
                        format!("base_model.model.model.layers.{layer}.{}", target.module());
                    let a =
                        &weights[bundle.a.clone()][number * self.rank * cols..][..self.rank * cols];
                    let b = &weights[b.clone()];
                    let mut turned = (0..rows).flat_map(|row| {
                        let row = place(*target, row, shape);
                        (0..self.rank).map(move |r| b[r * rows + row])
                    });
                    tensors.push((
                        format!("{module}.lora_A.weight"),
                        vec![self.rank, cols],
                        bytes(&mut a.iter().copied()),
                    ));
                    tensors.push((
                        format!("{module}.lora_B.weight"),
                        vec![rows, self.rank],
                        bytes(&mut turned),
                    ));
                }
            }
        }
        let broken = |e: safetensors::SafeTensorError| TrainError::Settings(e.to_string());
        let views = tensors.iter().map(|(name, shape, bytes)| {
            Ok((
                name,
                TensorView::new(Dtype::BF16, shape.clone(), bytes).map_err(broken)?,
            ))
        });
        let views: Vec<_> = views.collect::<Result<_, TrainError>>()?;
        safetensors::serialize(views, None).map_err(broken)
    }
}
