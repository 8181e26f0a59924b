//! The LSTM network on our own kernel: the same weights as [`super::lstm`]'s, in the kernel's order.

use super::config::NetworkConfig;
use super::embedding::Embeddings;
use super::fused_skip::{FusedSkip, SkipMemory};
use super::parameter::Parameters;
use crate::error::Result;
use crate::kernel::aligned::Aligned;
use crate::kernel::forward_only::ForwardMemory;
use crate::kernel::integer::Integers;
use crate::kernel::isa::InstructionSet;
use crate::kernel::linear::Linear;
use crate::kernel::lstm::Lstm;

/// Stacked LSTM layers, then a linear head on the last state, and perhaps a linear skip connection beside them. All
/// parameters are one slice: the LSTM's, the head's, the skip connection's, those of the embeddings that the LSTM reads.
#[derive(Debug, Clone)]
pub struct FusedNetwork {
    /// The recurrent layers, whose parameters come first.
    pub lstm: Lstm,
    /// The head.
    pub head: Linear,
    /// The linear skip connection beside LSTM and head.
    pub skip: Option<FusedSkip>,
    /// What the LSTM reads in place of columns of categories.
    pub embeddings: Option<Embeddings>,
    /// All parameters.
    pub parameters: Aligned,
    /// Names of PyTorch's tensors, in the order of [`FusedNetwork::unpack`].
    pub names: Vec<String>,
    /// Steps that gradients go back through; `None`: all.
    pub tbptt: Option<usize>,
    /// What takes the place of the LSTM's weights in forecasts; see [`FusedNetwork::with_integers`].
    integers: Option<Integers>,
    output_size: usize,
    state_size: usize,
}

/// What one thread needs for forecasts.
#[derive(Debug, Clone)]
pub struct FusedMemory {
    lstm: ForwardMemory,
    skip: Option<SkipMemory>,
    embedded: Vec<f32>,
    outputs: Aligned,
}

impl FusedNetwork {
    /// A network of this configuration with these weights.
    ///
    /// # Errors
    /// [`crate::error::Error::Value`] when `LSTMFORECAST_SIMD` makes no sense.
    pub fn new(config: &NetworkConfig, weights: &Parameters) -> Result<Self> {
        let set = InstructionSet::choose()?;
        let lstm = Lstm::new(config.lstm_shape(), set);
        let head = Linear::new(lstm.output_width(), config.output_size, set);
        let skip = config.skip.map(|skip| FusedSkip::new(skip, set));
        let n_skip = skip.as_ref().map_or(0, FusedSkip::n_parameters);
        let embeddings = config.embeddings.clone();
        let n_embeddings = embeddings.as_ref().map_or(0, Embeddings::n_parameters);
        let parameters = Aligned::zeros(lstm.n_parameters() + head.n_parameters() + n_skip + n_embeddings);
        let state_size = config.n_directions() * config.hidden_size;
        let names = weights.iter().map(|(name, _)| name.to_owned()).collect();
        let (tbptt, output_size) = (config.tbptt, config.output_size);
        let mut network =
            Self { lstm, head, skip, embeddings, parameters, names, tbptt, integers: None, output_size, state_size };
        let tensors: Vec<_> = weights.iter().map(|(_, array)| array.values().to_vec()).collect();
        network.parameters = network.pack(&tensors);
        Ok(network)
    }

    /// The same network, whose forecasts, if that is wanted, multiply integers of eight bits where the processor is faster with them. For
    /// weights that stay as they are.
    #[must_use]
    pub fn with_integers(mut self, wanted: bool) -> Self {
        self.integers = if wanted { Integers::where_faster(&self.lstm, &self.parameters) } else { None };
        self
    }

    /// Steps in an input of so many numbers.
    pub fn n_steps(&self, input_len: usize) -> usize {
        Embeddings::embedded_len(self.embeddings.as_ref(), input_len) / self.lstm.shape().input_size
    }

    /// Numbers in one output.
    pub fn output_size(&self) -> usize {
        self.output_size
    }

