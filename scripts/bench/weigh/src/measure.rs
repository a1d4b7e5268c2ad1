//! Runs benchmarks in the compiled runtime.

use codec::{Decode, Encode};
use frame_benchmarking::{
    Analysis, BenchmarkBatch, BenchmarkList, BenchmarkMetadata, BenchmarkParameter,
    BenchmarkResult, BenchmarkSelector,
};
use sc_client_db::BenchmarkingState;
use sc_executor::WasmExecutor;
use serde_json::Value;
use sp_core::{
    offchain::{OffchainDbExt, OffchainWorkerExt, TransactionPoolExt, testing},
    traits::{CallContext, CodeExecutor, ReadRuntimeVersionExt, RuntimeCode, WrappedRuntimeCode},
};
use sp_externalities::Extensions;
use sp_keystore::{KeystoreExt, testing::MemoryKeystore};
use sp_runtime::traits::BlakeTwo256;
use sp_state_machine::{BasicExternalities, StateMachine};
use sp_storage::Storage;

type HostFunctions = (
    sp_io::SubstrateHostFunctions,
    frame_benchmarking::benchmarking::HostFunctions,
);
type State = BenchmarkingState<BlakeTwo256>;
type Components = Vec<(BenchmarkParameter, u32)>;

/// Preset whose genesis state the benchmarks start from.
const PRESET: &str = "development";

/// A benchmark.
pub struct Call {
    /// Name of its pallet in the runtime.
    pub instance: Vec<u8>,
    /// Name: that of the weight function.
    pub name: String,
    /// Components: name, least and most.
    pub components: Vec<(BenchmarkParameter, u32, u32)>,
}

/// What was measured of a call.
pub struct Measured {
    /// Name: that of the weight function.
    pub name: String,
    /// Components: name, least and most.
    pub components: Vec<(String, u32, u32)>,
    /// Picoseconds.
    pub time: Analysis,
    /// Reads from the database.
    pub reads: Analysis,
    /// Writes to the database.
    pub writes: Analysis,
    /// Bytes of a proof of the state that was read.
    pub proof: Analysis,
}

/// The runtime, and the two states in which it is measured.
pub struct Bench {
    code: WrappedRuntimeCode<'static>,
    hash: Vec<u8>,
    executor: WasmExecutor<HostFunctions>,
    /// Counts accesses and records proofs, and is slow by it.
    counting: State,
    /// Is timed.
    timed: State,
}

impl Bench {
    /// Compiles the runtime and makes its genesis state.
    pub fn new() -> Result<Self, String> {
        let wasm = touchstone_runtime::WASM_BINARY
            .ok_or("built with SKIP_WASM_BUILD; build it again without")?;
        let code = WrappedRuntimeCode(wasm.into());
        let hash = sp_crypto_hashing::blake2_256(wasm).to_vec();
        let executor = WasmExecutor::builder()
            .with_max_runtime_instances(2)
            .build();
        let genesis = genesis(&executor, &runtime_code(&code, &hash))?;
        Ok(Self {
            code,
            hash,
            executor,
            counting: State::new(genesis.clone(), None, true, true)?,
            timed: State::new(genesis, None, false, false)?,
        })
    }

    /// The benchmarks of a pallet.
    pub fn calls(&self, pallet: &str) -> Result<Vec<Call>, String> {
        // Storage information follows in the answer; it is not needed.
        let list: Vec<BenchmarkList> =
            self.execute(&self.timed, "Benchmark_benchmark_metadata", &false.encode())?;
        let found = list
            .into_iter()
            .find(|item| item.pallet == pallet.as_bytes())
            .ok_or_else(|| {
                format!(
                    "the runtime has no benchmarks of `{pallet}`; list it in its define_benchmarks!"
                )
            })?;
        let call = |benchmark: BenchmarkMetadata| Call {
            instance: found.instance.clone(),
            name: String::from_utf8_lossy(&benchmark.name).into_owned(),
            components: benchmark.components,
        };
        Ok(found.benchmarks.iter().cloned().map(call).collect())
    }

    /// Runs the benchmark at its most, with its own checks.
    pub fn check(&self, pallet: &str, call: &Call) -> Result<(), String> {
        let most = call
            .components
            .iter()
            .map(|(name, _, most)| (*name, *most))
            .collect();
        self.dispatch(&self.timed, pallet, call, &most, true, 1)
            .map(drop)
    }

    /// Measures the benchmark at `steps` values of each component, the others at their most.
    pub fn measure(
        &self,
        pallet: &str,
        call: &Call,
        steps: u32,
        repeat: u32,
    ) -> Result<Measured, String> {
        let (mut counted, mut timed) = (Vec::new(), Vec::new());
        for point in points(call, steps) {
            counted.extend(self.dispatch(&self.counting, pallet, call, &point, false, 1)?);
            timed.extend(self.dispatch(&self.timed, pallet, call, &point, false, repeat)?);
        }
        let fit = |results: &Vec<BenchmarkResult>, what| {
            Analysis::min_squares_iqr(results, what).map_err(|e| format!("{}: {e}", call.name))
        };
        Ok(Measured {
            name: call.name.clone(),
            components: call
                .components
                .iter()
                .map(|(n, l, m)| (n.to_string(), *l, *m))
                .collect(),
            time: fit(&timed, BenchmarkSelector::ExtrinsicTime)?,
            reads: fit(&counted, BenchmarkSelector::Reads)?,
            writes: fit(&counted, BenchmarkSelector::Writes)?,
            proof: fit(&counted, BenchmarkSelector::ProofSize)?,
        })
    }

