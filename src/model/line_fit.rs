//! Fits, and the gradients of a batch, of a network that is a line alone.

use super::task::BATCH;
use super::Model;
use crate::array::Array;
use crate::error::Result;
use crate::network::fused_line::FusedLine;
use crate::series::table::Table;
use crate::series::{Gathered, Samples};
use crate::train::line::LineLearner;
use crate::train::loss::Loss;
use crate::train::{fit_with_checkpoints, Checkpoints, Observer, Outcome, TrainConfig};

impl Model {
    /// One evaluation of the line, which says how good it is: there is nothing left to learn.
    pub(super) fn evaluate_line(
        &mut self,
        samples: (&dyn Samples, Option<&dyn Samples>),
        training: &TrainConfig,
        observer: &mut dyn Observer,
        checkpoints: Option<Checkpoints>,
    ) -> Result<Outcome> {
        let once = training.once();
        let config = self.config.network();
        let mut learner = LineLearner::new((&config, &self.parameters), samples, &once)?;
        let outcome = fit_with_checkpoints(&mut learner, &once, observer, checkpoints);
        self.parameters = learner.into_weights();
        outcome
    }

    pub(super) fn gradients_of_line(&self, table: &Table, loss: &Loss) -> Result<(f64, Vec<(String, Array)>)> {
        let network = FusedLine::new(&self.config.network(), &self.parameters)?;
        let (mut memory, mut gathered, mut gradient) = (network.memory(BATCH), Gathered::default(), network.gradient());
        let (mut mean, mut slopes) = (0.0, Vec::new());
        for start in (0..table.len()).step_by(BATCH) {
            gathered.clear();
            (start..table.len().min(start + BATCH)).for_each(|index| table.gather(index, &mut gathered));
            let rows = gathered.weights.len();
            for (row, input) in gathered.inputs.chunks_exact(table.input_len()).enumerate() {
                network.set_window(&mut memory, row, input);
            }
            let outputs = network.forward(&mut memory, rows);
            slopes.resize(outputs.len(), 0.0);
            mean += loss.share(outputs, &gathered, table.len(), Some(&mut slopes));
            network.backward(&mut memory, &slopes, rows, &mut gradient);
        }
        let named = self.parameters.iter().zip(network.unpack(&gradient));
        let named = named.map(|((name, array), values)| Ok((name.to_owned(), Array::new(array.shape(), values)?)));
        Ok((mean, named.collect::<Result<_>>()?))
    }
}
