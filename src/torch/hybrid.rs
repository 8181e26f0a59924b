//! A network whose LSTM runs on our own kernel, one link between layers that run under libtorch's automatic differentiation.

use tch::{Device, Kind, Tensor};

use super::build::replicate;
use super::network::{AroundLstm, Network};
use super::tensor::{dimensions, numbers_of, tensor};
use super::weights::Weights;
use crate::array::Array;
use crate::error::Result;
use crate::kernel::aligned::Aligned;
use crate::kernel::forward_only::ForwardMemory;
use crate::kernel::integer::Integers;
use crate::kernel::isa::InstructionSet;
use crate::kernel::lstm::Lstm;
use crate::kernel::transposed::TransposedWeights;
use crate::kernel::workspace::Workspace;
use crate::network::fused::{numbered, owners};
use crate::network::parameter::is_of_lstm;
use crate::network::{NetworkConfig, Parameters};
use crate::rng::StepMasks;

/// The LSTM and its weights in the kernel's order, which all threads read.
#[derive(Debug, Clone)]
pub struct HybridNetwork {
    /// The recurrent layers.
    pub lstm: Lstm,
    /// Their parameters.
    pub parameters: Aligned,
    /// Names of PyTorch's tensors of them.
    pub names: Vec<String>,
    config: NetworkConfig,
    /// What takes the place of the LSTM's weights in forecasts.
    integers: Option<Integers>,
}

impl HybridNetwork {
    /// The LSTM of this configuration, of which there is one, with these weights.
    ///
    /// # Errors
    /// [`crate::error::Error::Value`] when `LSTMFORECAST_SIMD` makes no sense.
    pub fn new(config: &NetworkConfig, weights: &Parameters) -> Result<Self> {
        let lstm = Lstm::new(config.lstm_shape(), InstructionSet::choose()?);
        let mut parameters = Aligned::zeros(lstm.n_parameters());
        let names = weights.iter().map(|(name, _)| name).filter(|name| is_of_lstm(name)).map(str::to_owned).collect();
        let tensors: Vec<_> = of_lstm(weights).map(|array| array.values().to_vec()).collect();
        lstm.pack(&tensors, &mut parameters);
        Ok(Self { lstm, parameters, names, config: config.clone(), integers: None })
    }

    /// As [`crate::network::fused::FusedNetwork::with_integers`].
    #[must_use]
    pub fn with_integers(mut self, wanted: bool) -> Self {
        self.integers = if wanted { Integers::where_faster(&self.lstm, &self.parameters) } else { None };
        self
    }

    /// Which of the named tensors, by number, each of the parameters is of; padding counts as the number before it.
    pub fn owners(&self) -> Vec<usize> {
        let lengths = self.lstm.unpack(&self.parameters).into_iter().map(|tensor| tensor.len());
        let mut packed = Aligned::zeros(self.parameters.len());
        self.lstm.pack(&numbered(lengths), &mut packed);
        owners(&packed)
    }

    /// Writes the LSTM's weights back, and those of the other layers.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when these can't be read.
    pub fn store(&self, others: &Weights, weights: &mut Parameters) -> Result<()> {
        others.store(weights)?;
        let of_lstm = weights.iter_mut().filter(|(name, _)| is_of_lstm(name)).map(|(_, array)| array);
        for (array, values) in of_lstm.zip(self.lstm.unpack(&self.parameters)) {
            array.values_mut().copy_from_slice(&values);
        }
        Ok(())
    }
}

fn of_lstm(weights: &Parameters) -> impl Iterator<Item = &Array> {
    weights.iter().filter(|(name, _)| is_of_lstm(name)).map(|(_, array)| array)
}

/// What one thread has of the other layers: weights shared with all threads, gradients of its own.
pub struct Surroundings {
    network: Box<dyn Network>,
    /// All parameters; those of the LSTM are not used.
    pub parameters: Weights,
    numbers: Vec<f32>,
}

impl Surroundings {
    /// The layers around the LSTM over these weights.
    ///
    /// # Errors
    /// As [`replicate`].
    pub fn new(network: &HybridNetwork, weights: &Weights) -> Result<Self> {
        let (replica, parameters) = replicate(&network.config, weights)?;
        Ok(Self { network: replica, parameters, numbers: Vec::new() })
    }

    /// Whether the kernel must give the gradient of what it reads, and take that of the outputs of all steps.
    pub fn needs(&self) -> (bool, bool) {
        (self.layers().has_layers_before(), self.layers().reads_every_state())
    }

