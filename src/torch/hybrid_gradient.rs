//! The gradient of a batch's loss where our own kernel runs the LSTM and libtorch what stands around it: the batch split over
//! our threads, each with a graph of its own.

use std::ops::Range;

use tch::{Device, Tensor};

use super::hybrid::{HybridNetwork, Surroundings};
use super::tensor::tensor;
use super::threads::one_thread;
use super::weights::Weights;
use crate::error::Result;
use crate::kernel::aligned::Aligned;
use crate::kernel::pool;
use crate::kernel::transposed::TransposedWeights;
use crate::kernel::workspace::{Needs, Workspace};
use crate::network::parameter::is_of_lstm;
use crate::network::NetworkConfig;
use crate::series::{Gathered, Samples};
use crate::train::fused_gradient::STEP_BYTES;
use crate::train::sample_batch::SampleBatch;

/// Rows that a thread should have at the least: libtorch's operations take some microseconds each for fewer, too.
const LEAST_ROWS: usize = 8;

/// What the forward and the backward pass need, for batches of up to a number of rows.
pub struct HybridGradient {
    batch_size: usize,
    workers: Vec<HybridWorker>,
    transposed: TransposedWeights,
    n_features: usize,
    /// Parameters of the LSTM whose gradient is zero, whatever it is.
    frozen: Vec<Range<usize>>,
}

/// One thread's part of a batch.
struct HybridWorker {
    surroundings: Surroundings,
    workspace: Workspace,
    samples: Gathered,
    outputs: Vec<f32>,
    slopes: Vec<f32>,
    /// Of the LSTM's parameters.
    gradient: Aligned,
    loss: Result<f64>,
}

impl HybridGradient {
    /// For batches of up to `batch_size` inputs of `(rows, n_features)`, on up to `n_threads` threads.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when there is no memory for it.
    pub fn new(
        (network, weights): (&HybridNetwork, &Weights),
        config: &NetworkConfig,
        sizes: (usize, usize, usize),
        n_threads: usize,
    ) -> Result<Self> {
        Self::within(STEP_BYTES, (network, weights), config, sizes, n_threads)
    }

    /// The same within so many bytes.
    fn within(
        bytes: usize,
        (network, weights): (&HybridNetwork, &Weights),
        config: &NetworkConfig,
        (batch_size, rows, n_features): (usize, usize, usize),
        n_threads: usize,
    ) -> Result<Self> {
        let n_workers = n_threads.min(batch_size.div_ceil(LEAST_ROWS)).max(1);
        let steps = config.n_steps(rows * n_features);
        let worker = |_| {
            let surroundings = Surroundings::new(network, weights)?;
            let (input_gradient, output_gradient) = surroundings.needs();
            let needs = Needs {
                dropout: config.dropout > 0.0,
                output_gradient,
                input_gradient,
                tbptt: config.tbptt,
                symbols: None,
            };
            let (lstm, rows) = (&network.lstm, batch_size.div_ceil(n_workers));
            let worker = HybridWorker {
                workspace: lstm.workspace(lstm.rows_within(bytes / n_workers, rows, steps, needs), steps, needs),
                surroundings,
                samples: Gathered::default(),
                outputs: Vec::new(),
                slopes: Vec::new(),
                gradient: Aligned::zeros(network.parameters.len()),
                loss: Ok(0.0),
            };
            Ok((worker, needs))
        };
        let (workers, needs): (Vec<_>, Vec<_>) =
            (0..n_workers).map(worker).collect::<Result<Vec<_>>>()?.into_iter().unzip();
        let transposed = network.lstm.transposed(needs[0]);
        let mut gradient = Self { batch_size: batch_size.max(1), workers, transposed, n_features, frozen: Vec::new() };
        gradient.update(network);
        Ok(gradient)
    }

    /// Calls the gradient of these parameters of the LSTM zero.
    pub(super) fn freeze(&mut self, frozen: Vec<Range<usize>>) {
        self.frozen = frozen;
    }

