//! Procedural canaries: families of tasks that are drawn from a seed, each with its checker.
//!
//! Nobody writes these tasks and nobody can know one before its seed exists, so there is nothing to leak, to buy or to
//! sabotage. The runtime generates the very same task again and checks the answer, which is why everything here is integer
//! arithmetic over a hash. A family has five levels of difficulty.
//!
//! | family | what is asked |
//! |---|---|
//! | `addition`, `subtraction`, `multiplication` | sums, differences and products; level 2 and 3 of the first two are numbers of two digits |
//! | `units` | conversions between units |
//! | `dates` | weekdays and dates before and after |
//! | `retrieval` | who has what, in a short text |
//! | `field` | the value of a field in JSON |
//! | `record` | JSON made of given values |
//! | `sorting`, `counting` | lists |
//! | `equation` | a linear equation for x |
//! | `larger` | the largest of some numbers |
//! | `spelling` | letters of a word |
//! | `sequence` | the next number |
//! | `copying` | words to be repeated |

mod draw;
mod families;

use crate::{H256, checkers::Checker, fixed::Fixed, tagged_hash};
use alloc::{string::String, vec::Vec};
pub use draw::Draw;

/// Levels of every family: 1 to 5.
pub const LEVELS: u8 = 5;
/// Most bytes of a generated prompt.
pub const MAX_PROMPT: usize = 512;

/// A generated task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// What the model is asked, as one message of the user.
    pub prompt: String,
    /// What decides about its answer.
    pub checker: Checker,
    /// How many wrong answers are plausible: two nodes agree on one of them by chance with one in so many.
    pub options: u32,
    /// The difficulty that it starts with, in (0, 1].
    pub difficulty: Fixed,
}

/// What a family makes of a draw.
struct Made {
    prompt: String,
    checker: Checker,
    options: u32,
}

/// A family of tasks.
pub struct Family {
    /// Its name. A change of what it generates needs another version.
    pub name: &'static str,
    version: u8,
    make: fn(&mut Draw, u8) -> Made,
    /// Percent of tasks, at the worst level, that an answer passes without reading the task.
    null_percent: u32,
}

impl Family {
    /// Hash of name and version: what the chain calls the family.
    pub fn id(&self) -> H256 {
        tagged_hash(
            "touchstone/family/1",
            &[self.name.as_bytes(), &[self.version]],
        )
    }

    /// Hash of the family at one level: what pass rates are kept for, so that an easy level that everybody masters does not make a hard
    /// one worthless.
    pub fn stratum(&self, level: u8) -> H256 {
        tagged_hash(
            "touchstone/family/level/1",
            &[self.id().as_bytes(), &[level]],
        )
    }

    /// The task of this level and seed; `None` for a level outside 1..=5.
    pub fn generate(&self, level: u8, seed: &H256) -> Option<Task> {
        if !(1..=LEVELS).contains(&level) {
            return None;
        }
        let mut draw = Draw::new(&self.id(), level, seed);
        let Made {
            prompt,
            checker,
            options,
        } = (self.make)(&mut draw, level);
        Some(Task {
            prompt,
            checker,
            options,
            difficulty: Fixed::ratio(level.into(), LEVELS.into()),
        })
    }

    /// `b_c`: the largest pass rate of an answer that does not read the task (nothing, the prompt itself, a constant, or the most
    /// common right answer), over all levels. Measured by a test of this module.
    pub fn null_rate(&self) -> Fixed {
        Fixed::percent(self.null_percent)
    }
}

/// All families.
pub fn families() -> &'static [Family] {
    families::FAMILIES
}

/// The family of this id.
pub fn family(id: &H256) -> Option<&'static Family> {
    families().iter().find(|family| family.id() == *id)
}

/// The family of this name.
pub fn named(name: &str) -> Option<&'static Family> {
    families().iter().find(|family| family.name == name)
}

/// The task of a family, level and seed; `None` when there is no such family or level.
pub fn generate(family_id: &H256, level: u8, seed: &H256) -> Option<Task> {
    family(family_id)?.generate(level, seed)
}

/// [`Family::null_rate`]; 1 for a family that does not exist.
pub fn null_rate(family_id: &H256) -> Fixed {
    family(family_id).map_or(Fixed::ONE, Family::null_rate)
}

/// Ids of families by name, skipping names that do not exist.
pub fn ids(names: &[&str]) -> Vec<H256> {
    names
        .iter()
        .filter_map(|name| named(name))
        .map(Family::id)
        .collect()
}

#[cfg(test)]
mod tests;
