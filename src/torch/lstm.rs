//! Stacked LSTM (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000), as `torch.nn.LSTM`.

use std::ops::Range;

use tch::{Device, Tensor};

use super::dropout::drop_out_steps;
use super::embedding::{segments, CategoryEmbeddings};
use super::head::ForecastHead;
use super::network::{AroundLstm, Layer, Network};
use super::tensor::dimensions;
use super::weights::Weights;
use crate::error::Result;
use crate::network::NetworkConfig;
use crate::rng::StepMasks;

/// What stands before or after the LSTM, if anything does.
pub(super) type OtherLayers = Option<Box<dyn Layer>>;

/// LSTM layers named `lstm`, perhaps between other layers, then a head on the last state.
#[derive(Debug)]
pub(super) struct LstmForecastNetwork {
    embeddings: Option<CategoryEmbeddings>,
    before: OtherLayers,
    lstm: StackedLstm,
    after: OtherLayers,
    head: ForecastHead,
    input_size: usize,
}

impl LstmForecastNetwork {
    /// Nothing but LSTM and head.
    pub(super) fn new(config: &NetworkConfig, weights: &Weights) -> Result<Self> {
        let lstm = StackedLstm::new("lstm", config, weights)?;
        Self::of_layers((None, lstm, None), config, weights)
    }

    /// Puts a head on layers: those before the LSTM, and one after it, which makes one state of those of all steps.
    pub(super) fn of_layers(
        (before, lstm, after): (OtherLayers, StackedLstm, OtherLayers),
        config: &NetworkConfig,
        weights: &Weights,
    ) -> Result<Self> {
        let embeddings = CategoryEmbeddings::of(config, weights)?;
        let head = ForecastHead::new(config, weights)?;
        Ok(Self { embeddings, before, lstm, after, head, input_size: config.input_size })
    }

    fn segments(&self, windows: &Tensor) -> Result<Tensor> {
        segments(self.embeddings.as_ref(), windows, self.input_size)
    }

    fn states(&self, windows: &Tensor, dropout: Option<StepMasks>) -> Result<Tensor> {
        let earlier = if self.reads_every_state() { Earlier::Constant } else { Earlier::Forgotten };
        let (every, last) = self.lstm.states(&self.before(windows, dropout)?, dropout, earlier)?;
        Ok(if self.reads_every_state() { every } else { last })
    }
}

impl Network for LstmForecastNetwork {
    fn forward(&self, windows: &Tensor, dropout: Option<StepMasks>) -> Result<Tensor> {
        self.after(&self.states(windows, dropout)?, windows, dropout)
    }

    fn forward_every_step(&self, windows: &Tensor, dropout: Option<StepMasks>) -> Result<Tensor> {
        let (states, _) = self.lstm.states(&self.before(windows, dropout)?, dropout, Earlier::Learned)?;
        self.head.of_every_step(&states.f_flatten(0, 1)?)
    }

    fn attention_weights(&self, windows: &Tensor) -> Result<Option<Tensor>> {
        let Some(after) = &self.after else { return Ok(None) };
        after.attention_weights(&self.states(windows, None)?)
    }

    fn around_lstm(&self) -> Option<&dyn AroundLstm> {
        Some(self)
    }
}

impl AroundLstm for LstmForecastNetwork {
    fn has_layers_before(&self) -> bool {
        self.before.is_some() || self.embeddings.is_some()
    }

    fn reads_every_state(&self) -> bool {
        self.after.is_some()
    }

    fn before(&self, windows: &Tensor, dropout: Option<StepMasks>) -> Result<Tensor> {
        let segments = self.segments(windows)?;
        self.before.as_ref().map_or_else(|| Ok(segments.shallow_clone()), |layer| layer.forward(&segments, dropout))
    }

    fn after(&self, states: &Tensor, windows: &Tensor, dropout: Option<StepMasks>) -> Result<Tensor> {
        match &self.after {
            Some(layer) => self.head.forward(&layer.forward(states, dropout)?, windows),
            None => self.head.forward(states, windows),
        }
    }
}

/// What becomes of the outputs of steps from which no gradient goes on to the end of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Earlier {
    /// Nobody reads them.
    Forgotten,
    /// They are read; no gradient goes back to them.
    Constant,
    /// They are read, and gradients go back as far as to the beginning of their part.
    Learned,
}

