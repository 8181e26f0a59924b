//! What stands where libtorch would, in a build without it: a sentence for each option that needs it.

use std::convert::Infallible;

use super::config::{Backend, ModelConfig};
use super::task::ForecastTask;
use crate::array::Array;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::network::Parameters;
use crate::series::augment::Augmenter;
use crate::series::table::Table;
use crate::series::Samples;
use crate::train::loss::Loss;
use crate::train::{Checkpoints, Observer, Outcome, TrainConfig};

/// There is none.
pub(super) struct TorchEngine(Infallible);

impl TorchEngine {
    /// Never.
    ///
    /// # Errors
    /// Always, with the option that needs libtorch.
    pub(super) fn new(config: &ModelConfig) -> Result<Self> {
        Err(Error::NeedsTorch(if Device::parse(&config.device)? != Device::Cpu {
            format!("device='{}'", config.device)
        } else if config.layer_devices.is_some() {
            "layer_devices".to_owned()
        } else if config.backend == Backend::Torch {
            "backend='torch'".to_owned()
        } else {
            format!("architecture='{}'", config.architecture.name())
        }))
    }

    pub(super) fn is_alone(&self) -> bool {
        match self.0 {}
    }

    pub(super) fn forget(&mut self) {
        match self.0 {}
    }

    pub(super) fn run<F: Fn(usize) -> (usize, usize) + Sync>(
        &mut self,
        _task: &ForecastTask<F>,
        _weights: (&Parameters, bool),
        _n: (usize, Option<usize>),
        _forecasts: &mut [f64],
    ) -> Result<()> {
        match self.0 {}
    }

    pub(super) fn train(
        &self,
        _model: (&ModelConfig, &mut Parameters),
        _samples: (&dyn Samples, Option<&dyn Samples>, &Augmenter),
        _training: &TrainConfig,
        _observer: &mut dyn Observer,
        _checkpoints: Option<Checkpoints>,
    ) -> Result<Outcome> {
        match self.0 {}
    }

    pub(super) fn gradients(
        &self,
        _model: (&ModelConfig, &Parameters),
        _table: &Table,
        _loss: &Loss,
    ) -> Result<(f64, Vec<(String, Array)>)> {
        match self.0 {}
    }

    pub(super) fn attention_weights<F: Fn(usize) -> (usize, usize)>(
        &self,
        _task: &ForecastTask<F>,
        _parameters: &Parameters,
        _n: (usize, Option<usize>),
    ) -> Result<(Vec<f32>, Vec<usize>)> {
        match self.0 {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Model;
    use crate::network::Architecture;
    use crate::train::config::Precision;

    #[test]
    fn what_needs_libtorch_says_so() {
        let config = ModelConfig::default;
        let sentence = |option| format!("{option} needs libtorch: pip install \"lstmforecast[torch]\"");
        let attention = Architecture::Attention { num_heads: 2 };
        for (config, option) in [
            (ModelConfig { backend: Backend::Torch, ..config() }, "backend='torch'"),
            (ModelConfig { device: "cuda:1".to_owned(), ..config() }, "device='cuda:1'"),
            (ModelConfig { layer_devices: Some(vec!["cpu".to_owned()]), ..config() }, "layer_devices"),
            (ModelConfig { architecture: attention, ..config() }, "architecture='attention'"),
        ] {
            let text = Model::new(config).err().expect("an error").to_string();
            assert_eq!(text, sentence(option));
        }
        let training = TrainConfig { precision: Precision::Bfloat16, ..TrainConfig::default() };
        assert_eq!(training.check().unwrap_err().to_string(), sentence("precision='bfloat16'"));
    }
}
