//! A network that is nothing but its linear skip connection, on the kernel.

use super::config::NetworkConfig;
use super::fused_skip::{FusedSkip, SkipMemory};
use super::parameter::Parameters;
use crate::error::{Error, Result};
use crate::kernel::aligned::Aligned;
use crate::kernel::isa::InstructionSet;

/// The connection and its parameters in the kernel's order.
#[derive(Debug, Clone)]
pub struct FusedLine {
    skip: FusedSkip,
    parameters: Aligned,
    output_size: usize,
}

/// What one thread needs for it.
#[derive(Debug, Clone)]
pub struct LineMemory {
    skip: SkipMemory,
    outputs: Vec<f32>,
    max_rows: usize,
}

impl FusedLine {
    /// The connection of this configuration with these weights.
    ///
    /// # Errors
    /// [`Error::Value`] for a configuration without one, or when `LSTMFORECAST_SIMD` makes no sense.
    pub fn new(config: &NetworkConfig, weights: &Parameters) -> Result<Self> {
        let missing = || Error::Value("expected a network with a linear skip connection, got one without".to_owned());
        let skip = FusedSkip::new(config.skip.ok_or_else(missing)?, InstructionSet::choose()?);
        let parameters = Aligned::zeros(skip.n_parameters());
        let mut network = Self { skip, parameters, output_size: config.output_size };
        let mut parameters = network.gradient();
        for (places, (_, array)) in network.places().into_iter().zip(weights.iter()) {
            places.iter().zip(array.values()).for_each(|(&place, &value)| parameters[place] = value);
        }
        network.parameters = parameters;
        Ok(network)
    }

    /// Where the numbers of each of PyTorch's tensors lie among the parameters.
    fn places(&self) -> [Vec<usize>; 3] {
        let (linear, n_inputs, n_outputs) = (&self.skip.linear, self.skip.n_inputs(), self.skip.n_outputs());
        let pairs = (0..n_outputs).flat_map(|output| (0..n_inputs).map(move |input| (output, input)));
        let weight: Vec<usize> = pairs.map(|(output, input)| linear.weight_place(output, input)).collect();
        let bias: Vec<usize> = (0..n_outputs).map(|output| linear.bias_place(output)).collect();
        let known: Vec<usize> = (linear.n_parameters()..self.skip.n_parameters()).collect();
        [weight, bias, known]
    }

    /// Zeros, as many as there are parameters.
    pub fn gradient(&self) -> Aligned {
        Aligned::zeros(self.skip.n_parameters())
    }

    /// A gradient in the order of the parameters as PyTorch's tensors.
    pub fn unpack(&self, gradient: &[f32]) -> Vec<Vec<f32>> {
        self.places().iter().map(|places| places.iter().map(|&place| gradient[place]).collect()).collect()
    }

    /// Room for up to `max_rows` windows.
    pub fn memory(&self, max_rows: usize) -> LineMemory {
        let outputs = vec![0.0; max_rows * self.output_size];
        LineMemory { skip: self.skip.memory(max_rows), outputs, max_rows }
    }

    /// Takes an input `(rows, n_features)` as the window of number `row`.
    pub fn set_window(&self, memory: &mut LineMemory, row: usize, input: &[f32]) {
        self.skip.set_window(&mut memory.skip, row, input);
    }

    /// Outputs of the windows in `memory`, one row of `output_size` numbers after the other.
    pub fn forward<'m>(&self, memory: &'m mut LineMemory, rows: usize) -> &'m [f32] {
        let outputs = &mut memory.outputs[..rows * self.output_size];
        outputs.fill(0.0);
        self.skip.add_forward(&self.parameters, &mut memory.skip, (outputs, self.output_size), rows);
        outputs
    }

    /// Adds the gradient of the parameters, given that of the outputs which [`FusedLine::forward`] made.
    pub fn backward(&self, memory: &mut LineMemory, of_outputs: &[f32], rows: usize, gradient: &mut [f32]) {
        self.skip.backward(&self.parameters, &mut memory.skip, (of_outputs, self.output_size), rows, gradient);
    }

    /// Numbers in one output.
    pub fn output_size(&self) -> usize {
        self.output_size
    }
}

impl LineMemory {
    /// Windows that there is room for.
    pub fn max_rows(&self) -> usize {
        self.max_rows
    }
}
