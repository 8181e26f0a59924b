//! The network over symbols on our own kernel: a vector for each symbol, LSTM layers, a linear head for the next symbol.

use serde::{Deserialize, Serialize};

use crate::array::Array;
use crate::error::{check_sizes, Error, Result};
use crate::kernel::aligned::Aligned;
use crate::kernel::isa::InstructionSet;
use crate::kernel::linear::Linear;
use crate::kernel::lookup::Lookup;
use crate::kernel::lstm::Lstm;
use crate::kernel::shape::LstmShape;
use crate::memory;
use crate::network::fused::{numbered, owners};
use crate::network::parameter::{add_numbers, multiply_numbers, Initializer};
use crate::network::{Parameters, COPIES};
use crate::rng::{Purpose, Rng};

/// Sizes of a network over symbols.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CharNetworkConfig {
    /// Numbers in the vector of a symbol.
    pub embedding_size: usize,
    /// Units of each LSTM layer.
    pub hidden_size: usize,
    /// LSTM layers.
    pub num_layers: usize,
    /// Dropout between the layers and before the head.
    pub dropout: f64,
    /// Seed of the initial weights.
    pub seed: u64,
}

impl CharNetworkConfig {
    /// Whether every number makes sense.
    ///
    /// # Errors
    /// [`Error::Value`] that names the first that doesn't.
    pub fn check(&self) -> Result<()> {
        check_sizes([
            ("embedding_size", self.embedding_size),
            ("hidden_size", self.hidden_size),
            ("num_layers", self.num_layers),
        ])?;
        if (0.0..1.0).contains(&self.dropout) {
            return Ok(());
        }
        Err(Error::Value(format!("expected dropout of at least 0 and below 1, got {}", self.dropout)))
    }

    fn lstm_shape(&self) -> LstmShape {
        LstmShape {
            input_size: self.embedding_size,
            hidden_size: self.hidden_size,
            num_layers: self.num_layers,
            bidirectional: false,
        }
    }

    /// Draws initial weights under PyTorch's names: `embedding.weight` `(n_symbols, embedding_size)`, the `lstm`'s, `fc.weight`
    /// and `fc.bias`. All but the vectors, which are uniform with a standard deviation of 1, as PyTorch does.
    ///
    /// # Errors
    /// [`Error::Value`] for sizes that make no sense, [`Error::Memory`] when there is no memory for them.
    pub fn draw(&self, n_symbols: usize) -> Result<Parameters> {
        self.check_memory(n_symbols, COPIES)?;
        let init = Initializer::new(Rng::new(self.seed, Purpose::Weights));
        self.assemble(n_symbols, init)?.finish()
    }

    /// These weights, if they are those of this network; none are drawn.
    ///
    /// # Errors
    /// [`Error::Value`] for other names, [`Error::Shape`] for other shapes.
    pub fn take(&self, n_symbols: usize, weights: Vec<(String, Array)>) -> Result<Parameters> {
        self.check()?;
        self.assemble(n_symbols, Initializer::of_weights(weights))?.finish()
    }

    /// Whether there is memory for so many copies of the weights.
    ///
    /// # Errors
    /// [`Error::Memory`] if not.
    pub fn check_memory(&self, n_symbols: usize, n_copies: usize) -> Result<()> {
        let Self { embedding_size, hidden_size, num_layers, .. } = self;
        memory::check::<f32>(self.count_weights(n_symbols)?.saturating_mul(n_copies), || {
            format!("training with embedding_size={embedding_size}, hidden_size={hidden_size}, num_layers={num_layers}")
        })
    }

    /// How many weights the network has, by checked arithmetic; nothing is allocated.
    ///
    /// # Errors
    /// [`Error::Value`] for sizes that make no sense, or ask for more weights than any memory holds.
    pub fn count_weights(&self, n_symbols: usize) -> Result<usize> {
        self.check()?;
        let count = |num_layers| -> Result<usize> {
            Ok(Self { num_layers, ..*self }.assemble(n_symbols, Initializer::counting())?.count())
        };
        // all layers above the first are alike
        let (one, two) = (count(1)?, count(2)?);
        add_numbers(one, multiply_numbers(two - one, self.num_layers - 1)?)
    }

    fn assemble(&self, n_symbols: usize, mut init: Initializer) -> Result<Initializer> {
        let (gates, hidden, bound) = (4 * self.hidden_size, self.hidden_size, 1.0 / (self.hidden_size as f64).sqrt());
        let mut draw = |name: &str, shape: &[usize], bound| init.uniform(name, shape, bound);
        draw("embedding.weight", &[n_symbols, self.embedding_size], 3f64.sqrt())?;
        for layer in 0..self.num_layers {
            let inputs = if layer == 0 { self.embedding_size } else { hidden };
            draw(&format!("lstm.weight_ih_l{layer}"), &[gates, inputs], bound)?;
            draw(&format!("lstm.weight_hh_l{layer}"), &[gates, hidden], bound)?;
            draw(&format!("lstm.bias_ih_l{layer}"), &[gates], bound)?;
            draw(&format!("lstm.bias_hh_l{layer}"), &[gates], bound)?;
        }
        draw("fc.weight", &[n_symbols, hidden], bound)?;
        draw("fc.bias", &[n_symbols], bound)?;
        Ok(init)
    }
}