    fn dispatch(
        &self,
        state: &State,
        pallet: &str,
        call: &Call,
        components: &Components,
        verify: bool,
        repeat: u32,
    ) -> Result<Vec<BenchmarkResult>, String> {
        let args = (
            pallet.as_bytes(),
            &call.instance,
            call.name.as_bytes(),
            components,
            verify,
            repeat,
        );
        let batches: Result<Vec<BenchmarkBatch>, String> =
            self.execute(state, "Benchmark_dispatch_benchmark", &args.encode())?;
        let batches =
            batches.map_err(|e| format!("{pallet}::{} {components:?}: {e}", call.name))?;
        let results: Vec<_> = batches
            .into_iter()
            .flat_map(|batch| batch.results)
            .collect();
        // The runtime answers with nothing where it finds no such benchmark, and where that skips itself.
        match results.is_empty() {
            true => Err(format!("{pallet}::{} did not run", call.name)),
            false => Ok(results),
        }
    }

    fn execute<R: Decode>(&self, state: &State, method: &str, args: &[u8]) -> Result<R, String> {
        let mut extensions = extensions(&self.executor);
        let mut changes = Default::default();
        let code = runtime_code(&self.code, &self.hash);
        let answer = StateMachine::new(
            state,
            &mut changes,
            &self.executor,
            method,
            args,
            &mut extensions,
            &code,
            CallContext::Offchain,
        )
        .execute()
        .map_err(|e| format!("{method}: {e}"))?;
        R::decode(&mut &answer[..]).map_err(|e| format!("{method}: {e}"))
    }
}

fn runtime_code<'a>(code: &'a WrappedRuntimeCode<'a>, hash: &[u8]) -> RuntimeCode<'a> {
    RuntimeCode {
        code_fetcher: code,
        heap_pages: None,
        hash: hash.to_vec(),
    }
}

/// What a runtime may ask of its node: here, keys and offchain storage in memory.
fn extensions(executor: &WasmExecutor<HostFunctions>) -> Extensions {
    let mut extensions = Extensions::default();
    let (offchain, _) = testing::TestOffchainExt::new();
    let (pool, _) = testing::TestTransactionPoolExt::new();
    extensions.register(KeystoreExt::new(MemoryKeystore::new()));
    extensions.register(OffchainWorkerExt::new(offchain.clone()));
    extensions.register(OffchainDbExt::new(offchain));
    extensions.register(TransactionPoolExt::new(pool));
    extensions.register(ReadRuntimeVersionExt::new(executor.clone()));
    extensions
}

/// Genesis state of the preset.
fn genesis(executor: &WasmExecutor<HostFunctions>, code: &RuntimeCode) -> Result<Storage, String> {
    let mut ext = BasicExternalities::new_empty();
    let mut call = |method: &str, args: Vec<u8>| {
        let (answer, _) = executor.call(&mut ext, code, method, &args, CallContext::Offchain);
        answer.map_err(|e| format!("{method}: {e}"))
    };
    let mut preset = |id: Option<&str>| -> Result<Value, String> {
        let answer = call("GenesisBuilder_get_preset", id.encode())?;
        let json = Option::<Vec<u8>>::decode(&mut &answer[..]).map_err(|e| e.to_string())?;
        let json = json.ok_or_else(|| format!("the runtime has no preset {id:?}"))?;
        serde_json::from_slice(&json).map_err(|e| e.to_string())
    };
    let mut config = preset(None)?;
    merge(&mut config, preset(Some(PRESET))?);
    let answer = call(
        "GenesisBuilder_build_state",
        config.to_string().into_bytes().encode(),
    )?;
    Result::<(), String>::decode(&mut &answer[..]).map_err(|e| e.to_string())??;
    Ok(ext.into_storages())
}

/// Puts a patch over a value, object by object.
fn merge(value: &mut Value, patch: Value) {
    match (value, patch) {
        (Value::Object(value), Value::Object(patch)) => {
            for (key, patch) in patch {
                merge(value.entry(key).or_insert(Value::Null), patch);
            }
        }
        (value, patch) => *value = patch,
    }
}

/// The values at which a benchmark is measured.
fn points(call: &Call, steps: u32) -> Vec<Components> {
    if call.components.is_empty() {
        return vec![Vec::new()];
    }
    let mut points = Vec::new();
    for (varied, least, most) in &call.components {
        for step in 0..steps {
            let value =
                least + (u64::from(most - least) * u64::from(step) / u64::from(steps - 1)) as u32;
            let at = |(name, _, most): &(BenchmarkParameter, u32, u32)| {
                (*name, if name == varied { value } else { *most })
            };
            points.push(call.components.iter().map(at).collect());
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_component_runs_from_least_to_most_while_the_others_are_at_their_most() {
        let components = vec![
            (BenchmarkParameter::a, 0, 10),
            (BenchmarkParameter::b, 1, 3),
        ];
        let points = points(
            &Call {
                instance: b"X".to_vec(),
                name: "x".into(),
                components,
            },
            3,
        );
        let values: Vec<_> = points.iter().map(|p| (p[0].1, p[1].1)).collect();
        assert_eq!(values, [(0, 3), (5, 3), (10, 3), (10, 1), (10, 2), (10, 3)]);
    }
}
