//! Which of the engine's models a request means.

use crate::answer::Refusal;
use touchstone_inference::{ModelInfo, ModelState};
use touchstone_rpc::errors;

/// What answers when nothing is named: the first base that has not failed, or else the first one.
pub(crate) fn default_model(models: &[ModelInfo]) -> Option<&ModelInfo> {
    let mut bases = models.iter().filter(|model| model.adapter.is_none());
    bases
        .clone()
        .find(|model| !matches!(model.state, ModelState::Failed(_)))
        .or_else(|| bases.next())
}

/// The model of this name (`BASE` or `BASE+ADAPTER`), with this adapter.
pub(crate) fn find_model<'a>(
    models: &'a [ModelInfo],
    name: Option<&str>,
    adapter: Option<&str>,
) -> Result<&'a ModelInfo, Refusal> {
    let named = |name: &str| models.iter().find(|model| model.name == name);
    let (base, adapter) = match (name, adapter) {
        (None, None) => {
            let missing = || Refusal::new(errors::NO_ENGINE, "the engine has no model");
            return default_model(models).ok_or_else(missing);
        }
        (Some(name), None) => {
            if let Some(model) = named(name) {
                return Ok(model);
            }
            match name.rsplit_once('+') {
                Some((base, adapter)) if named(base).is_some() => (Some(base), adapter),
                _ => return Err(unknown_model(models, name)),
            }
        }
        (Some(base), Some(_)) if named(base).is_none() => {
            return Err(unknown_model(models, base));
        }
        (base, Some(adapter)) => (base, adapter),
    };
    let on_base = || {
        let adapters = models
            .iter()
            .filter_map(|model| Some((model, model.adapter.as_ref()?)));
        adapters.filter(|(_, adapter)| base.is_none_or(|base| adapter.base == base))
    };
    let found = on_base().find(|(_, known)| known.name == adapter);
    found.map(|(model, _)| model).ok_or_else(|| {
        let base = base
            .map(|base| format!(" on \"{base}\""))
            .unwrap_or_default();
        let known = list(on_base().map(|(model, _)| model));
        Refusal::new(
            errors::UNKNOWN_ADAPTER,
            format!("no adapter \"{adapter}\"{base} here; there is: {known}"),
        )
    })
}

fn unknown_model(models: &[ModelInfo], name: &str) -> Refusal {
    Refusal::new(
        errors::UNKNOWN_MODEL,
        format!("no model \"{name}\" here; there is: {}", list(models)),
    )
}

/// Names, for people.
fn list<'a>(models: impl IntoIterator<Item = &'a ModelInfo>) -> String {
    let names: Vec<&str> = models.into_iter().map(|model| &*model.name).collect();
    match names.is_empty() {
        true => "none".into(),
        false => names.join(", "),
    }
}