/// A network whose parameters are one slice: the LSTM's, the head's, the symbols' vectors.
#[derive(Debug, Clone)]
pub struct CharNetwork {
    /// The recurrent layers.
    pub lstm: Lstm,
    /// The head, from the last layer's output to a logit for each symbol.
    pub head: Linear,
    /// All parameters.
    pub parameters: Aligned,
    /// Names of PyTorch's tensors, in the order of [`CharNetwork::unpack`].
    pub names: Vec<String>,
    config: CharNetworkConfig,
    n_symbols: usize,
    vectors: Lookup,
}

impl CharNetwork {
    /// A network over `n_symbols` symbols with these weights.
    ///
    /// # Errors
    /// [`Error::Value`] when `LSTMFORECAST_SIMD` makes no sense.
    pub fn new(config: CharNetworkConfig, n_symbols: usize, weights: &Parameters) -> Result<Self> {
        let set = InstructionSet::choose()?;
        let lstm = Lstm::new(config.lstm_shape(), set);
        let head = Linear::new(lstm.output_width(), n_symbols, set);
        let vectors = lstm.lookup(n_symbols);
        let parameters = Aligned::zeros(lstm.n_parameters() + head.n_parameters() + vectors.n_parameters());
        let names = weights.iter().map(|(name, _)| name.to_owned()).collect();
        let mut network = Self { lstm, head, parameters, names, config, n_symbols, vectors };
        let tensors: Vec<_> = weights.iter().map(|(_, array)| array.values().to_vec()).collect();
        network.parameters = network.pack(&tensors);
        Ok(network)
    }

    /// Symbols that there are.
    pub fn n_symbols(&self) -> usize {
        self.n_symbols
    }

    /// Its sizes.
    pub fn config(&self) -> CharNetworkConfig {
        self.config
    }

    /// The table of the first layer's input, empty; [`CharNetwork::look_up`] fills it.
    pub fn lookup(&self) -> Lookup {
        self.vectors.clone()
    }

    /// Makes the table of the present weights.
    pub fn look_up(&self, lookup: &mut Lookup, n_threads: usize) {
        let [lstm, _, vectors] = self.split(&self.parameters);
        lookup.update((lstm, vectors), n_threads);
    }

    /// A slice in the order of the parameters as those of LSTM, head and symbols' vectors.
    pub fn split<'p>(&self, parameters: &'p [f32]) -> [&'p [f32]; 3] {
        let (lstm, rest) = parameters.split_at(self.lstm.n_parameters());
        let (head, vectors) = rest.split_at(self.head.n_parameters());
        [lstm, head, vectors]
    }

    /// [`CharNetwork::split`] of a slice to write to.
    pub fn split_mut<'p>(&self, parameters: &'p mut [f32]) -> [&'p mut [f32]; 3] {
        let (lstm, rest) = parameters.split_at_mut(self.lstm.n_parameters());
        let (head, vectors) = rest.split_at_mut(self.head.n_parameters());
        [lstm, head, vectors]
    }

    /// PyTorch's tensors, in the order of their names, as the parameters lie.
    fn pack(&self, tensors: &[Vec<f32>]) -> Aligned {
        let mut parameters = Aligned::zeros(self.parameters.len());
        let last = tensors.len() - 2;
        self.lstm.pack(&tensors[1..last], &mut parameters);
        self.for_each_place(|tensor, at, place| parameters[place] = tensors[[0, last, last + 1][tensor]][at]);
        parameters
    }

    /// Parameters, or a gradient in their order, as PyTorch's tensors.
    pub fn unpack(&self, parameters: &[f32]) -> Vec<Vec<f32>> {
        let (symbols, hidden) = (self.n_symbols, self.config.hidden_size);
        let lengths = [symbols * self.config.embedding_size, symbols * hidden, symbols];
        let mut outer = lengths.map(|length| vec![0.0; length]);
        self.for_each_place(|tensor, at, place| outer[tensor][at] = parameters[place]);
        let [vectors, weight, bias] = outer;
        let mut tensors = vec![vectors];
        tensors.extend(self.lstm.unpack(&parameters[..self.lstm.n_parameters()]));
        tensors.extend([weight, bias]);
        tensors
    }

    /// Which of PyTorch's tensors, by number, each of the parameters is of; padding counts as the number before it.
    pub fn owners(&self) -> Vec<usize> {
        owners(&self.pack(&numbered(self.unpack(&self.parameters).into_iter().map(|tensor| tensor.len()))))
    }

    /// Writes the weights back.
    pub fn store(&self, weights: &mut Parameters) {
        for ((_, array), values) in weights.iter_mut().zip(self.unpack(&self.parameters)) {
            array.values_mut().copy_from_slice(&values);
        }
    }

    /// Calls `copy(0 for vectors, 1 for the head's weight or 2 for its bias, place in PyTorch's tensor, place among the
    /// parameters)`.
    fn for_each_place(&self, mut copy: impl FnMut(usize, usize, usize)) {
        let (hidden, size) = (self.config.hidden_size, self.config.embedding_size);
        let head = self.lstm.n_parameters();
        let vectors = head + self.head.n_parameters();
        for symbol in 0..self.n_symbols {
            (0..size).for_each(|at| copy(0, symbol * size + at, vectors + self.vectors.place(symbol, at)));
            for unit in 0..hidden {
                copy(1, symbol * hidden + unit, head + self.head.weight_place(symbol, self.lstm.output_place(unit)));
            }
            copy(2, symbol, head + self.head.bias_place(symbol));
        }
    }
}