    /// Threads that work on a batch.
    pub fn n_workers(&self) -> usize {
        self.workers.len()
    }

    /// The parameters of all other layers than the LSTM, by name, which have the gradients of [`HybridGradient::sum`].
    pub fn others(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.workers[0].others()
    }

    /// Makes its copies of the LSTM's weights anew; those of the other layers are shared.
    pub fn update(&mut self, network: &HybridNetwork) {
        self.transposed.update(&network.parameters, self.workers.len());
    }

    /// What the batch adds to the mean loss; the gradient is then in parts, which [`HybridGradient::sum`] adds up.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when libtorch refuses an operation.
    pub fn compute(&mut self, network: &HybridNetwork, batch: SampleBatch) -> Result<f64> {
        let (n_workers, transposed, n_features) = (self.workers.len(), &self.transposed, self.n_features);
        let batch_size = self.batch_size;
        pool::for_each(&mut self.workers, |at, worker| {
            let parts = batch.rows((at, n_workers), batch_size);
            worker.loss = worker
                .start()
                .and_then(|()| parts.map(|rows| worker.compute((network, transposed), batch, rows, n_features)).sum());
        });
        let losses = self.workers.iter_mut().map(|worker| std::mem::replace(&mut worker.loss, Ok(0.0)));
        losses.sum()
    }

    /// The gradient of the LSTM's parameters in the kernel's order, and its norm; those of the other layers lie with their
    /// tensors.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when libtorch refuses an operation.
    pub fn sum(&mut self, network: &HybridNetwork) -> Result<(&mut [f32], f64)> {
        let (set, (first, others)) = (network.lstm.set(), self.workers.split_at_mut(1));
        for other in others {
            set.add(&mut first[0].gradient, &other.gradient);
            for ((_, sum), (_, part)) in first[0].others().zip(other.others()) {
                let _ = tch::no_grad(|| sum.grad().f_add_(&part.grad()))?;
            }
        }
        for frozen in &self.frozen {
            first[0].gradient[frozen.clone()].fill(0.0);
        }
        let gradient = &mut *self.workers[0].gradient;
        let norm = set.sum_of_squares(gradient).sqrt();
        Ok((gradient, norm))
    }
}

impl HybridWorker {
    fn others(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.surroundings.parameters.iter().filter(|(name, _)| !is_of_lstm(name))
    }

    fn start(&mut self) -> Result<()> {
        one_thread();
        self.gradient.fill(0.0);
        self.surroundings.forget_gradients()
    }

    fn compute(
        &mut self,
        (network, transposed): (&HybridNetwork, &TransposedWeights),
        batch: SampleBatch,
        rows: Range<usize>,
        n_features: usize,
    ) -> Result<f64> {
        let (mut loss, at_once) = (0.0, self.workspace.max_rows());
        for start in rows.clone().step_by(at_once) {
            loss += self.learn((network, transposed), batch, start..rows.end.min(start + at_once), n_features)?;
        }
        Ok(loss)
    }

    /// Loss and gradient of as many rows as there is room for.
    fn learn(
        &mut self,
        (network, transposed): (&HybridNetwork, &TransposedWeights),
        batch: SampleBatch,
        rows: Range<usize>,
        n_features: usize,
    ) -> Result<f64> {
        gather(batch.samples, batch.indices[rows.clone()].iter().copied(), &mut self.samples);
        let windows = windows(&self.samples, n_features)?;
        let masks = batch.masks.map(|masks| masks.from_row(rows.start));
        let pass = self.surroundings.forward(network, &mut self.workspace, &windows, masks)?;
        self.outputs.resize(pass.outputs.numel(), 0.0);
        pass.outputs.f_copy_data(&mut self.outputs, pass.outputs.numel())?;
        self.slopes.resize(self.outputs.len(), 0.0);
        let loss = batch.loss.share(&self.outputs, &self.samples, batch.indices.len(), Some(&mut self.slopes));
        let memory = (transposed, &mut self.workspace);
        pass.backward((network, &mut self.surroundings), memory, &self.slopes, &mut self.gradient)?;
        Ok(loss)
    }
}

