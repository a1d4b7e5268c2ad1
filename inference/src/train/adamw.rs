//! AdamW (Loshchilov and Hutter 2019, algorithm 2) on one flat vector, with clipped gradients and a rate that rises and falls in
//! straight lines.

/// How fast the means forget.
const FORGET: [f64; 2] = [0.9, 0.999];
/// Keeps the divisor away from 0.
const EPSILON: f32 = 1e-8;
/// Longest gradient that is believed.
const LONGEST: f64 = 1.0;
/// One in so many steps is for warming up.
const WARM: usize = 20;

/// The moving means of gradients and of their squares.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AdamW {
    pub(crate) mean: Vec<f32>,
    pub(crate) square: Vec<f32>,
}

impl AdamW {
    pub(crate) fn new(size: usize) -> Self {
        Self {
            mean: vec![0.0; size],
            square: vec![0.0; size],
        }
    }

    /// Takes step `step` of `steps`, counted from 0. False if the gradient is not finite; nothing has changed then.
    pub(crate) fn step(
        &mut self,
        weights: &mut [f32],
        grads: &[f32],
        (step, steps): (usize, usize),
        rate: f64,
        decay: f64,
    ) -> bool {
        let length = grads
            .iter()
            .map(|g| f64::from(*g) * f64::from(*g))
            .sum::<f64>()
            .sqrt();
        if !length.is_finite() {
            return false;
        }
        let clip = (LONGEST / length.max(LONGEST)) as f32;
        let rate = rate * share(step, steps);
        // What is missing of the means, which began at 0. Products in a loop, because `powi` may differ between machines.
        let [mean_left, square_left] =
            FORGET.map(|forget| 1.0 - (0..=step).fold(1.0, |product, _| product * forget));
        let (size, root) = ((rate / mean_left) as f32, (1.0 / square_left.sqrt()) as f32);
        let shrink = (1.0 - rate * decay) as f32;
        let [forget_mean, forget_square] = FORGET.map(|forget| forget as f32);
        let [learn_mean, learn_square] = FORGET.map(|forget| (1.0 - forget) as f32);
        let state = self.mean.iter_mut().zip(&mut self.square);
        for ((weight, grad), (mean, square)) in weights.iter_mut().zip(grads).zip(state) {
            let grad = grad * clip;
            *mean = forget_mean * *mean + learn_mean * grad;
            *square = forget_square * *square + learn_square * grad * grad;
            *weight = shrink * *weight - size * *mean / (square.sqrt() * root + EPSILON);
        }
        true
    }
}

/// The part of the learning rate at a step: up to 1 while warming up, then down to almost 0.
fn share(step: usize, steps: usize) -> f64 {
    let warm = steps.div_ceil(WARM);
    match step < warm {
        true => (step + 1) as f64 / warm as f64,
        false => (steps - step) as f64 / (steps - warm) as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_finds_the_lowest_point_and_refuses_what_is_not_finite() {
        let mut weights = vec![3.0f32, -2.0];
        let mut adam = AdamW::new(2);
        for step in 0..400 {
            let grads: Vec<f32> = weights
                .iter()
                .zip([1.0, 5.0])
                .map(|(w, at)| w - at)
                .collect();
            assert!(adam.step(&mut weights, &grads, (step, 400), 0.1, 0.0));
        }
        assert!(
            (weights[0] - 1.0).abs() < 1e-2 && (weights[1] - 5.0).abs() < 1e-2,
            "{weights:?}"
        );
        let before = (weights.clone(), adam.clone());
        assert!(!adam.step(&mut weights, &[f32::NAN, 0.0], (0, 1), 0.1, 0.0));
        assert_eq!((weights, adam), before);
    }

    #[test]
    fn the_rate_rises_to_one_and_never_reaches_zero() {
        for steps in [1, 2, 19, 400] {
            let shares: Vec<f64> = (0..steps).map(|step| share(step, steps)).collect();
            assert!(shares.iter().all(|s| *s > 0.0 && *s <= 1.0), "{shares:?}");
            assert!(shares.contains(&1.0), "{shares:?}");
        }
    }
}
