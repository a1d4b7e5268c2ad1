//! What an operation of `fixed` costs natively, and what reputation and influence cost with it:
//! `cargo run --release -p touchstone-primitives --example fixed_cost`.

use std::{hint::black_box, time::Instant};
use touchstone_primitives::{
    NodeId,
    evidence::Standing,
    fixed::{Fixed, decay, exp2, exp2_neg},
    influence::{Candidate, electorate},
    reputation::{Account, Knobs, standing},
};

/// Prints the nanoseconds per call over inputs of many sizes.
fn measure<R>(name: &str, calls: u32, mut operation: impl FnMut(Fixed, Fixed) -> R) {
    let mut state = 1_u128;
    let inputs: Vec<_> = (0..1024)
        .map(|_| {
            let mut next = || {
                state = state
                    .wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645)
                    .wrapping_add(0x5851_f42d_4c95_7f2d_1405_7b7e_f767_814f);
                // Below 16.
                Fixed::from_bits(state >> 60)
            };
            (next(), next())
        })
        .collect();
    let start = Instant::now();
    for (a, b) in inputs.iter().cycle().take(calls as usize) {
        black_box(operation(black_box(*a), black_box(*b)));
    }
    let nanoseconds = start.elapsed().as_nanos() / u128::from(calls.max(1));
    println!("{name:<32}{nanoseconds:>9} ns");
}

fn main() {
    let many = 1_000_000;
    measure("plus", many, |a, b| a.plus(b));
    measure("times", many, |a, b| a.times(b));
    measure("over", many, |a, b| a.over(b));
    measure("exp2", many, |a, _| exp2(a));
    measure("exp2_neg", many, |a, _| exp2_neg(a));
    measure("log2", many, |a, _| a.log2());
    measure("ln_1p", many, |a, _| a.ln_1p());
    measure("pow", many, |a, b| a.pow(b));
    measure("decay", many, |a, b| {
        decay(a.to_bits() as u64, b.to_bits() as u64)
    });
    let (account, knobs) = (Account::default(), Knobs::default());
    measure("standing", many / 10, |a, b| {
        standing(&account, a, b.to_bits(), a.floor(), &knobs)
    });
    for nodes in [3_u8, 10, 100] {
        let candidates: Vec<_> = (0..nodes)
            .map(|n| Candidate {
                group: NodeId::new([n; 32]),
                node: NodeId::new([n; 32]),
                standing: Standing {
                    evidence: Fixed::from_int(100),
                    epochs: 9,
                    competence: Fixed::HALF,
                    base: Fixed::from_int(1 << (n % 10)),
                    safety: Fixed::ONE,
                    ..Standing::default()
                },
            })
            .collect();
        measure(&format!("electorate of {nodes} groups"), 1_000, |_, _| {
            electorate(&candidates, Fixed::ZERO, &knobs)
        });
    }
}
