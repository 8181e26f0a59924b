//! A model of a file: built of weights that there are.

use super::config::ModelConfig;
use super::engine::Engine;
use super::Model;
use crate::array::Array;
use crate::error::Result;
use crate::network::{self, parameter::check_finite};
use crate::series::scale::Scaler;

impl Model {
    /// A trained model again, of what was kept of it: draws no weights, and allocates nothing before weights and scalers
    /// are known to be those of the configuration. See [`Model::load_parameters`] for `int8`.
    ///
    /// # Errors
    /// As [`Model::new`], and [`crate::error::Error::Value`] or [`crate::error::Error::Shape`] for weights and scalers of
    /// another model, or that aren't finite.
    pub fn restore(
        config: ModelConfig,
        weights: Vec<(String, Array)>,
        int8: bool,
        (input, output): (Scaler, Scaler),
    ) -> Result<Self> {
        config.check()?;
        let engine = Engine::new(&config)?;
        input.check(config.n_features)?;
        output.check(config.n_targets)?;
        input.check_numbers().and_then(|()| output.check_numbers())?;
        check_finite(&weights)?;
        let parameters = network::take(&config.network(), weights)?;
        Ok(Self { config, parameters, input_scaler: input, output_scaler: output, effect: None, engine, int8 })
    }
}
