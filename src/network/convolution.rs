//! One-dimensional convolutions over the steps of a window, as `torch.nn.Conv1d`.

use tch::Tensor;

use super::config::NetworkConfig;
use super::dropout::{drop_out, BEFORE_LSTM};
use super::lstm::{LstmForecastNetwork, StackedLstm};
use super::parameter::{dimensions, Initializer};
use super::Layer;
use crate::error::Result;
use crate::rng::StepMasks;

/// Convolutions, then LSTM layers that read what they find at each step.
///
/// # Errors
/// [`crate::error::Error::Torch`] when there is no memory for the weights.
pub(super) fn build(
    config: &NetworkConfig,
    kernel_sizes: &[usize],
    out_channels: usize,
    init: &mut Initializer,
) -> Result<LstmForecastNetwork> {
    let convolutions = Convolutions::new("conv", config.input_size, kernel_sizes, out_channels, init)?;
    let lstm = StackedLstm::new("lstm", config, init)?;
    LstmForecastNetwork::of_layers((Some(Box::new(convolutions)), lstm, None), config, init)
}

/// Convolutions one after the other, each followed by a rectifier; as many steps go out as come in.
#[derive(Debug)]
struct Convolutions {
    layers: Vec<Convolution>,
}

impl Convolutions {
    fn new(
        name: &str,
        input_size: usize,
        kernel_sizes: &[usize],
        out_channels: usize,
        init: &mut Initializer,
    ) -> Result<Self> {
        let layer = |(i, &kernel_size): (usize, &usize)| {
            let in_channels = if i == 0 { input_size } else { out_channels };
            Convolution::new(&format!("{name}.{i}"), [out_channels, in_channels, kernel_size], init)
        };
        Ok(Self { layers: kernel_sizes.iter().enumerate().map(layer).collect::<Result<_>>()? })
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
    /// Parameters `{name}.weight` `(out_channels, in_channels, kernel_size)` and `{name}.bias`, drawn as PyTorch draws them.
    fn new(name: &str, shape: [usize; 3], init: &mut Initializer) -> Result<Self> {
        let [out_channels, in_channels, kernel_size] = shape;
        let bound = 1.0 / ((in_channels * kernel_size) as f64).sqrt();
        let weight = init.uniform(&format!("{name}.weight"), &shape, bound)?;
        let bias = init.uniform(&format!("{name}.bias"), &[out_channels], bound)?;
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
    use tch::Device;

    use super::*;
    use crate::rng::{DropoutMasks, Purpose, Rng};

    fn convolutions(kernel_sizes: &[usize]) -> Convolutions {
        let mut init = Initializer::new(Rng::new(0, Purpose::Weights), Device::Cpu);
        let convolutions = Convolutions::new("conv", 1, kernel_sizes, 1, &mut init).unwrap();
        let named = init.finish().unwrap();
        let set = |tensor: &Tensor, value: &[f32]| {
            tch::no_grad(|| tensor.shallow_clone().copy_(&Tensor::from_slice(value).reshape(tensor.size())));
        };
        for (name, tensor) in named.iter() {
            let weights = [[2.0f32, -1.0, 3.0], [1.0, 1.0, 1.0]][usize::from(name.starts_with("conv.1"))];
            let kernel = &weights[..tensor.numel().min(3)];
            set(tensor, if name.ends_with("bias") { &[0.5] } else { kernel });
        }
        convolutions
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
        let mut init = Initializer::new(Rng::new(0, Purpose::Weights), Device::Cpu);
        let x = Tensor::from_slice(&Rng::new(0, Purpose::Shuffle).uniform(2 * 3 * 7, 1.0)).reshape([2, 3, 7]);
        for kernel_size in 1..6 {
            let convolution = Convolution::new("conv", [4, 3, kernel_size], &mut init).unwrap();
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
