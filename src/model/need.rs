//! What a training needs of memory.

use super::engine::Engine;
use super::Model;
use crate::error::Result;
use crate::kernel::pool;
use crate::memory;
use crate::network;
use crate::network::config::{Architecture, NetworkConfig, SkipConfig};
use crate::train::fused_gradient::STEP_BYTES;
use crate::train::TrainConfig;

/// Numbers that the kernel keeps of each unit at each step: four gates, states, and with dropout or both directions outputs and
/// masks.
const STATES: usize = 9;

/// Numbers in the kernel's widest vectors.
const LANES: usize = 16;

/// How many weights there are as an engine lays them out: our own kernel in whole vectors.
fn count_laid_out(network: &NetworkConfig, engine: &Engine) -> Result<usize> {
    match engine {
        Engine::Line(_) => network::count_weights(network),
        Engine::Torch(torch) if torch.is_alone() => network::count_weights(network),
        Engine::Fused(_) => network::count_weights(&padded(network)),
        Engine::Torch(_) => {
            let input_size = network.lstm_input_size();
            let architecture = Architecture::Lstm;
            let lstm = NetworkConfig { architecture, input_size, output_size: 1, skip: None, ..network.clone() };
            let padding = network::count_weights(&padded(&lstm))? - network::count_weights(&lstm)?;
            Ok(network::count_weights(network)?.saturating_add(padding))
        }
    }
}

/// The network with whole vectors for sizes.
fn padded(network: &NetworkConfig) -> NetworkConfig {
    let skip = network.skip.map(|skip| SkipConfig { horizon: skip.horizon.next_multiple_of(LANES), ..skip });
    let hidden_size = network.hidden_size.next_multiple_of(LANES);
    NetworkConfig { hidden_size, output_size: network.output_size.next_multiple_of(LANES), skip, ..network.clone() }
}

impl Model {
    /// Whether there is memory for a training on so many samples.
    ///
    /// # Errors
    /// [`crate::error::Error::Memory`] if not.
    pub(super) fn check_memory(&self, n_samples: usize, training: &TrainConfig) -> Result<()> {
        let network = self.config.network();
        let batch_size = training.batch_size.min(n_samples);
        let n_threads = pool::n_threads(training.n_threads).min(batch_size);
        let n_weights = count_laid_out(&network, &self.engine)?.saturating_mul(network::COPIES + n_threads);
        // of the kernel, which goes through a batch in as many parts as it must
        let states = network.lstm_shape().n_cells().saturating_mul(network.hidden_size.next_multiple_of(LANES));
        let row = self
            .config
            .n_steps()
            .saturating_mul(states.saturating_mul(STATES).saturating_add(network.lstm_input_size()));
        let n_states = row.saturating_mul(batch_size).min(row.saturating_mul(n_threads).max(STEP_BYTES / 4));
        let n_states = if self.engine.is_torch() || matches!(self.engine, Engine::Line(_)) { 0 } else { n_states };
        memory::check::<f32>(n_weights.saturating_add(n_states), || {
            format!("training with {}, window_size={}", network.sizes(), self.config.window_size)
        })
    }
}
