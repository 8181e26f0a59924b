//! One-dimensional convolutions over the steps of a window, as `torch.nn.Conv1d`.

use tch::Tensor;

use super::dropout::{drop_out, BEFORE_LSTM};
use super::lstm::{LstmForecastNetwork, StackedLstm};
use super::network::Layer;
use super::tensor::{dimensions, sizes};
use super::weights::Weights;
use crate::error::Result;
use crate::network::NetworkConfig;
use crate::rng::StepMasks;

/// Convolutions, so many, then LSTM layers that read what they find at each step.
pub(super) fn build(config: &NetworkConfig, n_convolutions: usize, weights: &Weights) -> Result<LstmForecastNetwork> {
    let convolutions = Convolutions::new("conv", n_convolutions, weights)?;
    let lstm = StackedLstm::new("lstm", config, weights)?;
    LstmForecastNetwork::of_layers((Some(Box::new(convolutions)), lstm, None), config, weights)
}

/// Convolutions one after the other, each followed by a rectifier; as many steps go out as come in.
#[derive(Debug)]
struct Convolutions {
    layers: Vec<Convolution>,
}

impl Convolutions {
    fn new(name: &str, n_convolutions: usize, weights: &Weights) -> Result<Self> {
        let layer = |i| Convolution::new(&format!("{name}.{i}"), weights);
        Ok(Self { layers: (0..n_convolutions).map(layer).collect::<Result<_>>()? })
    }
}

impl Layer for Convolutions {
    fn forward(&self, x: &Tensor, dropout: Option<StepMasks>) -> Result<Tensor> {
        let mut x = x.f_transpose(1, 2)?;
        for (i, layer) in self.layers.iter().enumerate() {
            x = drop_out(&layer.forward(&x)?.f_relu()?, dropout, BEFORE_LSTM + i)?;
        }
        Ok(x.f_transpose(1, 2)?)
    }
}

/// One convolution, with zeros before and after the steps: for an even kernel, one more after them.
#[derive(Debug)]
struct Convolution {
    weight: Tensor,
    bias: Tensor,
    in_channels: usize,
    kernel_size: usize,
}

/// Up to this many channels, all that a kernel sees at each step is laid side by side and multiplied as one matrix:
/// libtorch's convolution would take two or three times as long.
const FEW_CHANNELS: usize = 32;

impl Convolution {
    /// Parameters `{name}.weight` `(out_channels, in_channels, kernel_size)` and `{name}.bias`.
    fn new(name: &str, weights: &Weights) -> Result<Self> {
        let (weight, bias) = (weights.get(&format!("{name}.weight"))?, weights.get(&format!("{name}.bias"))?);
        let [_, in_channels, kernel_size] = sizes(&weight)[..] else { unreachable!("a weight of three dimensions") };
        Ok(Self { weight, bias, in_channels, kernel_size })
    }

    /// `(batch, in_channels, steps)` to `(batch, out_channels, steps)`.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (before, after) = padding_of(self.kernel_size);
        if self.in_channels <= FEW_CHANNELS && !x.requires_grad() {
            let seen = x.f_constant_pad_nd([before, after])?.f_unfold(2, before + after + 1, 1)?;
            let seen = seen.f_transpose(1, 2)?.f_flatten(2, 3)?;
            return Ok(seen.f_linear(&self.weight.f_flatten(1, 2)?, Some(&self.bias))?.f_transpose(1, 2)?);
        }
        // PyTorch's padding="same" would warn of the copy that an even kernel needs
        let padded = if after > before { x.f_constant_pad_nd([0, after - before])? } else { x.shallow_clone() };
        Ok(padded.f_conv1d(&self.weight, Some(&self.bias), 1, before, 1, 1)?)
    }
}

