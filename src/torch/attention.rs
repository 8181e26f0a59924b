//! Multi-head attention (Vaswani et al. 2017), as `torch.nn.MultiheadAttention` with `batch_first=True`.

use tch::{Kind, Tensor};

use super::dropout::{drop_out, AFTER_LSTM};
use super::lstm::{LstmForecastNetwork, StackedLstm};
use super::network::Layer;
use super::norm::LayerNorm;
use super::tensor::dimensions;
use super::weights::Weights;
use crate::error::Result;
use crate::network::NetworkConfig;
use crate::rng::StepMasks;

/// LSTM layers, then self-attention over their outputs.
pub(super) fn build(config: &NetworkConfig, num_heads: usize, weights: &Weights) -> Result<LstmForecastNetwork> {
    let lstm = StackedLstm::new("lstm", config, weights)?;
    let attention = AttendedState::new(config.n_directions() * config.hidden_size, num_heads, weights)?;
    LstmForecastNetwork::of_layers((None, lstm, Some(Box::new(attention))), config, weights)
}

/// Self-attention named `attention`, added to what it reads, and a layer normalisation named `norm`: the last step of
/// these, of which alone the query is computed.
#[derive(Debug)]
struct AttendedState {
    attention: MultiheadAttention,
    norm: LayerNorm,
}

impl AttendedState {
    fn new(size: usize, num_heads: usize, weights: &Weights) -> Result<Self> {
        let attention = MultiheadAttention::new("attention", size, num_heads, weights)?;
        Ok(Self { attention, norm: LayerNorm::new("norm", size, weights)? })
    }
}

impl Layer for AttendedState {
    fn forward(&self, x: &Tensor, dropout: Option<StepMasks>) -> Result<Tensor> {
        let last = last_step(x)?;
        let attended = self.attention.forward_last(x, (dropout, AFTER_LSTM))?;
        self.norm
            .forward(&last.f_add(&drop_out(&attended, dropout, AFTER_LSTM + 1)?)?)?
            .f_squeeze_dim(1)
            .map_err(Into::into)
    }

    fn attention_weights(&self, x: &Tensor) -> Result<Option<Tensor>> {
        self.attention.weights(&self.attention.queries(x)?, &self.attention.keys_and_values(x)?.0, false).map(Some)
    }
}

/// The last step of `(batch, steps, size)`, as `(batch, 1, size)`.
pub(super) fn last_step(x: &Tensor) -> Result<Tensor> {
    Ok(x.f_narrow(1, x.size()[1] - 1, 1)?)
}

/// Attention of several heads, each to its part of the numbers of a step.
#[derive(Debug)]
pub(super) struct MultiheadAttention {
    in_proj_weight: Tensor,
    in_proj_bias: Tensor,
    out_weight: Tensor,
    out_bias: Tensor,
    size: i64,
    num_heads: i64,
}

impl MultiheadAttention {
    /// Parameters `{name}.in_proj_weight` `(3 * size, size)` of queries, keys and values, `{name}.out_proj.weight` and their
    /// biases.
    pub(super) fn new(name: &str, size: usize, num_heads: usize, weights: &Weights) -> Result<Self> {
        let weight = |part: &str| weights.get(&format!("{name}.{part}"));
        Ok(Self {
            in_proj_weight: weight("in_proj_weight")?,
            in_proj_bias: weight("in_proj_bias")?,
            out_weight: weight("out_proj.weight")?,
            out_bias: weight("out_proj.bias")?,
            size: dimensions(&[size])[0],
            num_heads: dimensions(&[num_heads])[0],
        })
    }

    /// What each step of `x` `(batch, steps, size)` reads of all steps, or with `causal` of those up to its own:
    /// `(batch, steps, size)`. Drops attention weights by the mask of a number.
    pub(super) fn forward(
        &self,
        x: &Tensor,
        causal: bool,
        (dropout, mask): (Option<StepMasks>, usize),
    ) -> Result<Tensor> {
        let queries = self.queries(x)?;
        let (keys, values) = self.keys_and_values(x)?;
        let attended = if dropout.is_some_and(|masks| masks.p() > 0.0) {
            drop_out(&self.weights(&queries, &keys, causal)?, dropout, mask)?.f_matmul(&values)?
        } else {
            Tensor::f_scaled_dot_product_attention(&queries, &keys, &values, None::<&Tensor>, 0.0, causal, None, false)?
        };
        self.join(&attended.f_transpose(1, 2)?.f_flatten(2, 3)?)
    }