/// Replaces what was gathered by these samples.
pub(super) fn gather(samples: &dyn Samples, indices: impl Iterator<Item = usize>, gathered: &mut Gathered) {
    gathered.clear();
    indices.for_each(|index| samples.gather(index, gathered));
}

/// The inputs of samples as a tensor `(n, rows, n_features)`.
pub(super) fn windows(samples: &Gathered, n_features: usize) -> Result<Tensor> {
    let n = samples.weights.len();
    tensor(&samples.inputs, &[n, samples.inputs.len() / (n * n_features), n_features], Device::Cpu)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{draw, Architecture};
    use crate::rng::{DropoutMasks, Purpose, Rng};
    use crate::series::table::Table;
    use crate::series::Matrix;
    use crate::torch::devices::Devices;
    use crate::train::loss::Loss;
    use crate::train::processes::Share;

    const BATCH: usize = 23;
    const STEPS: usize = 9;

    /// Loss and gradients of one batch, within so many bytes.
    fn gradient(bytes: usize, config: &NetworkConfig) -> (f64, Vec<f32>) {
        let drawn = draw(config, 0).unwrap();
        let (network, weights) =
            (HybridNetwork::new(config, &drawn).unwrap(), Weights::new(&drawn, &Devices::CPU).unwrap());
        let mut rng = Rng::new(0, Purpose::Shuffle);
        let (inputs, targets) = (rng.uniform(BATCH * STEPS * 2, 1.0), rng.uniform(BATCH * 3, 1.0));
        let table =
            Table::new(Matrix::new(&inputs, STEPS * 2).unwrap(), Matrix::new(&targets, 3).unwrap(), &[1.0; BATCH]);
        let sizes = (BATCH, STEPS, 2);
        let mut gradient = HybridGradient::within(bytes, (&network, &weights), config, sizes, 2).unwrap();
        let (indices, masks) = ((0..BATCH).collect::<Vec<_>>(), DropoutMasks::new(1, config.dropout).during(0));
        let batch = SampleBatch {
            samples: &table,
            indices: &indices,
            share: Share::WHOLE,
            loss: &Loss::Mse,
            masks: Some(masks),
        };
        let loss = gradient.compute(&network, batch).unwrap();
        let mut all = gradient.sum(&network).unwrap().0.to_vec();
        for (_, tensor) in gradient.others() {
            all.extend(Vec::<f32>::try_from(tensor.grad().reshape([-1])).unwrap());
        }
        (loss, all)
    }

    #[test]
    fn some_rows_at_a_time_have_the_gradient_of_all() {
        let cnn = Architecture::CnnLstm { kernel_sizes: vec![3], out_channels: 4 };
        for (architecture, tbptt) in
            [(Architecture::Attention { num_heads: 2 }, None), (cnn.clone(), None), (cnn, Some(4))]
        {
            let config = NetworkConfig {
                architecture,
                input_size: 2,
                hidden_size: 10,
                num_layers: 2,
                dropout: 0.4,
                output_size: 3,
                tbptt,
                ..NetworkConfig::default()
            };
            let (loss, whole) = gradient(STEP_BYTES, &config);
            // one row, and some
            for bytes in [1, 60_000] {
                let (same, pieces) = gradient(bytes, &config);
                // libtorch's outputs of other numbers of rows differ in their last bits
                assert!((same - loss).abs() < 1e-6);
                // sums of 23 gradients of up to 0.1 in another order
                assert!(pieces.iter().zip(&whole).all(|(a, b)| (a - b).abs() < 1e-6));
                assert_ne!(pieces, whole);
            }
        }
    }
}
