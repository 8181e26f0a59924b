//! The gradient cut into parts, and beside libtorch's.
#![allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)] // sizes are small here

use super::*;
use crate::network::Parameters;
use crate::rng::DropoutMasks;
use crate::text::network::CharNetworkConfig;

const CONFIG: CharNetworkConfig =
    CharNetworkConfig { embedding_size: 5, hidden_size: 10, num_layers: 2, dropout: 0.4, seed: 0 };
const N_SYMBOLS: usize = 7;
const ROWS: usize = 9;
const LENGTH: usize = 6;

fn streams() -> Streams {
    let text = (0..ROWS as u32 * 2 * LENGTH as u32).map(|i| (i * i + i / 5) % N_SYMBOLS as u32);
    Streams::for_training(&[text.chain([3]).collect()], LENGTH, ROWS)
}

/// Loss and gradient of the second step, within so many bytes.
fn computed(bytes: usize, n_threads: usize) -> (f64, Vec<Vec<f32>>, Parameters) {
    let weights = CONFIG.draw(N_SYMBOLS).unwrap();
    let network = CharNetwork::new(CONFIG, N_SYMBOLS, &weights).unwrap();
    let mut gradient = CharGradient::within(bytes, &network, &streams(), n_threads);
    let masks = |step| Some(DropoutMasks::new(1, CONFIG.dropout).during(step));
    gradient.compute(&network, &streams(), 0, masks(0));
    let loss = gradient.compute(&network, &streams(), 1, masks(1));
    (loss, network.unpack(gradient.sum(&network).0), weights)
}

fn close(a: &[f32], b: &[f32], tolerance: f32) {
    assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < tolerance), "{a:?} {b:?}");
}

#[test]
fn rows_may_be_cut_up() {
    let (loss, whole, _) = computed(STEP_BYTES, 1);
    for (bytes, n_threads) in [(1, 1), (40_000, 1), (STEP_BYTES, 2), (1, 2)] {
        let (same, pieces, _) = computed(bytes, n_threads);
        assert!((same - loss).abs() < 1e-12, "losses are summed in double precision, but in another order");
        // the same sums in another order
        whole.iter().zip(pieces).for_each(|(a, b)| close(a, &b, 1e-6));
    }
}

#[cfg(feature = "torch")]
mod libtorch {
    use tch::{Kind, Reduction, Tensor};

    use super::*;
    use crate::torch::devices::Devices;
    use crate::torch::weights::Weights;

    /// The mask of a layer's outputs as a tensor `(rows, steps, hidden_size)`.
    fn mask(step: u64, layer: usize) -> Tensor {
        let mut elements = vec![0.0; ROWS * LENGTH * CONFIG.hidden_size];
        DropoutMasks::new(1, CONFIG.dropout).at(step, layer).fill(0, &mut elements);
        Tensor::from_slice(&elements).reshape([ROWS as i64, LENGTH as i64, -1])
    }

    /// The same under libtorch's automatic differentiation, layer after layer.
    fn expected(weights: &Parameters) -> (f64, Vec<Tensor>) {
        let tensors = Weights::new(weights, &Devices::CPU).unwrap().tensors();
        let streams = streams();
        let zeros = || Tensor::zeros([1, ROWS as i64, 10], (Kind::Float, tch::Device::Cpu));
        let mut states = [zeros(), zeros(), zeros(), zeros()];
        let mut loss = Tensor::from(0.0);
        for step in 0..2 {
            let rows = || (0..ROWS).map(|row| streams.sequence(row, step));
            let ids = |symbols: Vec<&[u32]>| {
                let ids: Vec<i64> = symbols.concat().into_iter().map(i64::from).collect();
                Tensor::from_slice(&ids).reshape([ROWS as i64, LENGTH as i64])
            };
            let inputs = ids(rows().map(|sequence| streams.inputs(sequence)).collect());
            let targets = ids(rows().map(|sequence| streams.targets(sequence)).collect());
            let mut x = Tensor::embedding(&tensors[0], &inputs, -1, false, false);
            for layer in 0..2 {
                let state = &states[2 * layer..2 * layer + 2];
                let parts = &tensors[1 + 4 * layer..5 + 4 * layer];
                let (y, h, c) = x.lstm(state, parts, true, 1, 0.0, false, false, true);
                x = y * mask(step as u64, layer);
                states[2 * layer] = h.detach();
                states[2 * layer + 1] = c.detach();
            }
            let logits = x.linear(&tensors[9], Some(&tensors[10])).flatten(0, 1);
            loss = logits.cross_entropy_loss(&targets.flatten(0, 1), None::<&Tensor>, Reduction::Mean, -100, 0.0);
        }
        loss.backward();
        (loss.double_value(&[]), tensors.iter().map(Tensor::grad).collect())
    }

    #[test]
    fn libtorch_has_the_same_gradient_with_the_same_masks() {
        let (loss, gradient, weights) = computed(STEP_BYTES, 2);
        let (expected_loss, expected) = expected(&weights);
        assert!((loss - expected_loss).abs() < 1e-6, "{loss} {expected_loss}");
        for (gradient, expected) in gradient.iter().zip(expected) {
            // sums of some 54 products of numbers below 1 in single precision
            close(gradient, &Vec::<f32>::try_from(expected.flatten(0, -1)).unwrap(), 1e-6);
        }
    }
}