    /// PyTorch's tensors as the parameters lie.
    fn pack(&self, tensors: &[Vec<f32>]) -> Aligned {
        let mut parameters = Aligned::zeros(self.parameters.len());
        let (tables, tensors) = tensors.split_at(self.embeddings.as_ref().map_or(0, |some| some.tables().len()));
        let end = parameters.len() - self.n_embeddings();
        parameters[end..].copy_from_slice(&tables.concat());
        let (effects, tensors) = match self.n_effects() {
            0 => (None, tensors),
            n => (tensors.last().map(|effects| (n, effects)), &tensors[..tensors.len() - 1]),
        };
        let (lstm, linear) = tensors.split_at(tensors.len() - 2 * self.linear_layers().count());
        self.lstm.pack(lstm, &mut parameters);
        if let Some((n, effects)) = effects {
            parameters[end - n..end].copy_from_slice(effects);
        }
        for (layer, tensors) in self.linear_layers().zip(linear.chunks_exact(2)) {
            layer.for_each_place(|tensor, at, place| parameters[place] = tensors[tensor][at]);
        }
        parameters
    }

    /// Which of PyTorch's tensors, by number, each of the parameters is of; padding counts as the number before it.
    pub fn owners(&self) -> Vec<usize> {
        let lengths = self.unpack(&self.parameters).into_iter().map(|tensor| tensor.len());
        owners(&self.pack(&numbered(lengths)))
    }

    /// Writes the weights back.
    pub fn store(&self, weights: &mut Parameters) {
        for ((_, array), values) in weights.iter_mut().zip(self.unpack(&self.parameters)) {
            array.values_mut().copy_from_slice(&values);
        }
    }

    /// Parameters, or a gradient in their order, as PyTorch's tensors: those of the embeddings, of the LSTM, then weight and
    /// bias of each linear layer, then the weight of what is known in advance.
    pub fn unpack(&self, parameters: &[f32]) -> Vec<Vec<f32>> {
        let end = parameters.len() - self.n_embeddings();
        let (mut tensors, mut vectors) = (Vec::new(), &parameters[end..]);
        for table in self.embeddings.iter().flat_map(Embeddings::tables) {
            let (own, others) = vectors.split_at(table.columns.len() * table.size);
            tensors.push(own.to_vec());
            vectors = others;
        }
        tensors.extend(self.lstm.unpack(&parameters[..self.lstm.n_parameters()]));
        for layer in self.linear_layers() {
            let mut both = [vec![0.0; layer.n_outputs * layer.n_inputs], vec![0.0; layer.n_outputs]];
            layer.for_each_place(|tensor, at, place| both[tensor][at] = parameters[place]);
            tensors.extend(both);
        }
        if self.n_effects() > 0 {
            tensors.push(parameters[end - self.n_effects()..end].to_vec());
        }
        tensors
    }

    /// Numbers in the vectors of the embeddings, which are the last of the parameters.
    fn n_embeddings(&self) -> usize {
        self.embeddings.as_ref().map_or(0, Embeddings::n_parameters)
    }

    /// Numbers in the weight of what is known in advance, which come before those.
    fn n_effects(&self) -> usize {
        self.skip.as_ref().map_or(0, FusedSkip::n_effects)
    }

