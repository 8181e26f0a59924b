//! The encoder of a Transformer (Vaswani et al. 2017), normalised before its parts (Xiong et al. 2020), as
//! `torch.nn.TransformerEncoder` with `norm_first=True`.

use std::cell::RefCell;

use tch::{Device, Tensor};

use super::attention::{last_step, MultiheadAttention};
use super::dropout::drop_out;
use super::embedding::{segments, CategoryEmbeddings};
use super::head::ForecastHead;
use super::linear::Linear;
use super::network::Network;
use super::norm::LayerNorm;
use super::tensor::dimensions;
use super::weights::Weights;
use crate::error::Result;
use crate::network::NetworkConfig;
use crate::rng::StepMasks;

/// The longest wave of the positions, in steps over a whole turn.
const LONGEST_WAVE: f64 = 10_000.0;

/// Masks of one layer: of attention weights, of what was attended to, within the two linear layers and after them.
const MASKS: usize = 4;

/// A linear `embedding` of the steps, to which their positions are added; layers named `encoder.layers`, a normalisation named
/// `encoder.norm`, and a head on the last step.
#[derive(Debug)]
pub(super) struct TransformerNetwork {
    embeddings: Option<CategoryEmbeddings>,
    embedding: Linear,
    /// Of as many steps as there were last.
    positions: RefCell<Tensor>,
    layers: Vec<EncoderLayer>,
    norm: LayerNorm,
    head: ForecastHead,
    input_size: usize,
    hidden_size: usize,
}

impl TransformerNetwork {
    /// The encoder of this configuration.
    pub(super) fn new(config: &NetworkConfig, num_heads: usize, causal: bool, weights: &Weights) -> Result<Self> {
        let (input_size, hidden_size) = (config.input_size, config.hidden_size);
        let layer = |i| {
            EncoderLayer::new(&format!("encoder.layers.{i}"), (hidden_size, num_heads), (causal, MASKS * i), weights)
        };
        Ok(Self {
            embeddings: CategoryEmbeddings::of(config, weights)?,
            embedding: Linear::new("embedding", weights)?,
            positions: RefCell::new(Tensor::zeros([0, 0], (tch::Kind::Float, Device::Cpu))),
            layers: (0..config.num_layers).map(layer).collect::<Result<_>>()?,
            norm: LayerNorm::new("encoder.norm", hidden_size, weights)?,
            head: ForecastHead::new(config, weights)?,
            input_size,
            hidden_size,
        })
    }

    /// Sines and cosines `(steps, hidden_size)`.
    fn positions(&self, steps: i64, device: Device) -> Result<Tensor> {
        let mut positions = self.positions.borrow_mut();
        if positions.size()[0] != steps {
            let steps = usize::try_from(steps).unwrap_or(0);
            let values = waves(steps, self.hidden_size);
            *positions = Tensor::f_from_slice(&values)?.f_reshape(dimensions(&[steps, self.hidden_size]))?;
            *positions = positions.f_to_device(device)?;
        }
        Ok(positions.shallow_clone())
    }
}

/// Sines in even places, cosines in odd ones, row-major `(steps, size)`.
#[allow(clippy::cast_possible_truncation)] // tensors are single precision
fn waves(steps: usize, size: usize) -> Vec<f32> {
    let wave = |step: usize, unit: usize| {
        let angle = step as f64 / LONGEST_WAVE.powf((unit / 2 * 2) as f64 / size as f64);
        (if unit.is_multiple_of(2) { angle.sin() } else { angle.cos() }) as f32
    };
    (0..steps).flat_map(|step| (0..size).map(move |unit| wave(step, unit))).collect()
}

impl Network for TransformerNetwork {
    fn forward(&self, windows: &Tensor, dropout: Option<StepMasks>) -> Result<Tensor> {
        let segments = segments(self.embeddings.as_ref(), windows, self.input_size)?;
        let positions = self.positions(segments.size()[1], windows.device())?.f_to_kind(windows.kind())?;
        let mut x = self.embedding.forward(&segments)?.f_add(&positions)?;
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.forward(&x, i + 1 == self.layers.len(), dropout)?;
        }
        self.head.forward(&self.norm.forward(&x)?.f_squeeze_dim(1)?, windows)
    }
}

/// Self-attention and two linear layers with a rectifier between them, both added to what they read.
#[derive(Debug)]
struct EncoderLayer {
    self_attn: MultiheadAttention,
    linear1: Linear,
    linear2: Linear,
    norm1: LayerNorm,
    norm2: LayerNorm,
    causal: bool,
    first_mask: usize,
}