    /// What the last step alone attends to, `(batch, 1, size)`.
    ///
    /// The sums over steps come first: a head's query goes through the weight of the keys to become one of the steps
    /// themselves, and the sum of the steps that it attends to goes through the weight of the values. No step is multiplied by
    /// either weight. The bias of the keys adds the same to all scores, and so nothing.
    pub(super) fn forward_last(&self, x: &Tensor, (dropout, mask): (Option<StepMasks>, usize)) -> Result<Tensor> {
        let per_head = self.size / self.num_heads;
        let of_heads = |part: i64| {
            let weight = self.in_proj_weight.f_narrow(0, part * self.size, self.size)?;
            weight.f_reshape([self.num_heads, per_head, self.size])
        };
        // (num_heads, batch, per_head)
        let queries = self.project(&last_step(x)?, 0, 1)?.remove(0).f_squeeze_dim(2)?.f_transpose(0, 1)?;
        let asked =
            queries.f_matmul(&of_heads(1)?)?.f_transpose(0, 1)?.f_mul_scalar((per_head as f64).sqrt().recip())?;
        let weights = asked.f_matmul(&x.f_transpose(1, 2)?)?.f_softmax(-1, x.kind())?;
        let weights = drop_out(&weights, dropout, mask)?;
        let summed = weights.f_matmul(x)?.f_transpose(0, 1)?;
        let attended = summed.f_matmul(&of_heads(2)?.f_transpose(1, 2)?)?.f_transpose(0, 1)?;
        let bias = self.in_proj_bias.f_narrow(0, 2 * self.size, self.size)?.f_reshape([self.num_heads, per_head])?;
        // the weights' sum is 1 unless some were dropped
        let attended = attended.f_add(&weights.f_sum_dim_intlist(-1, true, x.kind())?.f_mul(&bias)?)?;
        self.join(&attended.f_flatten(1, 2)?.f_unsqueeze(1)?)
    }

    fn join(&self, attended: &Tensor) -> Result<Tensor> {
        Ok(attended.f_linear(&self.out_weight, Some(&self.out_bias))?)
    }

    /// How much each query attends to each step `(batch, num_heads, n, steps)`; rows sum to 1.
    fn weights(&self, queries: &Tensor, keys: &Tensor, causal: bool) -> Result<Tensor> {
        let scale = ((self.size / self.num_heads) as f64).sqrt().recip();
        let mut scores = queries.f_mul_scalar(scale)?.f_matmul(&keys.f_transpose(2, 3)?)?;
        if causal {
            let later = scores.f_ones_like()?.f_triu(1)?.f_to_kind(Kind::Bool)?;
            scores = scores.f_masked_fill(&later, f64::NEG_INFINITY)?;
        }
        Ok(scores.f_softmax(-1, scores.kind())?)
    }

