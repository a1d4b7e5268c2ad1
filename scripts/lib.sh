# What every script here shares: where things live, how they are built, how they speak. To be sourced, not run.

REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
DATA=${XDG_DATA_HOME:-$HOME/.local/share}/touchstone # models and libraries (scripts/setup)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/touchstone     # whatever can be made again

# One target folder outside the checkout, so that clones and CI runs share what they built.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$CACHE/target}
BIN=$CARGO_TARGET_DIR/release

SMOLLM=$DATA/models/smollm2-135m-instruct.q4_1.gguf
export ORT_DYLIB_PATH=${ORT_DYLIB_PATH:-$DATA/lib/libonnxruntime.so}

# scripts/setup makes this toolchain only where rustup cannot fetch the wasm standard library.
WASM_TOOLCHAIN=touchstone-wasm
if [ -z "${WASM_BUILD_TOOLCHAIN:-}" ] && [ -e "${RUSTUP_HOME:-$HOME/.rustup}/toolchains/$WASM_TOOLCHAIN" ]; then
	export WASM_BUILD_TOOLCHAIN=$WASM_TOOLCHAIN
fi

# The Node.js that scripts/setup unpacks where the system's is missing or too old.
if [ -x "$DATA/node/bin/node" ]; then
	PATH=$DATA/node/bin:$PATH
fi

say() { printf '%s\n' "$*" >&2; }
die() {
	say "error: $*"
	exit 1
}

# 4m05s
span() { printf '%dm%02ds' $(($1 / 60)) $(($1 % 60)); }

# Node.js 20 can be told to have the WebSocket that later versions have by themselves.
node_major() { node --version 2>/dev/null | sed -n 's/^v\([0-9]*\)\..*/\1/p'; }

# The two programs that people run. Every script builds with these very flags: other packages on the line would mean other
# features of shared dependencies, and so a second build of them.
build_binaries() { (cd "$REPO" && cargo build --release --locked --workspace --bins); }
