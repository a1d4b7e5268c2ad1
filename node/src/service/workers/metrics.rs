//! Prometheus metrics of engine and workers.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use substrate_prometheus_endpoint::{
    Counter, CounterVec, Gauge, GaugeVec, Opts, PrometheusError, Registry, U64, register,
};
use touchstone_gateway::{Answerer, Memory};
use touchstone_inference::{ModelInfo, ModelState, Residency};
use touchstone_rpc::MemoryNamespace;
use touchstone_workers::{AnchorCounters, RunnerCounters};

/// Metrics of engine and workers. Counters only grow; rates are the dashboard's business.
pub struct Metrics {
    answers: Counter<U64>,
    refused: Counter<U64>,
    failed: Counter<U64>,
    cancelled: Counter<U64>,
    tokens: Counter<U64>,
    active: Gauge<U64>,
    queued: Gauge<U64>,
    models: GaugeVec<U64>,
    loaded: GaugeVec<U64>,
    adapters: GaugeVec<U64>,
    unanchored: Gauge<U64>,
    anchor_tasks: Counter<U64>,
    anchor_errors: Counter<U64>,
    streams: Counter<U64>,
    duties: CounterVec<U64>,
    fragments: GaugeVec<U64>,
    behind: Gauge<U64>,
    conflicts: Gauge<U64>,
}

impl Metrics {
    /// Registers all metrics.
    pub fn register(registry: &Registry) -> Result<Self, PrometheusError> {
        let counter = |name: &str, help: &str| register(Counter::new(name, help)?, registry);
        let gauge = |name: &str, help: &str| register(Gauge::new(name, help)?, registry);
        let labelled = |name: &str, help: &str, label: &str| {
            register(GaugeVec::new(Opts::new(name, help), &[label])?, registry)
        };
        Ok(Self {
            answers: counter("touchstone_answers_total", "Answers given with a receipt")?,
            refused: counter(
                "touchstone_requests_refused_total",
                "Requests refused by a limit",
            )?,
            failed: counter("touchstone_requests_failed_total", "Requests that failed")?,
            cancelled: counter(
                "touchstone_requests_cancelled_total",
                "Requests that clients left",
            )?,
            tokens: counter("touchstone_tokens_total", "Tokens generated")?,
            active: gauge("touchstone_engine_active", "Requests being answered")?,
            queued: gauge(
                "touchstone_engine_queued",
                "Requests waiting for the engine",
            )?,
            models: labelled(
                "touchstone_models",
                "Models and adapters that are ready, loading or failed",
                "state",
            )?,
            loaded: labelled(
                "touchstone_model_loaded_percent",
                "How much of a model's file has been read; 0 if it failed",
                "model",
            )?,
            adapters: labelled(
                "touchstone_adapters",
                "Adapters that are loading, resident in memory or evicted",
                "residency",
            )?,
            unanchored: gauge(
                "touchstone_receipts_unanchored",
                "Receipts in the journal that no finalised batch holds",
            )?,
            anchor_tasks: counter(
                "touchstone_anchor_tasks_total",
                "Batches handed to the chain",
            )?,
            anchor_errors: counter("touchstone_anchor_errors_total", "Failures of the anchorer")?,
            streams: counter("touchstone_streams_opened_total", "Receipt streams opened")?,
            duties: register(
                CounterVec::new(
                    Opts::new(
                        "touchstone_canary_duties_total",
                        "Canaries posed to this node, by how far they came",
                    ),
                    &["state"],
                )?,
                registry,
            )?,
            fragments: labelled(
                "touchstone_memory_fragments",
                "Fragments that this node holds, and those of them that are found by meaning too",
                "state",
            )?,
            behind: gauge(
                "touchstone_memory_behind",
                "Namespaces that this node holds in another state than the best block has",
            )?,
            conflicts: gauge(
                "touchstone_memory_conflicts",
                "Writes that lost against others and wait for their writers",
            )?,
        })
    }