    /// Sets the gradients of all layers but the LSTM to zero.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when there is no memory for them.
    pub fn forget_gradients(&mut self) -> Result<()> {
        for (_, parameter) in self.parameters.iter().filter(|(name, _)| !is_of_lstm(name)) {
            if parameter.grad().defined() {
                parameter.shallow_clone().zero_grad();
            } else {
                // a batch may have no rows for this thread
                parameter.f_mul_scalar(0.0)?.f_sum(Kind::Float)?.f_backward()?;
            }
        }
        Ok(())
    }

    fn layers(&self) -> &dyn AroundLstm {
        self.network.around_lstm().expect("a network with an LSTM")
    }

    /// Outputs `(batch, output_size)` of inputs `(batch, rows, n_features)`, of which only the first `rows` count, without a
    /// backward pass.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when libtorch refuses an operation.
    pub fn forecast(
        &mut self,
        network: &HybridNetwork,
        memory: &mut ForwardMemory,
        inputs: &Tensor,
        rows: usize,
    ) -> Result<Tensor> {
        tch::no_grad(|| {
            let read = self.layers().before(inputs, None)?;
            memory.start(rows, 1);
            let steps = self.for_each_window(&read, rows, |row, window| memory.set_window(row, window))?;
            network.lstm.last_state(&network.parameters, network.integers.as_ref(), memory);
            let batch = usize::try_from(inputs.size()[0]).unwrap_or(0);
            let states = self.states(network, (batch, rows, steps), |direction, moment, row| {
                memory.output(direction, moment, row)
            })?;
            self.layers().after(&states, inputs, None)
        })
    }

    /// [`Surroundings::forecast`] of slices.
    ///
    /// # Errors
    /// As [`Surroundings::forecast`].
    pub fn forecast_slice(
        &mut self,
        network: &HybridNetwork,
        memory: &mut ForwardMemory,
        (inputs, shape): (&[f32], &[usize]),
        rows: usize,
    ) -> Result<Vec<f32>> {
        let inputs = tensor(inputs, shape, Device::Cpu)?;
        numbers_of(&self.forecast(network, memory, &inputs, rows)?)
    }

    /// The forward pass, to be followed by [`Pass::backward`].
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when libtorch refuses an operation.
    pub fn forward(
        &mut self,
        network: &HybridNetwork,
        workspace: &mut Workspace,
        inputs: &Tensor,
        masks: Option<StepMasks>,
    ) -> Result<Pass> {
        let rows = usize::try_from(inputs.size()[0]).unwrap_or(0);
        let read = self.layers().before(inputs, masks)?;
        workspace.start(rows);
        self.for_each_window(&read, rows, |row, window| workspace.set_window(row, window))?;
        let of_layer = masks.map(|masks| move |layer| masks.layer(layer));
        let first_row = masks.map_or(0, |masks| masks.first_row());
        let of_layer = of_layer.as_ref().map(|of_layer| (of_layer as _, first_row));
        let mut outputs = Vec::new();
        loop {
            network.lstm.forward(&network.parameters, workspace, of_layer);
            if workspace.is_at_end() || self.layers().reads_every_state() {
                let part = (rows, rows, workspace.steps());
                let output = |direction, moment, row| workspace.output(direction, moment, row);
                outputs.push(self.states(network, part, output)?);
            }
            if !workspace.go_on() {
                break;
            }
        }
        let states = if outputs.len() == 1 { outputs.remove(0) } else { Tensor::f_cat(&outputs, 1)? };
        let states = states.set_requires_grad(true);
        let outputs = self.layers().after(&states, inputs, masks)?;
        Ok(Pass { outputs, read, states, rows })
    }

    /// Calls `take(row, window)` with what the LSTM reads, `(steps, lstm_input_size)`; gives the number of steps.
    fn for_each_window(&mut self, read: &Tensor, rows: usize, mut take: impl FnMut(usize, &[f32])) -> Result<usize> {
        let steps = usize::try_from(read.size()[1]).unwrap_or(0);
        self.numbers.resize(read.numel(), 0.0);
        read.f_copy_data(&mut self.numbers, read.numel())?;
        let len = self.numbers.len() / usize::try_from(read.size()[0]).unwrap_or(1).max(1);
        self.numbers.chunks_exact(len).take(rows).enumerate().for_each(|(row, window)| take(row, window));
        Ok(steps)
    }

