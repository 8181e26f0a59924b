//! Fits where our own kernel runs the LSTM and libtorch what stands around it.

use tch::Tensor;

use super::Model;
use crate::error::Result;
use crate::kernel::pool;
use crate::network::hybrid::HybridNetwork;
use crate::network::parameter::is_of_lstm;
use crate::series::augment::Augmenter;
use crate::series::table::Table;
use crate::series::Samples;
use crate::train::hybrid::HybridLearner;
use crate::train::hybrid_gradient::HybridGradient;
use crate::train::loss::Loss;
use crate::train::processes::Share;
use crate::train::sample_batch::SampleBatch;
use crate::train::threads::ThreadsGuard;
use crate::train::{self, Checkpoints, Observer, Outcome, TrainConfig};

impl Model {
    pub(super) fn train_by_both(
        &mut self,
        (train, validation): (&dyn Samples, Option<&dyn Samples>),
        augmenter: &Augmenter,
        training: &TrainConfig,
        observer: &mut dyn Observer,
        checkpoints: Option<Checkpoints>,
    ) -> Result<Outcome> {
        let config = self.config.network();
        let mut network = HybridNetwork::new(&config, &self.parameters)?;
        let (n_threads, n_features) = (pool::n_threads(training.n_threads), self.config.layout().width());
        let _threads = ThreadsGuard::new(Some(1));
        let samples = (train, validation, n_features);
        let weights = (&mut network, &self.parameters);
        let mut learner = HybridLearner::new(weights, &config, samples, n_threads, training)?.augmented(augmenter);
        let outcome = train::fit_with_checkpoints(&mut learner, training, observer, checkpoints);
        network.store(&self.parameters)?;
        outcome
    }

    pub(super) fn gradients_by_both(&self, table: &Table, loss: &Loss) -> Result<(f64, Vec<(String, Tensor)>)> {
        let config = self.config.network();
        let network = HybridNetwork::new(&config, &self.parameters)?;
        let _threads = ThreadsGuard::new(Some(1));
        let indices: Vec<usize> = (0..table.len()).collect();
        let n_features = self.config.layout().width();
        let sizes = (indices.len(), table.input_len() / n_features, n_features);
        let weights = (&network, &self.parameters);
        let mut gradient = HybridGradient::new(weights, &config, sizes, pool::n_threads(None))?;
        let batch = SampleBatch { samples: table, indices: &indices, share: Share::WHOLE, loss, masks: None };
        let mean = gradient.compute(&network, batch)?;
        let mut of_lstm = network.lstm.unpack(gradient.sum(&network)?.0).into_iter();
        let mut others = gradient.others().map(|(_, tensor)| tensor.grad().copy());
        // both in the order of the parameters
        let named = self.parameters.iter().map(|(name, tensor)| {
            let gradient = if is_of_lstm(name) {
                let values = of_lstm.next().expect("a gradient for each weight of the LSTM");
                Tensor::f_from_slice(&values)?.f_reshape(tensor.size())?
            } else {
                others.next().expect("a gradient for each other parameter")
            };
            Ok((name.to_owned(), gradient))
        });
        Ok((mean, named.collect::<Result<_>>()?))
    }
}