/// Layers of LSTM, each reading the outputs of the one before.
#[derive(Debug)]
pub(super) struct StackedLstm {
    layers: Vec<LstmLayer>,
    /// Steps that gradients go back through; `None`: all.
    tbptt: Option<usize>,
}

impl StackedLstm {
    /// Parameters `{name}.weight_ih_l0`, `{name}.weight_hh_l0`, `{name}.bias_ih_l0`, `{name}.bias_hh_l0`,
    /// `{name}.weight_ih_l0_reverse`, ... as in PyTorch.
    pub(super) fn new(name: &str, config: &NetworkConfig, weights: &Weights) -> Result<Self> {
        let layer = |layer| LstmLayer::new(&format!("{name}.%_l{layer}"), config, weights);
        Ok(Self { layers: (0..config.num_layers).map(layer).collect::<Result<_>>()?, tbptt: config.tbptt })
    }

    /// Windows `(batch, steps, input_size)` to the last layer's outputs of every step `(batch, steps, directions *
    /// hidden_size)` and its final state `(batch, directions * hidden_size)`: what the forward direction knows after the last
    /// step, next to what the backward one knows after the first.
    ///
    /// Where gradients don't go back through all steps, these are gone through in parts, of which the last is a whole one;
    /// forgotten outputs are left out.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when libtorch refuses an operation.
    pub(super) fn states(
        &self,
        windows: &Tensor,
        dropout: Option<StepMasks>,
        earlier: Earlier,
    ) -> Result<(Tensor, Tensor)> {
        let steps = usize::try_from(windows.size()[1]).unwrap_or(0);
        let room = self.tbptt.map_or(steps, |tbptt| tbptt.min(steps)).max(1);
        let mut states = self.layers.iter().map(|layer| layer.zero_state(windows)).collect::<Result<Vec<_>>>()?;
        let (mut first, mut end) = (0, (steps + room - 1) % room + 1);
        let mut outputs = Vec::new();
        loop {
            let part = (windows, first..end);
            let last = if end == steps || earlier == Earlier::Learned {
                self.part(part, dropout, &mut states)?
            } else {
                tch::no_grad(|| self.part(part, dropout, &mut states))?
            };
            if end == steps {
                outputs.push(last);
                break;
            }
            if earlier != Earlier::Forgotten {
                outputs.push(last);
            }
            for state in states.iter_mut().flatten() {
                *state = state.f_detach()?;
            }
            (first, end) = (end, end + room);
        }
        let outputs = if outputs.len() == 1 { outputs.remove(0) } else { Tensor::f_cat(&outputs, 1)? };
        let state = states.last().map_or_else(Tensor::new, |[h, _]| h.shallow_clone());
        let state = state.f_transpose(0, 1)?.f_reshape([windows.size()[0], -1])?;
        Ok((outputs, state.f_to_device(windows.device())?))
    }

    /// The last layer's outputs of some steps, after which all layers have other states.
    fn part(
        &self,
        (windows, steps): (&Tensor, Range<usize>),
        dropout: Option<StepMasks>,
        states: &mut [[Tensor; 2]],
    ) -> Result<Tensor> {
        let &[first, n] = &dimensions(&[steps.start, steps.len()])[..] else { unreachable!("two numbers") };
        let place = (steps.start, usize::try_from(windows.size()[1]).unwrap_or(0));
        let mut outputs = windows.f_narrow(1, first, n)?;
        for (i, (layer, state)) in self.layers.iter().zip(states).enumerate() {
            if i > 0 {
                outputs = drop_out_steps(&outputs, dropout, i - 1, place)?;
            }
            (outputs, *state) = layer.forward(&outputs.f_to_device(layer.device())?, state)?;
        }
        Ok(outputs.f_to_device(windows.device())?)
    }
}

/// One layer, in one direction or both.
#[derive(Debug)]
struct LstmLayer {
    weights: Vec<Tensor>,
    hidden_size: usize,
    n_directions: usize,
}

impl LstmLayer {
    fn new(pattern: &str, config: &NetworkConfig, weights: &Weights) -> Result<Self> {
        let directions = ["", "_reverse"].iter().take(config.n_directions());
        let names = directions.flat_map(|direction| {
            let kinds = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"];
            kinds.map(|kind| format!("{}{direction}", pattern.replace('%', kind)))
        });
        let weights = names.map(|name| weights.get(&name)).collect::<Result<_>>()?;
        Ok(Self { weights, hidden_size: config.hidden_size, n_directions: config.n_directions() })
    }

