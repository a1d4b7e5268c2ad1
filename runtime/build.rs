//! Builds the WebAssembly blob (not under `SKIP_WASM_BUILD`).

fn main() {
    #[cfg(feature = "std")]
    {
        // Set by clippy: the blob may be built by another toolchain, which cannot use this one's clippy-driver.
        // SAFETY: nothing else runs in this process yet.
        unsafe { std::env::remove_var("RUSTC_WORKSPACE_WRAPPER") };
        let builder = substrate_wasm_builder::WasmBuilder::init_with_defaults();
        #[cfg(feature = "metadata-hash")]
        let builder = builder.enable_metadata_hash("TST", 12);
        builder.build();
    }
}
