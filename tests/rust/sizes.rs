//! How many numbers a network needs is known before one of them is allocated.

use lstmforecast::array::Array;
use lstmforecast::distribution::Distribution;
use lstmforecast::model::{Channels, Model, ModelConfig};
use lstmforecast::network::Architecture;
use lstmforecast::series::scale::Scaler;
use lstmforecast::text::network::CharNetworkConfig;
use lstmforecast::text::{CharConfig, CharModel};

use super::training::model;

fn architectures() -> Vec<Architecture> {
    let mut architectures = vec![Architecture::Lstm, Architecture::Linear];
    if cfg!(feature = "torch") {
        architectures.extend([
            Architecture::Attention { num_heads: 2 },
            Architecture::CnnLstm { kernel_sizes: vec![3, 2], out_channels: 5 },
            Architecture::Transformer { num_heads: 2, dim_feedforward: 6, causal: false },
        ]);
    }
    architectures
}

/// Every architecture, with and without what changes the number of weights.
fn configs() -> Vec<ModelConfig> {
    let mut configs = Vec::new();
    for (architecture, num_layers) in architectures().iter().flat_map(|each| [1, 2, 3].map(|n| (each, n))) {
        let is_transformer = matches!(architecture, Architecture::Transformer { .. });
        configs.push(ModelConfig {
            architecture: architecture.clone(),
            num_layers,
            bidirectional: num_layers == 2 && !is_transformer,
            linear_skip: num_layers > 1 || *architecture == Architecture::Linear,
            segment_length: if num_layers == 3 { 4 } else { 1 },
            channels: if num_layers == 3 { Channels::Independent } else { Channels::Together },
            n_features: 4,
            n_targets: 2,
            n_known: num_layers % 2,
            distribution: (num_layers == 2).then_some(Distribution::Normal),
            ..model().config().clone()
        });
    }
    configs
}

fn weights(model: &Model) -> Vec<(String, Array)> {
    model.parameters().iter().map(|(name, array)| (name.to_owned(), array.clone())).collect()
}

#[test]
fn the_count_is_that_of_the_weights_that_are_drawn() {
    for config in configs() {
        let model = Model::new(config.clone()).unwrap();
        let drawn: usize = model.parameters().iter().map(|(_, array)| array.values().len()).sum();
        assert_eq!(config.count_weights().unwrap(), drawn, "{config:?}");
    }
    let network = CharNetworkConfig { embedding_size: 5, hidden_size: 6, num_layers: 3, dropout: 0.0, seed: 0 };
    let config = CharConfig { characters: "abcd".to_owned(), counts: vec![1; 4], network };
    let model = CharModel::new(config.clone()).unwrap();
    let drawn: usize = model.parameters().iter().map(|(_, array)| array.values().len()).sum();
    assert_eq!(config.count_weights().unwrap(), drawn);
}

#[test]
fn a_network_that_no_memory_holds_is_refused() {
    let config = model().config().clone();
    let huge = [
        ModelConfig { hidden_size: usize::MAX, ..config.clone() },
        ModelConfig { hidden_size: (1 << 62) + 4, ..config.clone() },
        ModelConfig { hidden_size: 2_147_483_647, ..config.clone() },
        ModelConfig { num_layers: 1 << 62, ..config.clone() },
        ModelConfig { num_layers: 2_147_483_647, hidden_size: 1 << 20, ..config.clone() },
        ModelConfig { horizon: 1 << 40, ..config.clone() },
        ModelConfig { horizon: 1 << 20, n_targets: 1 << 20, n_features: 1 << 20, ..config.clone() },
        ModelConfig { window_size: 1 << 62, linear_skip: true, ..config.clone() },
        ModelConfig { n_features: usize::MAX, ..config.clone() },
        ModelConfig { n_known: usize::MAX, n_features: 1 << 20, ..config.clone() },
        ModelConfig { segment_length: 1 << 30, window_size: 1 << 30, n_features: 1 << 30, ..config.clone() },
    ];
    for config in huge {
        let error = Model::new(config).err().expect("an error").to_string();
        assert!(error.contains("of at most"), "{error}");
    }
}

#[test]
fn a_model_is_restored_of_its_own_weights_alone() {
    for config in configs() {
        let trained = Model::new(config.clone()).unwrap();
        let scalers = || (Scaler::identity(config.n_features), Scaler::identity(config.n_targets));
        // another seed: nothing is drawn from it
        let other = ModelConfig { seed: 99, ..config.clone() };
        let restored = Model::restore(other, weights(&trained), false, scalers()).unwrap();
        for ((name, was), (same, is)) in trained.parameters().iter().zip(restored.parameters().iter()) {
            assert_eq!((name, was), (same, is));
        }
        let mut without = weights(&trained);
        let first = without.remove(0).0;
        let error = Model::restore(config.clone(), without, false, scalers()).err().expect("an error");
        assert!(error.to_string().contains(&format!("missing: {first}")), "{error}");
        let mut with = weights(&trained);
        with.push(("other.weight".to_owned(), Array::new(&[1], vec![1.0]).unwrap()));
        let error = Model::restore(config.clone(), with, false, scalers()).err().expect("an error");
        assert!(error.to_string().contains("unexpected: other.weight"), "{error}");
    }
}

#[test]
fn sizes_that_the_weights_do_not_have_are_refused_before_anything_is_allocated() {
    let trained = model();
    let config = trained.config().clone();
    let scalers = || (Scaler::identity(config.n_features), Scaler::identity(config.n_targets));
    for other in [
        ModelConfig { hidden_size: 1_000_000, ..config.clone() },
        ModelConfig { num_layers: 1 << 30, ..config.clone() },
        ModelConfig { horizon: 1 << 30, ..config.clone() },
        ModelConfig { linear_skip: true, window_size: 1 << 30, ..config.clone() },
        ModelConfig { n_features: 1 << 30, ..config.clone() },
        ModelConfig { n_targets: 1 << 30, ..config.clone() },
    ] {
        assert!(Model::restore(other, weights(&trained), false, scalers()).is_err());
    }
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    let trained = model();
    let scaler = Scaler::identity(1);
    let restore = |weights, input, output| Model::restore(trained.config().clone(), weights, false, (input, output));
    assert!(restore(weights(&trained), scaler.clone(), scaler.clone()).is_ok());
    for bad in [f32::NAN, f32::INFINITY] {
        let mut spoilt = weights(&trained);
        spoilt[1].1.values_mut()[3] = bad;
        let error = restore(spoilt, scaler.clone(), scaler.clone()).err().expect("an error").to_string();
        assert!(error.contains("lstm.weight_hh_l0"), "{error}");
        let center = Scaler { center: vec![f64::from(bad)], ..scaler.clone() };
        let scale = Scaler { scale: vec![f64::from(bad)], ..scaler.clone() };
        for spoilt in [center, scale, Scaler { scale: vec![0.0], ..scaler.clone() }] {
            assert!(restore(weights(&trained), spoilt.clone(), scaler.clone()).is_err());
            assert!(restore(weights(&trained), scaler.clone(), spoilt).is_err());
        }
    }
}
