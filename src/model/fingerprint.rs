//! What the training of a model is, in words, for its checkpoints.

use super::data_config::{DataConfig, TableRows};
use super::engine::Engine;
use super::Model;
use crate::error::Result;
use crate::kernel::isa::InstructionSet;
use crate::series::Panel;
use crate::store::Digest;
use crate::train::fingerprint::{add_weights, json, of_options, Fingerprint};
use crate::train::{Checkpoints, TrainConfig};

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
        if !self.engine.is_torch() && !matches!(self.engine, Engine::Line(_)) {
            add("instruction set", format!("{:?}", InstructionSet::choose()?));
        }
        add("data", contents());
        add("initial weights and scalers", self.digest());
        Ok(fingerprint)
    }

    fn digest(&self) -> String {
        let mut digest = Digest::default();
        add_weights(&mut digest, &self.parameters);
        for scaler in [&self.input_scaler, &self.output_scaler] {
            digest.add_numbers(&scaler.center);
            digest.add_numbers(&scaler.scale);
        }
        digest.to_string()
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
        if let Some(weights) = panel.weights(i) {
            for weight in weights {
                digest.add_word(u64::from(weight.to_bits()));
            }
        }
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
