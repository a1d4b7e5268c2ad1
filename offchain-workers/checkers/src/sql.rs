//! Queries, run by SQLite on tables in memory.
//!
//! The tables are made by the task's `setup`, its `reference` is run, then the answer. Both must be one statement that reads. An authorizer of SQLite
//! sees every statement: the answer may select, read and call functions; `setup` may besides make and fill tables, views and indices. Nobody may attach
//! files, set pragmas, make triggers or virtual tables, load extensions or ask for random numbers.
//!
//! Results are equal if they have the same number of columns and the same rows, in any order unless the task asks for one. Names of columns do not count. Numbers
//! are compared by value (`2` is `2.0`), those with a fraction to nine digits, because sums depend on the order of their parts; texts are
//! compared byte for byte.

use rusqlite::{
    Connection, OpenFlags, Result, Statement,
    hooks::{AuthAction, AuthContext, Authorization},
    limits::Limit,
    types::ValueRef,
};

/// Most steps of SQLite's virtual machine for `setup`, for the reference and for the answer, each, rounded to thousands.
pub const STEPS: u32 = 2_000_000;
/// Most rows of a result.
pub const MAX_ROWS: usize = 1_000;
/// Most bytes of all values of a result together.
pub const MAX_RESULT: usize = 256 * 1024;
/// Most bytes of a value, also of one that is only passed on within a query.
pub const MAX_CELL: i32 = 16 * 1024;
/// Most bytes of memory that SQLite takes.
pub const MAX_HEAP: u32 = 64 * 1024 * 1024;

const LIMITS: [(Limit, i32); 10] = [
    (Limit::SQLITE_LIMIT_LENGTH, MAX_CELL),
    (Limit::SQLITE_LIMIT_SQL_LENGTH, 4096),
    (Limit::SQLITE_LIMIT_COLUMN, 64),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 64),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 32),
    (Limit::SQLITE_LIMIT_VDBE_OP, 25_000),
    (Limit::SQLITE_LIMIT_FUNCTION_ARG, 16),
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 100),
    (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
];

/// Functions that reach outside the tables or differ from run to run.
const FORBIDDEN: [&str; 5] = [
    "load_extension",
    "random",
    "randomblob",
    "fts3_tokenizer",
    "sqlite_log",
];

/// A task whose tables stand and whose reference has been run.
pub(crate) struct Tables {
    database: Connection,
    expected: Rows,
}

impl Tables {
    /// Makes the tables and runs the reference; the error is a fault of the task.
    pub fn new(setup: &str, reference: &str, ordered: bool) -> Result<Self, String> {
        let mut database = open().map_err(|e| format!("SQLite does not start: {e}"))?;
        let made = allow(&mut database, may_make).and_then(|()| database.execute_batch(setup));
        made.map_err(|e| format!("setup: {e}"))?;
        allow(&mut database, may_read).map_err(|e| e.to_string())?;
        let expected =
            rows(&database, reference, ordered).map_err(|e| format!("reference: {e}"))?;
        Ok(Self { database, expected })
    }

    /// Whether the query returns what the reference returned; the error says why it has no result.
    pub fn admit(&mut self, query: &str) -> Result<bool, String> {
        allow(&mut self.database, may_read).map_err(|e| e.to_string())?;
        Ok(rows(&self.database, query, self.expected.ordered)? == self.expected)
    }
}

fn open() -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let database = Connection::open_in_memory_with_flags(flags)?;
    for (limit, value) in LIMITS {
        database.set_limit(limit, value)?;
    }
    // No temporary files; the heap's limit holds for the whole process, which is there for nothing else.
    database.execute_batch(&format!(
        "PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF; PRAGMA hard_heap_limit = {MAX_HEAP}"
    ))?;
    Ok(database)
}

/// From now on `may` decides, and there are [`STEPS`] steps again.
fn allow(database: &mut Connection, may: fn(&AuthAction) -> bool) -> Result<()> {
    database.authorizer(Some(move |context: AuthContext<'_>| {
        if may(&context.action) {
            Authorization::Allow
        } else {
            Authorization::Deny
        }
    }))?;
    let mut left = STEPS / 1000;
    database.progress_handler(
        1000,
        Some(move || {
            left = left.saturating_sub(1);
            left == 0
        }),
    )
}

fn may_read(action: &AuthAction) -> bool {
    match action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive => true,
        AuthAction::Function { function_name } => !FORBIDDEN
            .iter()
            .any(|name| name.eq_ignore_ascii_case(function_name)),
        _ => false,
    }
}

fn may_make(action: &AuthAction) -> bool {
    matches!(
        action,
        AuthAction::CreateTable { .. }
            | AuthAction::CreateIndex { .. }
            | AuthAction::CreateView { .. }
            | AuthAction::Insert { .. }
            | AuthAction::Update { .. }
            | AuthAction::Delete { .. }
            | AuthAction::Reindex { .. }
            | AuthAction::Transaction { .. }
    ) || may_read(action)
}

#[derive(PartialEq)]
struct Rows {
    columns: usize,
    ordered: bool,
    rows: Vec<Vec<String>>,
}

fn rows(database: &Connection, query: &str, ordered: bool) -> Result<Rows, String> {
    let mut statement = database.prepare(query).map_err(|e| e.to_string())?;
    let reads = statement.readonly() && statement.is_explain() == 0;
    if !reads || statement.column_count() == 0 || statement.parameter_count() > 0 {
        return Err("this is not one statement that reads, without parameters".into());
    }
    let columns = statement.column_count();
    let mut rows = collect(&mut statement, columns)?;
    if !ordered {
        rows.sort_unstable();
    }
    Ok(Rows {
        columns,
        ordered,
        rows,
    })
}

fn collect(statement: &mut Statement, columns: usize) -> Result<Vec<Vec<String>>, String> {
    let (mut found, mut bytes) = (Vec::new(), 0usize);
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next().map_err(|e| e.to_string())? {
        let mut cells = Vec::with_capacity(columns);
        for column in 0..columns {
            let cell = cell(row.get_ref(column).map_err(|e| e.to_string())?);
            bytes += cell.len();
            cells.push(cell);
        }
        found.push(cells);
        if found.len() > MAX_ROWS || bytes > MAX_RESULT {
            return Err(format!(
                "the result has more than {MAX_ROWS} rows or {MAX_RESULT} bytes"
            ));
        }
    }
    Ok(found)
}

/// A value as text, so that equal values have equal texts and different types differ.
fn cell(value: ValueRef) -> String {
    match value {
        ValueRef::Null => "null".into(),
        ValueRef::Integer(whole) => whole.to_string(),
        // Whole numbers that a float holds exactly.
        ValueRef::Real(real) if real.fract() == 0.0 && real.abs() < 9e15 => {
            (real as i64).to_string()
        }
        ValueRef::Real(real) => format!("{real:.8e}"),
        ValueRef::Text(text) => format!("'{}", String::from_utf8_lossy(text)),
        ValueRef::Blob(bytes) => format!("x{bytes:?}"),
    }
}