/// Zeros before and after the steps.
fn padding_of(kernel_size: usize) -> (i64, i64) {
    let padding = dimensions(&[(kernel_size - 1) / 2, kernel_size / 2]);
    (padding[0], padding[1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{DropoutMasks, Purpose, Rng};
    use crate::torch::tensor::overwrite;
    use crate::torch::weights::drawn;

    fn convolutions(kernel_sizes: &[usize]) -> Convolutions {
        let names: Vec<_> =
            (0..kernel_sizes.len()).map(|i| (format!("conv.{i}.weight"), format!("conv.{i}.bias"))).collect();
        let shapes: Vec<_> = kernel_sizes.iter().map(|&size| [1, 1, size]).collect();
        let each = names.iter().zip(&shapes);
        let parts: Vec<(&str, &[usize])> =
            each.flat_map(|((weight, bias), shape)| [(&**weight, &shape[..]), (&**bias, &[1])]).collect();
        let drawn = drawn::weights(&parts);
        for (name, tensor) in drawn.iter() {
            let weights = [[2.0f32, -1.0, 3.0], [1.0, 1.0, 1.0]][usize::from(name.starts_with("conv.1"))];
            let kernel = &weights[..tensor.numel().min(3)];
            overwrite(tensor, if name.ends_with("bias") { &[0.5] } else { kernel }).unwrap();
        }
        Convolutions::new("conv", kernel_sizes.len(), &drawn).unwrap()
    }

    fn steps(values: &[f32]) -> Tensor {
        Tensor::from_slice(values).reshape([1, -1, 1])
    }

    #[test]
    fn a_kernel_slides_over_the_steps() {
        // 2 a - b + 3 c + 0.5 of the step before, the step and the one after, where there are any
        let got = convolutions(&[3]).forward(&steps(&[1.0, 2.0, -4.0, 1.0]), None).unwrap();
        assert_eq!(got, steps(&[5.5, 0.0, 11.5, 0.0]));
        // 2 a - b + 0.5 of a step and the one after
        let got = convolutions(&[2]).forward(&steps(&[1.0, 2.0, -4.0, 1.0]), None).unwrap();
        assert_eq!(got, steps(&[0.5, 8.5, 0.0, 2.5]));
        // the second adds a step and the one after, and 0.5
        let got = convolutions(&[3, 2]).forward(&steps(&[1.0, 2.0, -4.0, 1.0]), None).unwrap();
        assert_eq!(got, steps(&[6.0, 12.0, 12.0, 0.5]));
    }

    #[test]
    fn few_channels_are_multiplied_as_they_are_convolved() {
        let x = Tensor::from_slice(&Rng::new(0, Purpose::Shuffle).uniform(2 * 3 * 7, 1.0)).reshape([2, 3, 7]);
        for kernel_size in 1..6 {
            let weights = drawn::weights(&[("conv.weight", &[4, 3, kernel_size]), ("conv.bias", &[4])]);
            let convolution = Convolution::new("conv", &weights).unwrap();
            let multiplied = convolution.forward(&x).unwrap();
            let convolved = convolution.forward(&x.copy().set_requires_grad(true)).unwrap();
            // sums of up to 15 terms of size 1, in another order
            assert!((multiplied - convolved).abs().max().double_value(&[]) < 1e-6, "kernel_size {kernel_size}");
        }
    }

    #[test]
    fn dropout_follows_each_rectifier() {
        let (x, masks) = (steps(&[1.0, 2.0, -4.0, 1.0]), DropoutMasks::new(0, 0.5).during(1));
        let mask = |layer| {
            let mut mask = vec![0.0; 4];
            masks.layer(layer).fill(0, &mut mask);
            Tensor::from_slice(&mask)
        };
        let convolutions = convolutions(&[3, 1]);
        let first = convolutions.layers[0].forward(&x.transpose(1, 2)).unwrap().relu() * mask(BEFORE_LSTM);
        let second = convolutions.layers[1].forward(&first).unwrap().relu() * mask(BEFORE_LSTM + 1);
        assert_eq!(convolutions.forward(&x, Some(masks)).unwrap(), second.transpose(1, 2));
    }
}
