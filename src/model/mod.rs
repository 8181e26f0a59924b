//! The trained thing that people keep: a network with the scalers of its data.

pub mod config;
mod data_config;
mod engine;
mod fingerprint;
pub mod fit;
pub mod forecast;
#[cfg(feature = "torch")]
mod hybrid_forecaster;
mod line;
mod line_choice;
mod line_fit;
mod line_forecaster;
mod need;
mod regression;
mod restored;
mod smoothing;
mod task;
#[cfg(feature = "torch")]
mod task_batches;
#[cfg_attr(not(feature = "torch"), path = "no_torch.rs")]
mod torch_engine;

pub use config::{Backend, Channels, ModelConfig, Supervision};
pub use data_config::{DataConfig, ScalerChoice, TableRows};

use crate::array::Array;
use crate::error::{Error, Result};
use crate::network::{self, Parameters};
use crate::series::lens::Lens;
use crate::series::scale::Scaler;
use crate::series::Panel;
use engine::Engine;

/// A network, its weights and the scalers between it and the user's units.
pub struct Model {
    config: ModelConfig,
    parameters: Parameters,
    input_scaler: Scaler,
    output_scaler: Scaler,
    engine: Engine,
    /// Whether the weights were rounded to eight bits.
    int8: bool,
}

impl Model {
    /// An untrained model whose scalers change nothing.
    ///
    /// # Errors
    /// [`Error::Value`] for sizes that make no sense, [`Error::Device`] for a device that isn't there.
    pub fn new(config: ModelConfig) -> Result<Self> {
        config.check()?;
        let engine = Engine::new(&config)?;
        let parameters = network::draw(&config.network(), config.seed)?;
        let (input_scaler, output_scaler) = (Scaler::identity(config.n_features), Scaler::identity(config.n_targets));
        Ok(Self { config, parameters, input_scaler, output_scaler, engine, int8: false })
    }

    /// How it was built.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Its weights.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Replaces all weights by those of the same names; nothing changes unless all fit. Of weights of eight bits (`int8`), those
    /// that read states are multiplied as integers in forecasts, where our own kernel makes them and the processor is
    /// faster so, until the weights change again.
    ///
    /// # Errors
    /// As [`Parameters::load`].
    pub fn load_parameters(&mut self, values: &[(String, Array)], int8: bool) -> Result<()> {
        self.parameters.load(values)?;
        self.forget_forecasters();
        self.int8 = int8;
        Ok(())
    }

    /// Whether its weights are of eight bits.
    pub fn int8(&self) -> bool {
        self.int8
    }

    fn forget_forecasters(&mut self) {
        self.engine.forget();
        self.int8 = false;
    }

    /// The scalers of inputs (one entry for each feature) and outputs (one for each target).
    pub fn scalers(&self) -> (&Scaler, &Scaler) {
        (&self.input_scaler, &self.output_scaler)
    }

    /// Replaces both scalers.
    ///
    /// # Errors
    /// [`Error::Shape`] when they are of other sizes.
    pub fn load_scalers(&mut self, input: Scaler, output: Scaler) -> Result<()> {
        input.check(self.config.n_features)?;
        output.check(self.config.n_targets)?;
        (self.input_scaler, self.output_scaler) = (input, output);
        Ok(())
    }

    /// A panel as the network sees it.
    fn lens<'a>(&'a self, panel: &'a Panel<'a>) -> Lens<'a> {
        let (scaler, output_scaler) = (&self.input_scaler, &self.output_scaler);
        Lens { panel, scaler, output_scaler, layout: self.config.layout() }
    }

    fn check_columns(&self, got: usize) -> Result<()> {
        if got == self.config.n_features {
            return Ok(());
        }
        Err(Error::shape(format!("a series of shape (n, {})", self.config.n_features), format!("(n, {got})")))
    }
}