    /// Copies the workers' own counts every few seconds.
    pub async fn watch(
        self,
        answerer: Arc<Answerer>,
        anchors: Arc<AnchorCounters>,
        canaries: Option<Arc<RunnerCounters>>,
        memory: Arc<Memory>,
    ) {
        let raise = |counter: &Counter<U64>, to: u64| {
            counter.inc_by(to.saturating_sub(counter.get()));
        };
        loop {
            let counts = answerer.counters();
            raise(&self.answers, counts.answered);
            raise(&self.refused, counts.refused);
            raise(&self.failed, counts.failed);
            raise(&self.cancelled, counts.cancelled);
            raise(&self.tokens, counts.tokens);
            let load = answerer.load();
            self.active.set(load.active.into());
            self.queued.set(load.queued.into());
            self.show(&answerer.models());
            // Reads the chain's state and the journal, which takes longer than an async task may.
            let reader = answerer.clone();
            let depth = tokio::task::spawn_blocking(move || reader.mailbox_depth());
            if let Ok(Ok(depth)) = depth.await {
                self.unanchored.set(depth);
            }
            raise(
                &self.anchor_tasks,
                anchors.published.load(Ordering::Relaxed),
            );
            raise(&self.anchor_errors, anchors.errors.load(Ordering::Relaxed));
            raise(
                &self.streams,
                anchors.opened_streams.load(Ordering::Relaxed),
            );
            if let Some(canaries) = &canaries {
                for (state, count) in [
                    ("posed", &canaries.duties),
                    ("answered", &canaries.answered),
                    ("committed", &canaries.committed),
                    ("right", &canaries.right),
                    ("wrong", &canaries.wrong),
                    ("missed", &canaries.missed),
                ] {
                    let counter = self.duties.with_label_values(&[state]);
                    raise(&counter, count.load(Ordering::Relaxed));
                }
            }
            let reader = memory.clone();
            let held = tokio::task::spawn_blocking(move || reader.namespaces());
            if let Ok(Ok(namespaces)) = held.await {
                self.show_memory(&namespaces);
            }
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
    }

    fn show_memory(&self, namespaces: &[MemoryNamespace]) {
        let held = || {
            let held = |n: &MemoryNamespace| n.held.clone().map(|held| (n.chain.state, held));
            namespaces.iter().filter_map(held)
        };
        for (state, count) in [
            ("held", held().map(|(_, held)| held.state.count).sum()),
            ("embedded", held().map(|(_, held)| held.embedded).sum()),
        ] {
            self.fragments.with_label_values(&[state]).set(count);
        }
        let behind = held().filter(|(state, held)| held.state != *state);
        self.behind.set(behind.count() as u64);
        self.conflicts
            .set(held().map(|(_, held)| held.conflicts).sum());
    }

    fn show(&self, models: &[ModelInfo]) {
        for (state, count) in states(models) {
            self.models.with_label_values(&[state]).set(count);
        }
        for (residency, count) in residencies(models) {
            self.adapters.with_label_values(&[residency]).set(count);
        }
        for model in models {
            let percent = match &model.state {
                ModelState::Ready => 100,
                ModelState::Loading(progress) => progress.percent(),
                ModelState::Failed(_) => 0,
            };
            self.loaded
                .with_label_values(&[model.name.as_str()])
                .set(percent);
        }
    }
}

fn states(models: &[ModelInfo]) -> [(&'static str, u64); 3] {
    let count = |is: fn(&ModelState) -> bool| models.iter().filter(|m| is(&m.state)).count() as u64;
    [
        ("ready", count(|state| *state == ModelState::Ready)),
        (
            "loading",
            count(|state| matches!(state, ModelState::Loading(_))),
        ),
        (
            "failed",
            count(|state| matches!(state, ModelState::Failed(_))),
        ),
    ]
}

fn residencies(models: &[ModelInfo]) -> [(&'static str, u64); 3] {
    let count = |residency| {
        let sound = models
            .iter()
            .filter(|model| !matches!(model.state, ModelState::Failed(_)));
        let adapters = sound.filter_map(|model| model.adapter.as_ref());
        adapters
            .filter(|adapter| adapter.residency == residency)
            .count() as u64
    };
    [
        ("loading", count(Residency::Loading)),
        ("resident", count(Residency::Resident)),
        ("evicted", count(Residency::Evicted)),
    ]
}
