//! What is played, one file for each.
//!
//! A *fair share* is the part of the skill of all operators who may vote; [`crate::world::World::skills`] says what skill is. Attacks are compared with
//! the same year without them: everybody else has the same luck in both.

use std::fmt;

pub mod coalition;
pub mod drift;
pub mod farmers;
pub mod honest;
pub mod leaver;
pub mod newcomer;
pub mod sybil;
pub mod whale;

/// What somebody got.
pub struct Row {
    /// Who, and what it did.
    pub who: String,
    /// Its fair share of the votes.
    pub fair: f64,
    /// What it held.
    pub held: f64,
    /// What it gained.
    pub gained: String,
    /// What it lost.
    pub lost: String,
}

impl fmt::Display for Row {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            who,
            fair,
            held,
            gained,
            lost,
        } = self;
        let percent = |x| x * 100.0;
        write!(
            out,
            "| {who} | {:.2} % | {:.2} % | {gained} | {lost} |",
            percent(fair),
            percent(held)
        )
    }
}

/// A difference in points of the votes.
fn points(from: f64, to: f64) -> String {
    format!("{:+.2} points", (to - from) * 100.0)
}
