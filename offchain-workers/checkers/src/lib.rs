//! All checkers of `touchstone_primitives::checkers`, also those that need an engine: [`Checker::Sql`] runs in SQLite, [`Checker::Code`] in
//! Starlark.
//!
//! What a model or a stranger wrote is run in a process of its own ([`Judge`]), whose memory and time the operating system limits. Inside it
//! the engines have limits of their own, which are counted in steps and bytes and so give the same verdict on every machine:
//!
//! | | limits |
//! |---|---|
//! | answer | [`MAX_ANSWER`](touchstone_primitives::checkers::MAX_ANSWER) bytes, no zero bytes; one code block of it is read ([`extract`]) |
//! | SQL | [`sql::STEPS`] steps of the virtual machine, [`sql::MAX_ROWS`] rows, [`sql::MAX_CELL`] bytes in a value, [`sql::MAX_RESULT`] in a result, [`sql::MAX_HEAP`] in memory |
//! | Starlark | [`code::TICKS`] calls and turns of loops, [`code::MAX_HEAP`] bytes, [`code::MAX_CALLS`] nested calls |
//! | process | [`judge::MAX_MEMORY`] bytes of address space, [`judge::CPU_SECONDS`] of processor, [`judge::WALL`] on the clock |
//!
//! An answer that fails or breaks a limit is wrong. A task that does is at fault itself ([`TaskFault`]), and nobody is scored by it.
//!
//! [`Checker::Sql`]: touchstone_primitives::checkers::Checker::Sql
//! [`Checker::Code`]: touchstone_primitives::checkers::Checker::Code

pub mod code;
pub mod extract;
pub mod generators;
pub mod judge;
pub mod sql;

pub use judge::Judge;

/// Why a task cannot be decided, whatever is answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TaskFault {
    /// The checker's parts do not parse or are out of bounds.
    #[error("the checker cannot decide anything: a part of it is empty, malformed or too long")]
    Unsound,
    /// The task's own statements fail.
    #[error("the task itself fails: {0}")]
    Broken(String),
    /// The task's own statements do not end within the limits of the process.
    #[error(
        "the task itself needs more memory or time than a check may take; make its tables or tests smaller"
    )]
    Limit,
    /// The process that checks could not be started. Nothing is known about the task.
    #[error("the process that checks does not start: {0}")]
    NotRun(String),
}
