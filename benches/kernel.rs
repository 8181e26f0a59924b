//! A training step and its parts: `cargo bench --bench kernel`. `make test` runs each once.
#![allow(missing_docs)] // of the function that criterion's macro writes

use std::hint::black_box;

use criterion::{criterion_group, criterion_main, BenchmarkId, Criterion, Throughput};
use lstmforecast::kernel::aligned::Aligned;
use lstmforecast::kernel::isa::InstructionSet;
use lstmforecast::kernel::linear::Linear;
use lstmforecast::kernel::lstm::Lstm;
use lstmforecast::kernel::pool;
use lstmforecast::kernel::shape::LstmShape;
use lstmforecast::kernel::workspace::Needs;
use lstmforecast::kernel::AdamStep;
use lstmforecast::network::fused::FusedNetwork;
use lstmforecast::network::{self, NetworkConfig};
use lstmforecast::rng::{DropoutMasks, Purpose, Rng};
use lstmforecast::series::lens::{Lens, WindowLayout};
use lstmforecast::series::scale::Scaler;
use lstmforecast::series::window::{Span, Windows};
use lstmforecast::series::{Matrix, Panel};
use lstmforecast::train::fused::FusedLearner;
use lstmforecast::train::{Learner, TrainConfig};

/// Window, features, hidden units, layers, rows of a thread's part of the batch.
type Size = (usize, usize, usize, usize, usize);
const SIZES: [Size; 5] =
    [(10, 1, 64, 2, 32), (10, 1, 64, 2, 16), (96, 7, 64, 2, 32), (30, 8, 128, 2, 64), (96, 7, 256, 2, 64)];

fn lstm(size: Size, set: InstructionSet) -> Lstm {
    let (_, input_size, hidden_size, num_layers, _) = size;
    Lstm::new(LstmShape { input_size, hidden_size, num_layers, bidirectional: false }, set)
}

fn random(n: usize) -> Aligned {
    let mut values = Aligned::zeros(n);
    values.copy_from_slice(&Rng::new(0, Purpose::Weights).uniform(n, 0.1));
    values
}

/// Multiplications and additions of the forward pass; the backward pass has almost twice as many.
fn flops((steps, features, hidden, layers, rows): Size) -> u64 {
    let inputs = features + hidden * (2 * layers - 1);
    (2 * rows * steps * 4 * hidden * inputs) as u64
}

fn layers(c: &mut Criterion) {
    for size in SIZES {
        for set in InstructionSet::available() {
            let name = format!("{size:?} {set:?}");
            let lstm = lstm(size, set);
            let parameters = random(lstm.n_parameters());
            let mut transposed = lstm.transposed(Needs::default());
            let mut ws = lstm.workspace(size.4, size.0, Needs::default());
            let mut gradient = Aligned::zeros(lstm.n_parameters());
            ws.start(size.4);
            let mut group = c.benchmark_group("layers");
            group.sample_size(20).throughput(Throughput::Elements(flops(size)));
            group.bench_function(BenchmarkId::new("forward", &name), |b| {
                b.iter(|| lstm.forward(&parameters, &mut ws, None));
            });
            // the backward pass turns gates into their gradients in place: run again it meets other, equally ordinary
            // numbers
            group.bench_function(BenchmarkId::new("backward", &name), |b| {
                b.iter(|| {
                    lstm.forward(&parameters, &mut ws, None);
                    lstm.backward(&transposed, &mut ws, &mut gradient);
                });
            });
            group.finish();
            let mut group = c.benchmark_group("update");
            group.sample_size(20);
            group
                .bench_function(BenchmarkId::new("transpose", &name), |b| b.iter(|| transposed.update(&parameters, 1)));
            group.finish();
        }
    }
}

