//! The trained thing that people keep: a network with the scalers of its data.

pub mod config;
mod data_config;
mod effect;
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
use crate::series::effect::{KnownEffect, RowEffects};
use crate::series::scale::Scaler;
use crate::series::Panel;
use engine::Engine;

/// A network, its weights and the scalers between it and the user's units.
pub struct Model {
    config: ModelConfig,
    parameters: Parameters,
    input_scaler: Scaler,
    output_scaler: Scaler,
    /// What known features add to the targets; `None`: no fit has looked for it.
    effect: Option<KnownEffect>,
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
        Ok(Self { config, parameters, input_scaler, output_scaler, effect: None, engine, int8: false })
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

    /// What known features add to the targets, where a fit or a file has said it.
    pub fn effect(&self) -> Option<&KnownEffect> {
        self.effect.as_ref()
    }

    /// Replaces the effect by that of arrays; see [`KnownEffect::of_arrays`].
    ///
    /// # Errors
    /// [`Error::Value`] for arrays of other sizes, or of a model that has no effect.
    pub fn load_effect(&mut self, arrays: [Vec<f64>; 4]) -> Result<()> {
        let sizes = (self.config.n_known, self.config.layout().n_targets_at_once());
        let effect = KnownEffect::of_arrays(sizes, arrays)?;
        if !self.config.known_effect {
            return Err(Error::Value("expected no effect of known features, as of this network, got one".to_owned()));
        }
        self.effect = Some(effect);
        Ok(())
    }

    /// The effect at the rows of a panel, if there is one.
    fn row_effects(&self, panel: &Panel) -> Option<RowEffects> {
        self.effect.as_ref().and_then(|effect| self.rows_of(effect, panel))
    }

    fn rows_of(&self, effect: &KnownEffect, panel: &Panel) -> Option<RowEffects> {
        (!effect.is_zero()).then(|| RowEffects::new(effect, panel, &self.input_scaler))
    }

    fn check_columns(&self, got: usize) -> Result<()> {
        if got == self.config.n_features {
            return Ok(());
        }
        Err(Error::shape(format!("a series of shape (n, {})", self.config.n_features), format!("(n, {got})")))
    }
}
