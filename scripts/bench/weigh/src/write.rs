//! Writes a `weights.rs`.

use crate::measure::Measured;
use frame_benchmarking::Analysis;
use std::fmt::Write;

/// The file of a pallet.
pub fn file(pallet: &str, calls: &[Measured], steps: u32, repeat: u32) -> String {
    let mut out = format!(
        "//! Weights of the calls of `{pallet}`, measured by `scripts/bench/weights`.
//!
//! {}; {steps} steps, {repeat} measurements each.

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(unused_parens)]
#![allow(unused_imports)]

use core::marker::PhantomData;
use frame_support::{{traits::Get, weights::{{constants::ParityDbWeight, Weight}}}};

/// Weights that the calls of `{pallet}` need.
pub trait WeightInfo {{
",
        machine()
    );
    for call in calls {
        let _ = writeln!(out, "\t/// {}", describe(call));
        let _ = writeln!(
            out,
            "\tfn {}({}) -> Weight;",
            call.name,
            parameters(call, false)
        );
    }
    out += "}\n\n/// Weights as measured, with the runtime's database weights.
pub struct SubstrateWeight<T>(PhantomData<T>);
impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {\n";
    for call in calls {
        out += &function(call, "T::DbWeight");
    }
    out += "}\n\n// For tests.\nimpl WeightInfo for () {\n";
    for call in calls {
        out += &function(call, "ParityDbWeight");
    }
    out += "}\n";
    out
}

fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cpu = cpu.map_or("unknown processor", |(_, name)| name);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let date = std::process::Command::new("date").arg("+%F").output();
    let date = date.map(|d| String::from_utf8_lossy(&d.stdout).trim().to_owned());
    format!("{}, {cpu}, {cores} cores", date.unwrap_or_default())
}

fn describe(call: &Measured) -> String {
    let ranges: Vec<_> = call
        .components
        .iter()
        .map(|(n, least, most)| format!("`{n}` in {least}..={most}"))
        .collect();
    let at = if ranges.is_empty() {
        String::new()
    } else {
        format!(", {}", ranges.join(", "))
    };
    format!("`{}`: at least {} ns{at}.", call.name, call.time.minimum)
}

/// Whether the component changes any figure.
fn matters(call: &Measured, component: usize) -> bool {
    let slope = |a: &Analysis| a.slopes.get(component).copied().unwrap_or_default();
    [&call.time, &call.reads, &call.writes, &call.proof]
        .into_iter()
        .any(|a| slope(a) > 0)
}

fn parameters(call: &Measured, implementation: bool) -> String {
    let name = |(i, (name, ..)): (usize, &(String, u32, u32))| {
        let unused = implementation && !matters(call, i);
        format!("{}{name}: u32, ", if unused { "_" } else { "" })
    };
    call.components.iter().enumerate().map(name).collect()
}

fn function(call: &Measured, db: &str) -> String {
    let (time, reads, writes, proof) = (&call.time, &call.reads, &call.writes, &call.proof);
    let mut out = format!(
        "\tfn {}({}) -> Weight {{\n",
        call.name,
        parameters(call, true)
    );
    let _ = write!(out, "\t\tWeight::from_parts({}, {})", time.base, proof.base);
    let mut term = |text: String| {
        let _ = write!(out, "\n\t\t\t.saturating_add({text})");
    };
    for (kind, base) in [("reads", reads.base), ("writes", writes.base)] {
        if base > 0 {
            term(format!("{db}::get().{kind}({base}_u64)"));
        }
    }
    for (i, (name, ..)) in call.components.iter().enumerate() {
        let slope = |a: &Analysis| a.slopes.get(i).copied().unwrap_or_default();
        if slope(time) > 0 || slope(proof) > 0 {
            let weight = format!("Weight::from_parts({}, {})", slope(time), slope(proof));
            term(format!("{weight}.saturating_mul({name}.into())"));
        }
        for (kind, slope) in [("reads", slope(reads)), ("writes", slope(writes))] {
            if slope > 0 {
                term(format!(
                    "{db}::get().{kind}({slope}_u64.saturating_mul({name}.into()))"
                ));
            }
        }
    }
    out + "\n\t}\n"
}
