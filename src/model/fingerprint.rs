//! What a training is, in words: a checkpoint knows by them whether it is one of it.

use serde::Serialize;
use serde_json::Value;

use super::fit::{DataConfig, TableRows};
use super::{Engine, Model};
use crate::error::{Error, Result};
use crate::kernel::isa::InstructionSet;
use crate::network::parameter::numbers_of;
use crate::network::Parameters;
use crate::series::Panel;
use crate::store::Digest;
use crate::train::checkpoint::{Checkpoints, Fingerprint};
use crate::train::schedule::LrSchedule;
use crate::train::TrainConfig;

/// What changes no number, or is compared in another way.
const LEFT_OUT: [&str; 2] = ["n_threads", "checkpoint"];

impl Model {
    /// The checkpoints of a training on data in these words; `None`: none are wanted.
    pub(super) fn checkpoints(
        &self,
        (data, training): (&DataConfig, &TrainConfig),
        contents: impl FnOnce() -> String,
    ) -> Result<Option<Checkpoints>> {
        let Some(config) = &training.checkpoint else { return Ok(None) };
        let open = || Checkpoints::open(config, self.fingerprint((data, training), contents)?).map(Some);
        // one that reads and writes is enough, and needs no folder that all see
        match &training.processes {
            Some(processes) => processes.by_first(open),
            None => open(),
        }
    }

    /// What a training is.
    fn fingerprint(
        &self,
        (data, training): (&DataConfig, &TrainConfig),
        contents: impl FnOnce() -> String,
    ) -> Result<Fingerprint> {
        let mut fingerprint = of_options(&[json(&self.config)?, json(data)?, json(training)?], training);
        let mut add = |name: &str, value: String| fingerprint.push((name.to_owned(), value));
        if self.engine() != Engine::Torch {
            add("instruction set", format!("{:?}", InstructionSet::choose()?));
        }
        add("data", contents());
        add("initial weights and scalers", self.digest()?);
        Ok(fingerprint)
    }

    fn digest(&self) -> Result<String> {
        let mut digest = Digest::default();
        add_weights(&mut digest, &self.parameters)?;
        for scaler in [&self.input_scaler, &self.output_scaler] {
            digest.add_numbers(&scaler.center);
            digest.add_numbers(&scaler.scale);
        }
        Ok(digest.to_string())
    }
}

/// Options as they are saved.
///
/// # Errors
/// [`Error::Value`] when they can't be.
pub(crate) fn json(options: &impl Serialize) -> Result<Value> {
    serde_json::to_value(options).map_err(|e| Error::Value(e.to_string()))
}

/// Options that decide about what a training computes.
pub(crate) fn of_options(options: &[Value], training: &TrainConfig) -> Fingerprint {
    // where the rate follows no curve, the epochs so far are the same whatever their number
    let is_curve = matches!(training.lr_schedule, LrSchedule::Cosine | LrSchedule::OneCycle);
    let counts = |name: &str| !LEFT_OUT.contains(&name) && (is_curve || name != "max_epochs");
    let each = options.iter().filter_map(Value::as_object).flatten().filter(|(name, _)| counts(name));
    each.map(|(name, value)| (name.clone(), words(value))).collect()
}

/// Takes weights into a digest.
///
/// # Errors
/// [`Error::Torch`] when one can't be read.
pub(crate) fn add_weights(digest: &mut Digest, parameters: &Parameters) -> Result<()> {
    for (_, tensor) in parameters.iter() {
        for value in numbers_of(tensor)? {
            digest.add_word(u64::from(value.to_bits()));
        }
    }
    Ok(())
}

/// As a user writes it.
fn words(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::String(text) => format!("'{text}'"),
        other => other.to_string(),
    }
}

/// Shape and values of series.
pub(super) fn of_panel(panel: &Panel, n_targets: usize) -> String {
    let (mut digest, mut n_rows) = (Digest::default(), 0);
    for i in 0..panel.n_series() {
        let rows = panel.series(i);
        digest.add_word(rows.n_rows() as u64);
        digest.add_numbers(rows.values());
        n_rows += rows.n_rows();
        for (center, scale) in (0..n_targets).filter_map(|target| panel.scale(i, target)) {
            digest.add_numbers(&[center, scale]);
        }
    }
    format!("({n_rows}, {}) in {} series with the digest {digest}", panel.n_columns(), panel.n_series())
}

/// Shape and values of a table.
pub(super) fn of_table(rows: &TableRows) -> String {
    let mut digest = Digest::default();
    for values in [rows.inputs.values(), rows.targets.values(), rows.weights] {
        digest.add_numbers(values);
    }
    format!("({}, {}) with the digest {digest}", rows.inputs.n_rows(), rows.inputs.n_columns())
}
