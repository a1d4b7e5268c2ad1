//! How things look in a terminal.

use crate::Result;
use serde::Serialize;
use std::{io::IsTerminal, time::Duration};
use touchstone_client::verify::Outcome;

/// A tick, a cross or a question mark; in colour on a terminal.
pub fn mark(outcome: Outcome) -> &'static str {
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    match (outcome, colour) {
        (Outcome::Holds, true) => "\x1b[32m✓\x1b[0m",
        (Outcome::Fails, true) => "\x1b[31m✗\x1b[0m",
        (Outcome::Open, true) => "\x1b[33m?\x1b[0m",
        (Outcome::Holds, false) => "✓",
        (Outcome::Fails, false) => "✗",
        (Outcome::Open, false) => "?",
    }
}

/// Prints a value as JSON.
pub fn json(value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(|e| e.to_string())?;
    println!("{text}");
    Ok(())
}

/// Prints rows in aligned columns; the first row is the heading.
pub fn table(rows: &[Vec<String>]) {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            let width = cell.chars().count();
            match widths.get_mut(column) {
                Some(known) => *known = (*known).max(width),
                None => widths.push(width),
            }
        }
    }
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        println!("{}", cells.join("  ").trim_end());
    }
}

/// A duration for people.
pub fn duration(duration: Duration) -> String {
    match duration.as_secs() {
        0..=9 => format!("{:.1} s", duration.as_secs_f64()),
        seconds @ 10..=119 => format!("{seconds} s"),
        seconds @ 120..=7199 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

/// Bytes for people.
pub fn bytes(bytes: u64) -> String {
    let gib = bytes as f64 / (1u64 << 30) as f64;
    if gib >= 1.0 {
        format!("{gib:.1} GiB")
    } else {
        format!("{:.0} MiB", gib * 1024.0)
    }
}