impl EncoderLayer {
    fn new(
        name: &str,
        (size, num_heads): (usize, usize),
        (causal, first_mask): (bool, usize),
        weights: &Weights,
    ) -> Result<Self> {
        Ok(Self {
            self_attn: MultiheadAttention::new(&format!("{name}.self_attn"), size, num_heads, weights)?,
            linear1: Linear::new(&format!("{name}.linear1"), weights)?,
            linear2: Linear::new(&format!("{name}.linear2"), weights)?,
            norm1: LayerNorm::new(&format!("{name}.norm1"), size, weights)?,
            norm2: LayerNorm::new(&format!("{name}.norm2"), size, weights)?,
            causal,
            first_mask,
        })
    }

    /// `(batch, steps, size)` to the same, or to its last step alone, `(batch, 1, size)`.
    fn forward(&self, x: &Tensor, last: bool, dropout: Option<StepMasks>) -> Result<Tensor> {
        let part = |x: &Tensor| if last { last_step(x) } else { Ok(x.shallow_clone()) };
        let mask = |i| self.first_mask + i;
        let normed = self.norm1.forward(x)?;
        let attended = if last {
            // which attends to all steps, causal or not
            self.self_attn.forward_last(&normed, (dropout, mask(0)))?
        } else {
            self.self_attn.forward(&normed, self.causal, (dropout, mask(0)))?
        };
        let x = part(x)?.f_add(&drop_out(&attended, dropout, mask(1))?)?;
        let inner = self.linear1.forward(&self.norm2.forward(&x)?)?.f_relu()?;
        let thought = self.linear2.forward(&drop_out(&inner, dropout, mask(2))?)?;
        Ok(x.f_add(&drop_out(&thought, dropout, mask(3))?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Architecture;
    use crate::rng::{DropoutMasks, Purpose, Rng};
    use crate::torch::build::drawn;

    #[test]
    fn positions_are_waves_of_growing_length() {
        let waves = waves(3, 5);
        // lengths 1, 10000^(2/5) and 10000^(4/5)
        for (step, row) in waves.chunks(5).enumerate() {
            let [a, b, c] = [1.0, 39.810_717, 1_584.893_2].map(|length: f64| step as f64 / length);
            for (value, expected) in row.iter().zip([a.sin(), a.cos(), b.sin(), b.cos(), c.sin()]) {
                assert!((f64::from(*value) - expected).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn the_last_step_of_a_layer_is_that_of_all() {
        let architecture = Architecture::Transformer { num_heads: 2, dim_feedforward: 7, causal: false };
        let config = NetworkConfig { architecture, hidden_size: 6, ..NetworkConfig::default() };
        let weights = drawn::network(&config).1;
        let x = Tensor::from_slice(&Rng::new(0, Purpose::Shuffle).uniform(3 * 5 * 6, 1.0)).reshape([3, 5, 6]);
        for causal in [false, true] {
            let layer = EncoderLayer::new("encoder.layers.0", (6, 2), (causal, 0), &weights).unwrap();
            let (all, last) = (layer.forward(&x, false, None).unwrap(), layer.forward(&x, true, None).unwrap());
            assert!((all.narrow(1, 4, 1) - last).abs().max().double_value(&[]) < 1e-6);
            // a step that may not look ahead doesn't see another last one
            let other = Tensor::cat(&[x.narrow(1, 0, 4), x.narrow(1, 4, 1) + 1.0], 1);
            let moved = (layer.forward(&other, false, None).unwrap() - all).narrow(1, 0, 4).abs().max();
            assert_eq!(moved.double_value(&[]) == 0.0, causal);
        }
    }

    #[test]
    fn dropout_is_seeded_and_off_in_forecasts() {
        let architecture = Architecture::Transformer { num_heads: 2, dim_feedforward: 8, causal: false };
        let config = NetworkConfig {
            architecture,
            input_size: 2,
            hidden_size: 4,
            num_layers: 2,
            dropout: 0.5,
            output_size: 3,
            ..NetworkConfig::default()
        };
        let network = drawn::network(&config).0;
        let x = Tensor::from_slice(&Rng::new(0, Purpose::Shuffle).uniform(3 * 5 * 2, 1.0)).reshape([3, 5, 2]);
        let masks = DropoutMasks::new(1, 0.5);
        let with = |masks| network.forward(&x, masks).unwrap();
        assert_eq!(with(Some(masks.during(0))), with(Some(masks.during(0))));
        assert_ne!(with(Some(masks.during(0))), with(Some(masks.during(1))));
        assert_eq!(with(None), with(Some(DropoutMasks::new(1, 0.0).during(0))));
        assert_ne!(with(None), with(Some(masks.during(0))));
    }
}