    /// A slice in the order of the parameters as those of LSTM, head, linear skip connection and embeddings.
    pub fn split<'p>(&self, parameters: &'p [f32]) -> [&'p [f32]; 4] {
        let (lstm, linear) = parameters.split_at(self.lstm.n_parameters());
        let (head, skip) = linear.split_at(self.head.n_parameters());
        let (skip, embeddings) = skip.split_at(skip.len() - self.n_embeddings());
        [lstm, head, skip, embeddings]
    }

    /// [`FusedNetwork::split`] of a slice to write to.
    pub fn split_mut<'p>(&self, parameters: &'p mut [f32]) -> [&'p mut [f32]; 4] {
        let (lstm, linear) = parameters.split_at_mut(self.lstm.n_parameters());
        let (head, skip) = linear.split_at_mut(self.head.n_parameters());
        let (skip, embeddings) = skip.split_at_mut(skip.len() - self.n_embeddings());
        [lstm, head, skip, embeddings]
    }

    fn linear_layers(&self) -> impl Iterator<Item = LinearLayer<'_>> {
        let head = LinearLayer {
            linear: &self.head,
            start: self.lstm.n_parameters(),
            n_outputs: self.output_size,
            n_inputs: self.state_size,
            lstm: Some(&self.lstm),
        };
        let skip = self.skip.as_ref().map(|skip| LinearLayer {
            linear: &skip.linear,
            start: head.start + self.head.n_parameters(),
            n_outputs: skip.n_outputs(),
            n_inputs: skip.n_inputs(),
            lstm: None,
        });
        std::iter::once(head).chain(skip)
    }

    /// Room for forecasts of up to `rows` windows of `steps` steps at once.
    pub fn memory(&self, rows: usize, steps: usize) -> FusedMemory {
        FusedMemory {
            lstm: self.lstm.forward_memory(rows, steps),
            skip: self.skip.as_ref().map(|skip| skip.memory(rows)),
            embedded: Vec::new(),
            outputs: Aligned::zeros(rows * self.head.width()),
        }
    }

    /// Takes an input `(rows, n_features)` as a row of the next pass, which [`FusedMemory::start`] began.
    pub fn set_window(&self, memory: &mut FusedMemory, row: usize, window: &[f32]) {
        memory.lstm.set_window(row, self.read(window, &mut memory.embedded));
        if let (Some(skip), Some(memory)) = (&self.skip, &mut memory.skip) {
            skip.set_window(memory, row, window);
        }
    }

    /// What the LSTM reads of an input: itself, or `embedded`, which then holds its rows with the vectors of categories.
    pub fn read<'w>(&self, window: &'w [f32], embedded: &'w mut Vec<f32>) -> &'w [f32] {
        let Some(embeddings) = &self.embeddings else { return window };
        let [.., vectors] = self.split(&self.parameters);
        embedded.clear();
        embeddings.append_embedded(vectors, window, embedded);
        embedded
    }

    /// Outputs of the windows in `memory`: one row of `output_size` numbers after the other. Allocates nothing.
    pub fn forward<'m>(&self, memory: &'m mut FusedMemory, rows: usize) -> impl Iterator<Item = &'m [f32]> {
        let [lstm, head, skip_parameters, _] = self.split(&self.parameters);
        let state = self.lstm.last_state(lstm, self.integers.as_ref(), &mut memory.lstm);
        self.head.forward(head, rows, state, &mut memory.outputs);
        let width = self.head.width();
        if let (Some(skip), Some(skip_memory)) = (&self.skip, &mut memory.skip) {
            skip.add_forward(skip_parameters, skip_memory, (&mut memory.outputs, width), rows);
        }
        let output_size = self.output_size;
        memory.outputs.chunks_exact(width).take(rows).map(move |row| &row[..output_size])
    }
}

impl FusedMemory {
    /// Windows that there is room for.
    pub fn max_rows(&self) -> usize {
        self.lstm.max_rows()
    }

    /// Begins a pass over so many windows; see [`ForwardMemory::start`].
    pub fn start(&mut self, rows: usize, n_threads: usize) {
        self.lstm.start(rows, n_threads);
    }
}

/// Tensors of these lengths that hold nothing but their number, from 1, for [`owners`].
pub(crate) fn numbered(lengths: impl Iterator<Item = usize>) -> Vec<Vec<f32>> {
    lengths.zip(1u16..).map(|(length, number)| vec![f32::from(number); length]).collect()
}

/// The number, from 0, of the tensor in each place of the packed ones of [`numbered`]; padding counts as the place before.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // they are whole numbers from 0
pub(crate) fn owners(packed: &[f32]) -> Vec<usize> {
    let mut owner = 1;
    let number = packed.iter().map(|&number| {
        owner = if number > 0.0 { number as usize } else { owner };
        owner - 1
    });
    number.collect()
}

/// Where the numbers of one linear layer lie.
struct LinearLayer<'a> {
    linear: &'a Linear,
    start: usize,
    n_outputs: usize,
    n_inputs: usize,
    /// Whose state the layer reads, with its padding; `None`: rows without padding.
    lstm: Option<&'a Lstm>,
}

impl LinearLayer<'_> {
    /// Calls `copy(0 for weight or 1 for bias, place in PyTorch's tensor, place among the network's parameters)`.
    fn for_each_place(&self, mut copy: impl FnMut(usize, usize, usize)) {
        for output in 0..self.n_outputs {
            for input in 0..self.n_inputs {
                let column = self.lstm.map_or(input, |lstm| lstm.output_place(input));
                let place = self.linear.weight_place(output, column);
                copy(0, output * self.n_inputs + input, self.start + place);
            }
            copy(1, output, self.start + self.linear.bias_place(output));
        }
    }
}
