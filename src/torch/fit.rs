//! Trainings by libtorch, alone or around our own kernel, and the gradients of one batch.

use tch::Tensor;

use super::batch::Loader;
use super::build::build;
use super::devices::Devices;
use super::hybrid::HybridNetwork;
use super::hybrid_gradient::HybridGradient;
use super::hybrid_learner::HybridLearner;
use super::learner::TorchLearner;
use super::tensor::array;
use super::threads::ThreadsGuard;
use super::weights::Weights;
use crate::array::Array;
use crate::error::Result;
use crate::kernel::pool;
use crate::network::parameter::is_of_lstm;
use crate::network::{NetworkConfig, Parameters};
use crate::series::augment::Augmenter;
use crate::series::table::Table;
use crate::series::Samples;
use crate::train::loss::Loss;
use crate::train::processes::Share;
use crate::train::sample_batch::SampleBatch;
use crate::train::{fit_with_checkpoints, Checkpoints, Observer, Outcome, TrainConfig};

/// What a training learns from.
#[derive(Clone, Copy)]
pub struct Data<'a> {
    /// Samples to train on.
    pub train: &'a dyn Samples,
    /// Those held out.
    pub validation: Option<&'a dyn Samples>,
    /// Numbers in a row of a window.
    pub n_features: usize,
    /// What changes the training samples of each step.
    pub augmenter: Option<&'a Augmenter>,
}

/// Loss, and the gradient of each parameter under its name.
pub type Gradients = (f64, Vec<(String, Array)>);

/// Trains a network of these weights, which are replaced, by libtorch alone, on up to `n_threads` threads.
///
/// # Errors
/// As [`fit_with_checkpoints`].
pub fn train(
    (config, parameters): (&NetworkConfig, &mut Parameters),
    (devices, n_threads): (&Devices, Option<usize>),
    data: Data,
    training: &TrainConfig,
    observer: &mut dyn Observer,
    checkpoints: Option<Checkpoints>,
) -> Result<Outcome> {
    let weights = Weights::new(parameters, devices)?;
    let network = build(config, &weights)?;
    let loader = |samples| Loader::new(samples, data.n_features, devices.main);
    let samples = (loader(data.train).augmented(data.augmenter), data.validation.map(loader));
    let _threads = ThreadsGuard::new(n_threads);
    let mut learner =
        TorchLearner::new((&*network, &weights), samples, config.dropout, training).with_precision(config)?;
    let outcome = fit_with_checkpoints(&mut learner, training, observer, checkpoints);
    weights.store(parameters)?;
    outcome
}

/// Trains a network of these weights, which are replaced, by our own kernel and libtorch.
///
/// # Errors
/// As [`fit_with_checkpoints`].
pub fn train_hybrid(
    (config, parameters): (&NetworkConfig, &mut Parameters),
    data: Data,
    training: &TrainConfig,
    observer: &mut dyn Observer,
    checkpoints: Option<Checkpoints>,
) -> Result<Outcome> {
    let mut network = HybridNetwork::new(config, parameters)?;
    let weights = Weights::new(parameters, &Devices::CPU)?;
    let n_threads = pool::n_threads(training.n_threads);
    let _threads = ThreadsGuard::new(Some(1));
    let samples = (data.train, data.validation, data.n_features);
    let mut learner = HybridLearner::new((&mut network, &weights), config, samples, n_threads, training)?;
    if let Some(augmenter) = data.augmenter {
        learner = learner.augmented(augmenter);
    }
    let outcome = fit_with_checkpoints(&mut learner, training, observer, checkpoints);
    network.store(&weights, parameters)?;
    outcome
}

/// Loss and gradients of a table, all in one batch, by libtorch alone.
///
/// # Errors
/// [`crate::error::Error::Torch`] when libtorch refuses an operation.
pub fn gradients(
    (config, parameters): (&NetworkConfig, &Parameters),
    devices: &Devices,
    (table, n_features): (&Table, usize),
    loss: &Loss,
) -> Result<Gradients> {
    let weights = Weights::new(parameters, devices)?;
    let loader = Loader::new(table, n_features, devices.main);
    let batch = loader.batch(&loader.in_order())?;
    let mean = loss.mean(&build(config, &weights)?.forward(&batch.inputs, None)?, &batch)?;
    let gradients = Tensor::f_run_backward(&[&mean], &weights.tensors(), false, false)?;
    let named = weights.iter().zip(&gradients).map(|((name, _), gradient)| Ok((name.to_owned(), array(gradient)?)));
    Ok((mean.f_double_value(&[])?, named.collect::<Result<_>>()?))
}

/// The same by our own kernel and libtorch.
///
/// # Errors
/// As [`gradients`].
///
/// # Panics
/// Never: each parameter has a gradient.
pub fn gradients_hybrid(
    (config, parameters): (&NetworkConfig, &Parameters),
    (table, n_features): (&Table, usize),
    loss: &Loss,
) -> Result<Gradients> {
    let network = HybridNetwork::new(config, parameters)?;
    let weights = Weights::new(parameters, &Devices::CPU)?;
    let _threads = ThreadsGuard::new(Some(1));
    let indices: Vec<usize> = (0..table.len()).collect();
    let sizes = (indices.len(), table.input_len() / n_features, n_features);
    let mut gradient = HybridGradient::new((&network, &weights), config, sizes, pool::n_threads(None))?;
    let batch = SampleBatch { samples: table, indices: &indices, share: Share::WHOLE, loss, masks: None };
    let mean = gradient.compute(&network, batch)?;
    let mut of_lstm = network.lstm.unpack(gradient.sum(&network)?.0).into_iter();
    let mut others = gradient.others().map(|(_, tensor)| array(&tensor.grad()));
    // both in the order of the parameters
    let named = parameters.iter().map(|(name, weight)| {
        let gradient = if is_of_lstm(name) {
            Array::new(weight.shape(), of_lstm.next().expect("a gradient for each weight of the LSTM"))
        } else {
            others.next().expect("a gradient for each other parameter")
        };
        Ok((name.to_owned(), gradient?))
    });
    Ok((mean, named.collect::<Result<_>>()?))
}