fn updates(c: &mut Criterion) {
    let n = 50_000;
    let (mut parameters, gradient) = (random(n), random(n));
    let (mut first, mut second) = (Aligned::zeros(n), Aligned::zeros(n));
    let step = AdamStep {
        step_size: 1e-3,
        betas: (0.9, 0.999),
        correction2_sqrt: 0.5,
        epsilon: 1e-8,
        l2_penalty: 0.0,
        shrink: 1.0,
        grad_scale: 1.0,
        grad_limit: f32::INFINITY,
    };
    let mut group = c.benchmark_group("update");
    group.throughput(Throughput::Elements(n as u64));
    for set in InstructionSet::available() {
        group.bench_function(format!("adam {set:?}"), |b| {
            b.iter(|| set.adam(step, &mut parameters, &gradient, [&mut first, &mut second]));
        });
        group.bench_function(format!("norm {set:?}"), |b| b.iter(|| set.sum_of_squares(black_box(&gradient))));
        group.bench_function(format!("add {set:?}"), |b| b.iter(|| set.add(&mut parameters, black_box(&gradient))));
    }
    let mut mask = vec![0.0; n];
    group.bench_function("mask", |b| b.iter(|| DropoutMasks::new(0, 0.3).at(1, 0).fill(0, &mut mask)));
    group.finish();
}

fn heads(c: &mut Criterion) {
    for set in InstructionSet::available() {
        for outputs in [1, 96] {
            let head = Linear::new(64, outputs, set);
            let parameters = random(head.n_parameters());
            let (x, mut y) = (random(32 * 64), Aligned::zeros(32 * head.width()));
            c.bench_function(&format!("head/64 to {outputs} {set:?}"), |b| {
                b.iter(|| head.forward(&parameters, 32, &x, &mut y));
            });
        }
    }
}

fn handing_out(c: &mut Criterion) {
    for n in [1, 2] {
        let mut items = vec![0u64; n];
        c.bench_function(&format!("pool/{n} threads"), |b| b.iter(|| pool::for_each(&mut items, |_, item| *item += 1)));
    }
}

fn one_window(c: &mut Criterion) {
    for size in [(10, 1, 64, 2, 1), (96, 7, 64, 2, 1), (30, 8, 128, 2, 1), (96, 7, 256, 2, 1)] {
        for set in InstructionSet::available() {
            let lstm = lstm(size, set);
            let parameters = random(lstm.n_parameters());
            let mut memory = lstm.forward_memory(1, size.0);
            let mut group = c.benchmark_group("one window");
            group.throughput(Throughput::Elements(flops(size)));
            for n_threads in [1, 2] {
                memory.start(1, n_threads);
                group.bench_function(format!("{size:?} {set:?}, {n_threads} threads"), |b| {
                    b.iter(|| lstm.last_state(&parameters, None, &mut memory)[0]);
                });
            }
        }
    }
}

fn step(c: &mut Criterion) {
    for (window_size, n_features, hidden_size, num_layers, batch_size) in SIZES {
        let config = NetworkConfig { input_size: n_features, hidden_size, num_layers, ..NetworkConfig::default() };
        let parameters = network::draw(&config, 0).unwrap();
        let mut network = FusedNetwork::new(&config, &parameters).unwrap();
        let series: Vec<f64> = random(500 * n_features).iter().map(|&x| f64::from(x)).collect();
        let panel = Panel::one(Matrix::new(&series, n_features).unwrap());
        let scaler = Scaler::identity(n_features);
        let layout = layout(window_size, n_features);
        let lens = Lens { panel: &panel, scaler: &scaler, output_scaler: &scaler, layout, effects: None };
        let spans = std::iter::once(Span { first: window_size, end: 500 });
        let windows = Windows::new(lens, spans, 1).unwrap();
        let (indices, training): (Vec<usize>, _) = ((0..batch_size).collect(), training(batch_size));
        for n_threads in [1, 2] {
            let mut learner = FusedLearner::new(&mut network, (&windows, None), 0.0, n_threads, &training);
            let mut group = c.benchmark_group("step");
            let size = (window_size, n_features, hidden_size, num_layers, batch_size);
            group.sample_size(20).throughput(Throughput::Elements(3 * flops(size)));
            group.bench_function(format!("{size:?}, {n_threads} threads"), |b| {
                b.iter(|| learner.step(&indices, 1e-3).unwrap());
            });
        }
    }
}

fn layout(window_size: usize, n_features: usize) -> WindowLayout {
    WindowLayout { horizon: 1, n_targets: 1, ..WindowLayout::windows_alone(window_size, n_features) }
}

fn training(batch_size: usize) -> TrainConfig {
    TrainConfig { batch_size, ..TrainConfig::default() }
}

criterion_group!(benches, step, layers, updates, heads, handing_out, one_window);
criterion_main!(benches);
