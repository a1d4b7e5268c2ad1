//! The part of the `wasm-opt` crate that `substrate-wasm-builder` uses, done by the `wasm-opt` program (Debian package
//! `binaryen`) instead of a C++ build of all of Binaryen, which is the longest unit of a cold build.
//!
//! `WASM_OPT` names another program than the one on the PATH.

use std::{env, fmt, path::Path, process::Command};

/// The passes that are asked for.
///
/// Binaryen 108 cannot lower sign-extension operators. It need not: the runtime is built for `wasm32v1-none`, which has
/// none, and the program is run with the features of that target only, so a blob with others is refused.
#[derive(Clone, Copy, Debug)]
pub enum Pass {
	/// No sign-extension operators.
	SignextLowering,
	/// Remove DWARF sections.
	StripDwarf,
}

/// Why the program did not do its work.
#[derive(Debug)]
pub struct OptimizationError(String);

impl fmt::Display for OptimizationError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(&self.0)
	}
}

impl std::error::Error for OptimizationError {}

/// Builder of one run of `wasm-opt`.
#[derive(Clone, Debug)]
pub struct OptimizationOptions(Vec<&'static str>);

impl OptimizationOptions {
	/// No optimisation, only the passes that are added.
	pub fn new_opt_level_0() -> Self {
		Self(vec!["-O0", "--mvp-features", "--enable-mutable-globals"])
	}

	/// Read and write the features of the WebAssembly MVP only.
	pub fn mvp_features_only(&mut self) -> &mut Self {
		self
	}

	/// Keep the names section.
	pub fn debug_info(&mut self, keep: bool) -> &mut Self {
		if keep {
			self.0.push("--debuginfo");
		}
		self
	}

	/// Run this pass, after those added before.
	pub fn add_pass(&mut self, pass: Pass) -> &mut Self {
		match pass {
			Pass::SignextLowering => {}
			Pass::StripDwarf => self.0.push("--strip-dwarf"),
		}
		self
	}

	/// Read `input`, run the passes, write `output` (which may be the same file).
	pub fn run(
		&self,
		input: impl AsRef<Path>,
		output: impl AsRef<Path>,
	) -> Result<(), OptimizationError> {
		let program = env::var_os("WASM_OPT").unwrap_or_else(|| "wasm-opt".into());
		let run = Command::new(&program)
			.args(&self.0)
			.arg(input.as_ref())
			.arg("-o")
			.arg(output.as_ref())
			.output()
			.map_err(|e| {
				OptimizationError(format!(
					"cannot run {program:?}: {e}; install Debian's binaryen (scripts/setup does)"
				))
			})?;
		if run.status.success() {
			Ok(())
		} else {
			Err(OptimizationError(String::from_utf8_lossy(&run.stderr).into_owned()))
		}
	}
}