    fn queries(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.project(x, 0, 1)?.remove(0))
    }

    fn keys_and_values(&self, x: &Tensor) -> Result<(Tensor, Tensor)> {
        let mut both = self.project(x, 1, 2)?;
        let values = both.remove(1);
        Ok((both.remove(0), values))
    }

    /// Some of queries, keys and values, each `(batch, num_heads, steps, size / num_heads)`.
    fn project(&self, x: &Tensor, first: i64, n: i64) -> Result<Vec<Tensor>> {
        let rows = |tensor: &Tensor| tensor.f_narrow(0, first * self.size, n * self.size);
        let projected = x.f_linear(&rows(&self.in_proj_weight)?, Some(&rows(&self.in_proj_bias)?))?;
        let split =
            projected.f_reshape([x.size()[0], x.size()[1], n, self.num_heads, -1])?.f_permute([2, 0, 3, 1, 4])?;
        Ok(split.f_unbind(0)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{DropoutMasks, Purpose, Rng};
    use crate::torch::tensor::overwrite;
    use crate::torch::weights::drawn;

    fn attention(size: usize, num_heads: usize) -> (MultiheadAttention, Weights) {
        let weights = drawn::weights(&[
            ("attention.in_proj_weight", &[3 * size, size]),
            ("attention.in_proj_bias", &[3 * size]),
            ("attention.out_proj.weight", &[size, size]),
            ("attention.out_proj.bias", &[size]),
        ]);
        (MultiheadAttention::new("attention", size, num_heads, &weights).unwrap(), weights)
    }

    #[test]
    fn the_last_step_attends_as_a_hand_calculation_says() {
        let (attention, weights) = attention(1, 1);
        let of_three = 3f32.ln();
        let values: [&[f32]; 4] = [&[1.0 / of_three, 1.0, 3.0], &[0.0, 0.0, 0.0], &[2.0], &[1.0]];
        weights.iter().zip(values).for_each(|((_, tensor), values)| overwrite(tensor, values).unwrap());
        // the query is 1, the keys are 0 and ln 3: weights 1/4 and 3/4; the values are 0 and 3 ln 3
        let x = Tensor::from_slice(&[0.0, of_three]).reshape([1, 2, 1]);
        let attended = attention.forward_last(&x, (None, 0)).unwrap();
        let expected = 2.0 * (0.75 * 3.0 * f64::from(of_three)) + 1.0;
        assert!((attended.double_value(&[0, 0, 0]) - expected).abs() < 1e-6);
        // where a step may not attend to later ones, the first attends to itself alone
        let attended = attention.forward(&x, true, (None, 0)).unwrap();
        assert!((attended.double_value(&[0, 0, 0]) - 1.0).abs() < 1e-6);
        assert!((attended.double_value(&[0, 1, 0]) - expected).abs() < 1e-6);
    }

    #[test]
    fn the_last_step_alone_attends_as_among_all() {
        let attention = attention(6, 3).0;
        let mut rng = Rng::new(1, Purpose::Weights);
        let x = Tensor::from_slice(&rng.uniform(3 * 5 * 6, 1.0)).reshape([3, 5, 6]);
        let masks = DropoutMasks::new(1, 0.5).during(2);
        for dropout in [None, Some(masks)] {
            let expected = match dropout {
                None => last_step(&attention.forward(&x, false, (None, 0)).unwrap()).unwrap(),
                Some(masks) => {
                    let (keys, values) = attention.keys_and_values(&x).unwrap();
                    let queries = attention.queries(&last_step(&x).unwrap()).unwrap();
                    let weights = attention.weights(&queries, &keys, false).unwrap();
                    let attended = drop_out(&weights, Some(masks), 4).unwrap().matmul(&values);
                    attention.join(&attended.transpose(1, 2).flatten(2, 3)).unwrap()
                }
            };
            let got = attention.forward_last(&x, (dropout, 4)).unwrap();
            assert!((got - expected).abs().max().double_value(&[]) < 1e-6, "{dropout:?}");
        }
    }

    #[test]
    fn dropout_lays_its_mask_over_the_weights_of_each_head() {
        let (attention, _) = attention(6, 2);
        let x = Tensor::from_slice(&Rng::new(0, Purpose::Shuffle).uniform(3 * 5 * 6, 1.0)).reshape([3, 5, 6]);
        let masks = DropoutMasks::new(1, 0.5).during(2);
        let (queries, (keys, values)) = (attention.queries(&x).unwrap(), attention.keys_and_values(&x).unwrap());
        for causal in [false, true] {
            let mut mask = vec![0.0; 3 * 2 * 5 * 5];
            masks.layer(7).fill(0, &mut mask);
            let weights = attention.weights(&queries, &keys, causal).unwrap();
            let attended = (weights * Tensor::from_slice(&mask).reshape([3, 2, 5, 5])).matmul(&values);
            let expected =
                attended.transpose(1, 2).flatten(2, 3).linear(&attention.out_weight, Some(&attention.out_bias));
            let got = attention.forward(&x, causal, (Some(masks), 7)).unwrap();
            assert!((got - expected).abs().max().double_value(&[]) < 1e-6, "causal {causal}");
            // without masks, and with those that drop nothing, libtorch's own attention
            let plain = attention.forward(&x, causal, (None, 7)).unwrap();
            let explicit = attention.weights(&queries, &keys, causal).unwrap().matmul(&values);
            let explicit = explicit.transpose(1, 2).flatten(2, 3);
            let explicit = explicit.linear(&attention.out_weight, Some(&attention.out_bias));
            assert!((plain - explicit).abs().max().double_value(&[]) < 1e-6, "causal {causal}");
        }
    }
}