    /// The outputs that the layers after the LSTM read, where `output(direction, moment, row)` is one of them; zero after
    /// `rows` rows.
    fn states<'o>(
        &mut self,
        network: &HybridNetwork,
        (batch, rows, steps): (usize, usize, usize),
        output: impl Fn(usize, usize, usize) -> &'o [f32],
    ) -> Result<Tensor> {
        let (every, size) = (self.layers().reads_every_state(), network.config.hidden_size);
        let n_directions = network.config.n_directions();
        let shape = if every { vec![batch, steps, n_directions * size] } else { vec![batch, n_directions * size] };
        self.numbers.clear();
        for (row, direction, moment) in places((rows, n_directions, steps), every) {
            self.numbers.extend(&output(direction, moment, row)[..size]);
        }
        self.numbers.resize(shape.iter().product(), 0.0);
        Ok(Tensor::f_from_slice(&self.numbers)?.f_reshape(dimensions(&shape))?)
    }
}

/// Row, direction and moment of each output, in the order in which they lie in a tensor: of all moments, or of the last that
/// each direction comes to.
fn places(
    (rows, n_directions, steps): (usize, usize, usize),
    every: bool,
) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..rows).flat_map(move |row| {
        let moments = if every { steps } else { 1 };
        (0..moments).flat_map(move |moment| {
            (0..n_directions).map(move |direction| {
                let last = if direction == 0 { steps - 1 } else { 0 };
                (row, direction, if every { moment } else { last })
            })
        })
    })
}

/// What lies between the forward and the backward pass.
pub struct Pass {
    /// Outputs `(batch, output_size)`.
    pub outputs: Tensor,
    read: Tensor,
    states: Tensor,
    rows: usize,
}

impl Pass {
    /// Takes the gradient of the outputs, as many numbers, back to the other layers' parameters, whose gradients it is added
    /// to, and to the LSTM's: added to `gradient`, in the kernel's order.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when libtorch refuses an operation.
    pub fn backward(
        self,
        (network, surroundings): (&HybridNetwork, &mut Surroundings),
        (transposed, workspace): (&TransposedWeights, &mut Workspace),
        of_outputs: &[f32],
        gradient: &mut [f32],
    ) -> Result<()> {
        pull_back(&self.outputs, of_outputs)?;
        let place = dimensions(&[workspace.first(), workspace.steps()]);
        let (every, numbers) = (surroundings.layers().reads_every_state(), &mut surroundings.numbers);
        let (size, n_directions) = (network.config.hidden_size, network.config.n_directions());
        // the last part of the steps, where the workspace is: no gradient goes back further
        let part = |tensor: &Tensor| part_of(tensor, &place)?.f_contiguous();
        let of_states = if every { part(&self.states.grad())? } else { self.states.grad() };
        numbers.resize(of_states.numel(), 0.0);
        of_states.f_copy_data(numbers, of_states.numel())?;
        let each = numbers.chunks_exact(size).zip(places((self.rows, n_directions, workspace.steps()), every));
        for (values, (row, direction, moment)) in each {
            let slot = if every {
                workspace.output_gradient_mut(direction, moment, row)
            } else {
                let top = (network.config.num_layers - 1) * n_directions;
                workspace.final_gradient_mut(top + direction, row).0
            };
            slot.copy_from_slice(values);
        }
        network.lstm.backward(transposed, workspace, gradient);
        if surroundings.layers().has_layers_before() {
            let numbers = &mut surroundings.numbers;
            numbers.clear();
            let steps = workspace.steps();
            for (row, moment) in (0..self.rows).flat_map(|row| (0..steps).map(move |moment| (row, moment))) {
                numbers.extend(workspace.input_gradient(moment, row));
            }
            pull_back(&part_of(&self.read, &place)?, numbers)?;
        }
        Ok(())
    }
}

/// Some steps of a tensor, from the first on so many; all of them are the tensor itself, whose backward pass needs no
/// zeros around.
fn part_of(tensor: &Tensor, steps: &[i64]) -> std::result::Result<Tensor, tch::TchError> {
    if tensor.size()[1] == steps[1] {
        return Ok(tensor.shallow_clone());
    }
    tensor.f_narrow(1, steps[0], steps[1])
}

/// Takes a gradient of `y`, as many numbers, back to what `y` was made of.
fn pull_back(y: &Tensor, gradient: &[f32]) -> Result<()> {
    Ok(y.f_reshape([-1])?.f_dot(&Tensor::f_from_slice(gradient)?)?.f_backward()?)
}
