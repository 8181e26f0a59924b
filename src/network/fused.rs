//! The LSTM network on our own kernel: the same weights as [`super::lstm`]'s, in the kernel's order.

use tch::Tensor;

use super::config::NetworkConfig;
use super::parameter::Parameters;
use crate::error::Result;
use crate::kernel::aligned::Aligned;
use crate::kernel::forward_only::ForwardMemory;
use crate::kernel::isa::InstructionSet;
use crate::kernel::linear::Linear;
use crate::kernel::lstm::Lstm;
use crate::kernel::shape::LstmShape;

/// Stacked LSTM layers, then a linear head on the last state, whose parameters are one slice.
#[derive(Debug, Clone)]
pub struct FusedNetwork {
    /// The recurrent layers, whose parameters come first.
    pub lstm: Lstm,
    /// The head.
    pub head: Linear,
    /// All parameters.
    pub parameters: Aligned,
    output_size: usize,
    state_size: usize,
}

/// What one thread needs for forecasts.
#[derive(Debug, Clone)]
pub struct FusedMemory {
    lstm: ForwardMemory,
    outputs: Aligned,
}

impl FusedMemory {
    /// The windows of the next pass.
    pub fn lstm(&mut self) -> &mut ForwardMemory {
        &mut self.lstm
    }
}

impl FusedNetwork {
    /// A network of this configuration with these weights.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when a weight can't be read, [`crate::error::Error::Value`] when `LSTMFORECAST_SIMD` makes
    /// no sense.
    pub fn new(config: &NetworkConfig, weights: &Parameters) -> Result<Self> {
        let set = InstructionSet::choose()?;
        let shape = LstmShape {
            input_size: config.input_size,
            hidden_size: config.hidden_size,
            num_layers: config.num_layers,
            bidirectional: config.bidirectional,
        };
        let lstm = Lstm::new(shape, set);
        let head = Linear::new(lstm.output_width(), config.output_size, set);
        let parameters = Aligned::zeros(lstm.n_parameters() + head.n_parameters());
        let state_size = config.n_directions() * config.hidden_size;
        let mut network = Self { lstm, head, parameters, output_size: config.output_size, state_size };
        network.load(weights)?;
        Ok(network)
    }

    /// Numbers in one output.
    pub fn output_size(&self) -> usize {
        self.output_size
    }

    fn load(&mut self, weights: &Parameters) -> Result<()> {
        let tensors = weights.iter().map(|(_, tensor)| Ok(Vec::try_from(tensor.f_flatten(0, -1)?)?));
        let tensors: Vec<Vec<f32>> = tensors.collect::<Result<_>>()?;
        let (lstm, head) = tensors.split_at(tensors.len() - 2);
        self.lstm.pack(lstm, &mut self.parameters);
        let start = self.lstm.n_parameters();
        let mut parameters = std::mem::take(&mut self.parameters);
        self.for_each_place_of_head(|tensor, at, place| parameters[start + place] = head[tensor][at]);
        self.parameters = parameters;
        Ok(())
    }

    /// Writes the weights back.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when there is no memory for them.
    pub fn store(&self, weights: &Parameters) -> Result<()> {
        for ((_, tensor), values) in weights.iter().zip(self.unpack(&self.parameters)) {
            let values = Tensor::f_from_slice(&values)?.f_reshape(tensor.size())?;
            tch::no_grad(|| tensor.shallow_clone().f_copy_(&values))?;
        }
        Ok(())
    }

    /// Parameters, or a gradient in their order, as PyTorch's tensors: those of the LSTM, weight and bias of the head.
    pub fn unpack(&self, parameters: &[f32]) -> Vec<Vec<f32>> {
        let (lstm, head_parameters) = parameters.split_at(self.lstm.n_parameters());
        let mut tensors = self.lstm.unpack(lstm);
        let mut head = [vec![0.0; self.output_size * self.state_size], vec![0.0; self.output_size]];
        self.for_each_place_of_head(|tensor, at, place| head[tensor][at] = head_parameters[place]);
        tensors.extend(head);
        tensors
    }

    /// Calls `copy(0 for weight or 1 for bias, place in PyTorch's tensor, place among the head's parameters)`.
    fn for_each_place_of_head(&self, mut copy: impl FnMut(usize, usize, usize)) {
        for output in 0..self.output_size {
            for unit in 0..self.state_size {
                let place = self.head.weight_place(output, self.lstm.output_place(unit));
                copy(0, output * self.state_size + unit, place);
            }
            copy(1, output, self.head.bias_place(output));
        }
    }

    /// Room for forecasts of up to `rows` windows of `steps` steps at once.
    pub fn memory(&self, rows: usize, steps: usize) -> FusedMemory {
        FusedMemory { lstm: self.lstm.forward_memory(rows, steps), outputs: Aligned::zeros(rows * self.head.width()) }
    }

    /// Outputs of the windows in `memory`: one row of `output_size` numbers after the other. Allocates nothing.
    pub fn forward<'m>(&self, memory: &'m mut FusedMemory, rows: usize) -> impl Iterator<Item = &'m [f32]> {
        let (lstm, head) = self.parameters.split_at(self.lstm.n_parameters());
        let state = self.lstm.last_state(lstm, &mut memory.lstm);
        self.head.forward(head, rows, state, &mut memory.outputs);
        let output_size = self.output_size;
        memory.outputs.chunks_exact(self.head.width()).take(rows).map(move |row| &row[..output_size])
    }
}
