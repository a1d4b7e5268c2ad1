//! Chain specifications.
//!
//! `dev` and `local` come from the runtime's presets. A consortium's own chain is generated from a file that lists its founding
//! members ([`Founding`]; `consortium.example.toml` is one) on top of the preset `consortium`.

mod founding;

pub use founding::{Founding, FoundingError};

use sc_service::{ChainType, GenericChainSpec, Properties};
use serde_json::json;
use touchstone_runtime::{SS58_PREFIX, WASM_BINARY};

/// A chain specification of Touchstone.
pub type ChainSpec = GenericChainSpec;

/// The specification that `--chain ID` names: `dev` (also the default), `local`, or the path of a file.
pub fn load(id: &str) -> Result<ChainSpec, String> {
    match id {
        "" | "dev" => development(),
        "local" => local(),
        path => ChainSpec::from_json_file(path.into()).map_err(|e| {
            format!("`{path}` is neither `dev`, `local` nor a chain specification: {e}")
        }),
    }
}

fn runtime() -> Result<&'static [u8], String> {
    WASM_BINARY.ok_or_else(|| {
		"this program was built with SKIP_WASM_BUILD and holds no runtime; build it again without".into()
	})
}

fn properties() -> Properties {
    let mut properties = Properties::new();
    properties.insert("tokenSymbol".into(), json!("TST"));
    properties.insert("tokenDecimals".into(), json!(12));
    properties.insert("ss58Format".into(), json!(SS58_PREFIX));
    properties
}

/// One node with well-known keys.
pub fn development() -> Result<ChainSpec, String> {
    Ok(ChainSpec::builder(runtime()?, None)
        .with_name("Touchstone Development")
        .with_id("touchstone-dev")
        .with_chain_type(ChainType::Development)
        .with_properties(properties())
        .with_genesis_config_preset_name(sp_genesis_builder::DEV_RUNTIME_PRESET)
        .build())
}

/// Four validators with well-known keys on one machine.
pub fn local() -> Result<ChainSpec, String> {
    Ok(ChainSpec::builder(runtime()?, None)
        .with_name("Touchstone Local")
        .with_id("touchstone-local")
        .with_chain_type(ChainType::Local)
        .with_properties(properties())
        .with_genesis_config_preset_name(sp_genesis_builder::LOCAL_TESTNET_RUNTIME_PRESET)
        .build())
}

/// The chain of the consortium that the file describes.
pub fn generate(founding: &Founding) -> Result<ChainSpec, FoundingError> {
    let boot_nodes = founding
        .boot_nodes
        .iter()
        .map(|address| {
            address
                .parse()
                .map_err(|_| FoundingError::BootNode(address.clone()))
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(
        ChainSpec::builder(runtime().map_err(FoundingError::NoRuntime)?, None)
            .with_name(&founding.name)
            .with_id(&founding.id)
            .with_protocol_id(&founding.id)
            .with_chain_type(ChainType::Live)
            .with_boot_nodes(boot_nodes)
            .with_properties(properties())
            .with_genesis_config_patch(founding.genesis()?)
            .build(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use touchstone_runtime::genesis;

    fn checked_in(name: &str) -> serde_json::Value {
        let path = format!("{}/presets/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let file = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        serde_json::from_str(&file).unwrap()
    }

    #[test]
    fn checked_in_presets_are_those_of_the_runtime() {
        for id in genesis::preset_names() {
            let preset: serde_json::Value =
                serde_json::from_slice(&genesis::preset(&id).unwrap()).unwrap();
            if std::env::var_os("TOUCHSTONE_UPDATE").is_some() {
                let path = format!("{}/presets/{id}.json", env!("CARGO_MANIFEST_DIR"));
                let text = serde_json::to_string_pretty(&preset).unwrap();
                std::fs::write(path, text + "\n").unwrap();
            }
            assert!(
                checked_in(&id) == preset,
                "chain-spec/presets/{id}.json differs from the runtime's preset; if that is meant, run \
				 `TOUCHSTONE_UPDATE=1 cargo test --release -p touchstone-chain-spec` and commit the file"
            );
        }
    }

    #[test]
    fn the_example_makes_a_chain_whose_genesis_state_can_be_built() {
        let founding = include_str!("../consortium.example.toml").parse().unwrap();
        // Without a blob (SKIP_WASM_BUILD) nothing can build the state.
        if runtime().is_ok() {
            let spec = generate(&founding).unwrap();
            let raw = sc_service::ChainSpec::as_json(&spec, true).unwrap();
            assert!(raw.contains("\"0x3a636f6465\""), "the state holds the code");
        }
    }

    #[test]
    fn an_unknown_chain_is_explained() {
        let error = load("/no/such/file.json").err().unwrap();
        assert!(
            error.contains("neither `dev`, `local` nor a chain specification"),
            "{error}"
        );
    }
}
