//! What stands where libtorch would, in a build without it: a sentence for each network that needs it.

use std::convert::Infallible;

use super::config::ModelConfig;
use super::task::ForecastTask;
use crate::array::Array;
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
    /// Always, with the network that needs libtorch.
    pub(super) fn new(config: &ModelConfig) -> Result<Self> {
        Err(Error::NeedsTorch(format!("architecture='{}'", config.architecture.name())))
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
    use crate::model::{Backend, Model};
    use crate::network::Architecture;
    use crate::series::scale::Scaler;
    use crate::series::Matrix;
    use crate::train::config::Precision;

    #[test]
    fn what_needs_libtorch_says_so() {
        let config = ModelConfig::default;
        let sentence = |option| format!("{option} needs libtorch: pip install \"lstmforecast[torch]\"");
        for (config, option) in [
            (ModelConfig { backend: Backend::Torch, ..config() }, "backend='torch'"),
            (ModelConfig { device: "cuda:1".to_owned(), ..config() }, "device='cuda:1'"),
            (ModelConfig { layer_devices: Some(vec!["cpu".to_owned()]), ..config() }, "layer_devices"),
        ] {
            assert_eq!(config.check_trainable().unwrap_err().to_string(), sentence(option));
        }
        assert!(config().check_trainable().is_ok());
        let training = TrainConfig { precision: Precision::Bfloat16, ..TrainConfig::default() };
        assert_eq!(training.check().unwrap_err().to_string(), sentence("precision='bfloat16'"));
    }

    #[test]
    fn a_network_that_needs_libtorch_is_neither_made_nor_restored() {
        let architecture = Architecture::Attention { num_heads: 2 };
        let config = ModelConfig { architecture, device: "cuda".to_owned(), ..ModelConfig::default() };
        let text = Error::NeedsTorch("architecture='attention'".to_owned()).to_string();
        assert_eq!(Model::new(config.clone()).err().expect("an error").to_string(), text);
        let scalers = (Scaler::identity(1), Scaler::identity(1));
        assert_eq!(Model::restore(config, Vec::new(), false, scalers).err().expect("an error").to_string(), text);
    }

    #[test]
    fn our_own_kernel_forecasts_what_libtorch_trained() {
        let forecast = |config: ModelConfig| {
            let mut model = Model::new(config).unwrap();
            let window = Matrix::new(&[0.5; 12], 12).unwrap();
            model.forecast(window, None, Some(1)).unwrap()
        };
        let expected = forecast(ModelConfig::default());
        for config in [
            ModelConfig { backend: Backend::Torch, ..ModelConfig::default() },
            ModelConfig { device: "cuda".to_owned(), ..ModelConfig::default() },
            ModelConfig { layer_devices: Some(vec!["cuda".to_owned()]), ..ModelConfig::default() },
        ] {
            assert_eq!(forecast(config), expected);
        }
    }
}