    fn device(&self) -> Device {
        self.weights[0].device()
    }

    /// Output and cell state before the first step, `(directions, batch, hidden_size)` each.
    fn zero_state(&self, windows: &Tensor) -> Result<[Tensor; 2]> {
        let shape = [dimensions(&[self.n_directions])[0], windows.size()[0], dimensions(&[self.hidden_size])[0]];
        let zeros = Tensor::f_zeros(shape, (windows.kind(), self.device()))?;
        Ok([zeros.shallow_clone(), zeros])
    }

    /// `(batch, steps, input_size)` to the outputs of every step `(batch, steps, directions * hidden_size)` and the final
    /// state.
    fn forward(&self, x: &Tensor, state: &[Tensor; 2]) -> Result<(Tensor, [Tensor; 2])> {
        let weights: Vec<&Tensor> = self.weights.iter().collect();
        // cuDNN goes back only through what it was told is a training; on a CPU it would be another path
        let train = x.device().is_cuda();
        let (outputs, h, c) =
            x.f_lstm(&[&state[0], &state[1]], &weights, true, 1, 0.0, train, self.n_directions == 2, true)?;
        Ok((outputs, [h, c]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::rng::{DropoutMasks, Purpose, Rng};
    use crate::torch::build::drawn;

    #[test]
    fn a_mask_is_counted_in_rows_steps_and_units() {
        let (batch, steps, input_size, hidden_size) = (5, 7, 2, 3);
        for bidirectional in [false, true] {
            let config = NetworkConfig {
                input_size,
                hidden_size,
                num_layers: 3,
                bidirectional,
                dropout: 0.5,
                ..NetworkConfig::default()
            };
            let lstm = StackedLstm::new("lstm", &config, &drawn::network(&config).1).unwrap();
            let values = Rng::new(0, Purpose::Shuffle).uniform(batch * steps * input_size, 1.0);
            let windows = Tensor::from_slice(&values).reshape(dimensions(&[batch, steps, input_size]));
            let masks = DropoutMasks::new(1, config.dropout);
            let width = config.n_directions() * hidden_size;
            // each element alone, at the index that its place has
            let mask = |layer| {
                let mut elements = Vec::new();
                for (row, time, unit) in places(batch, steps, width) {
                    let mut element = [f32::NAN];
                    masks.at(4, layer).fill(((row * steps + time) * width + unit) as u64, &mut element);
                    elements.push(element[0]);
                }
                Tensor::from_slice(&elements).reshape(dimensions(&[batch, steps, width]))
            };
            let layer =
                |i: usize, x: &Tensor| lstm.layers[i].forward(x, &lstm.layers[i].zero_state(x).unwrap()).unwrap();
            let outputs = layer(1, &(layer(0, &windows).0 * mask(0))).0;
            let [state, _] = layer(2, &(outputs * mask(1))).1;
            let expected = state.transpose(0, 1).reshape([5, -1]);
            let got = |masks| lstm.states(&windows, masks, Earlier::Forgotten).unwrap().1;
            // the same operations on the same numbers
            assert_eq!(got(Some(masks.during(4))), expected);
            assert_ne!(got(Some(masks.during(5))), expected);
            assert_ne!(got(None), expected);
        }
    }

    #[test]
    fn a_step_forecasts_as_if_the_window_ended_there() {
        let config =
            NetworkConfig { input_size: 2, hidden_size: 3, num_layers: 2, output_size: 4, ..NetworkConfig::default() };
        let network = drawn::network(&config).0;
        let (batch, steps) = (3, 5);
        let values = Rng::new(0, Purpose::Shuffle).uniform(batch * steps * 2, 1.0);
        let windows = Tensor::from_slice(&values).reshape([3, 5, 2]);
        let outputs = network.forward_every_step(&windows, None).unwrap();
        assert_eq!(outputs.size(), [15, 4]);
        for step in 0..5 {
            let until = network.forward(&windows.narrow(1, 0, step + 1), None).unwrap();
            let difference = outputs.reshape([3, 5, 4]).select(1, step) - until;
            // sums of a handful of numbers below 1 in single precision
            assert!(difference.abs().max().double_value(&[]) < 1e-6);
        }
    }

    fn places(batch: usize, steps: usize, width: usize) -> impl Iterator<Item = (usize, usize, usize)> {
        (0..batch).flat_map(move |row| (0..steps).flat_map(move |time| (0..width).map(move |unit| (row, time, unit))))
    }
}
