//! Programs in Starlark, a small language with the syntax of Python: no `while`, no `import`, no classes, no files, no clock, no random numbers.
//! `print`, `map`, `filter` and `set` are there.
//!
//! The tests are a module that defines `test(f)`; the answer is another one that defines the function. Both are run apart and frozen, so that neither sees the other's
//! names and a function keeps nothing between two calls. Then `test` is called with the function. `load` is refused, what is printed is thrown
//! away, annotations of types are read and ignored.

use starlark::{
    PrintHandler,
    environment::{FrozenModule, Globals, LibraryExtension, Module},
    eval::Evaluator,
    syntax::{AstModule, Dialect, DialectTypes},
};

/// Most calls and turns of loops, for the tests' module, for the answer's module and for the test, each. Counted to the next thousand.
pub const TICKS: u64 = 100_000;
/// Most bytes of the heap, for each of the three. Looked at every thousand ticks; what grows faster meets the limit of the process.
pub const MAX_HEAP: usize = 64 * 1024 * 1024;
/// Most nested calls.
pub const MAX_CALLS: usize = 200;
/// Bytes of stack that this many nested calls and the deepest admitted expression fit in.
pub const STACK: usize = 128 * 1024 * 1024;

const DIALECT: Dialect = Dialect {
    enable_load: false,
    enable_keyword_only_arguments: true,
    enable_types: DialectTypes::ParseOnly,
    enable_top_level_stmt: true,
    enable_f_strings: true,
    ..Dialect::Standard
};

/// What Python has and Starlark's standard does not demand.
const EXTENSIONS: [LibraryExtension; 4] = [
    LibraryExtension::Print,
    LibraryExtension::Map,
    LibraryExtension::Filter,
    LibraryExtension::SetType,
];

/// Tests that were read and define `test`.
pub(crate) struct Tests(FrozenModule);

impl Tests {
    /// Runs the tests' module; the error is a fault of the task.
    pub fn new(tests: &str) -> Result<Self, String> {
        let module = load("tests", tests)?;
        let test = module
            .get("test")
            .map_err(|_| "tests define no `test(f)`")?;
        if test.value().get_type() != "function" {
            return Err("`test` is not a function".into());
        }
        Ok(Self(module))
    }

    /// Whether `test` returns `True` for the function that the program defines; the error says what failed.
    pub fn admit(&self, function: &str, program: &str) -> Result<bool, String> {
        let answer = load("answer", program)?;
        let function = answer.get(function).map_err(|e| e.to_string())?;
        let test = self.0.get("test").map_err(|e| e.to_string())?;
        Module::with_temp_heap(|module| {
            let mut evaluator = evaluator(&module)?;
            let value = |owned| module.heap().access_owned_frozen_value(owned);
            let returned = evaluator
                .eval_function(value(&test), &[value(&function)], &[])
                .map_err(told)?;
            Ok(returned.unpack_bool() == Some(true))
        })
    }
}

fn load(name: &str, source: &str) -> Result<FrozenModule, String> {
    let program = AstModule::parse(name, source.to_owned(), &DIALECT).map_err(|e| e.to_string())?;
    Module::with_temp_heap(|module| {
        evaluator(&module)?
            .eval_module(program, &Globals::extended_by(&EXTENSIONS))
            .map_err(told)?;
        module.freeze().map_err(|e| format!("{e:?}"))
    })
}

/// Where and why.
fn told(error: starlark::Error) -> String {
    let place = error.span().map(|span| format!("{span}: "));
    let place = place.unwrap_or_default();
    format!("{place}{}", error.without_diagnostic())
}

fn evaluator<'v, 'a>(module: &'a Module<'v>) -> Result<Evaluator<'v, 'a, 'a>, String> {
    let mut evaluator = Evaluator::new(module);
    evaluator.set_print_handler(&Silence);
    evaluator
        .set_max_tick_count(TICKS)
        .and_then(|()| evaluator.set_max_heap_size(MAX_HEAP))
        .and_then(|()| evaluator.set_max_callstack_size(MAX_CALLS))
        .map_err(|e| e.to_string())?;
    Ok(evaluator)
}

struct Silence;

impl PrintHandler for Silence {
    fn println(&self, _: &str) -> starlark::Result<()> {
        Ok(())
    }
}
