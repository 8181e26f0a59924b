//! The kernel against the equations: every instruction set, any shape, any split of a batch.
//!
//! Compiled twice: with the core, where every index is checked, and as a test of its own, on the code that users run.

// numbers that were single precision go back to it
#![allow(clippy::cast_possible_truncation)]

#[path = "oracle.rs"]
#[allow(clippy::many_single_char_names, clippy::similar_names)] // the equations'
mod oracle;

use proptest::prelude::*;

use crate::kernel::isa::InstructionSet;
use crate::kernel::lstm::Lstm;
use crate::kernel::shape::LstmShape;
use crate::kernel::workspace::Needs;
use crate::rng::{DropoutMasks, Purpose, Rng};
use oracle::{Gradients, Oracle, Outputs, Series, Window};

/// A batch of random windows, states and output gradients, and random weights.
struct Case {
    shape: LstmShape,
    steps: usize,
    tensors: Vec<Vec<f32>>,
    windows: Vec<Window>,
    seeds: Vec<Outputs>,
    masks: DropoutMasks,
}

fn draw(rng: &mut Rng, n_rows: usize, n_columns: usize) -> Series {
    // through f32, so that both sides see the same numbers
    (0..n_rows).map(|_| rng.uniform(n_columns, 1.0).into_iter().map(f64::from).collect()).collect()
}

impl Case {
    fn new(shape: LstmShape, steps: usize, batch: usize, dropout: f64, seed: u64) -> Self {
        let mut rng = Rng::new(seed, Purpose::Weights);
        let bound = 1.5 / (shape.hidden_size as f64).sqrt();
        let tensors = shape.tensor_lengths().iter().map(|&n| rng.uniform(n, bound)).collect();
        let width = shape.n_directions() * shape.hidden_size;
        let masks = DropoutMasks::new(seed, dropout);
        let mut windows = Vec::new();
        let mut seeds = Vec::new();
        for row in 0..batch {
            let mask = |layer: usize| -> Series {
                let mut values = vec![0.0; steps * width];
                masks.at(3, layer).fill((row * steps * width) as u64, &mut values);
                values.chunks(width).map(|step| step.iter().map(|&mask| f64::from(mask)).collect()).collect()
            };
            windows.push(Window {
                x: draw(&mut rng, steps, shape.input_size),
                h0: draw(&mut rng, shape.n_cells(), shape.hidden_size),
                c0: draw(&mut rng, shape.n_cells(), shape.hidden_size),
                masks: (1..shape.num_layers).filter(|_| dropout > 0.0).map(|layer| mask(layer - 1)).collect(),
            });
            seeds.push(Outputs {
                y: draw(&mut rng, steps, width),
                h: draw(&mut rng, shape.n_cells(), shape.hidden_size),
                c: draw(&mut rng, shape.n_cells(), shape.hidden_size),
            });
        }
        Self { shape, steps, tensors, windows, seeds, masks }
    }

    fn expected(&self) -> (Vec<Outputs>, Vec<Gradients>) {
        let tensors: Vec<Vec<f64>> =
            self.tensors.iter().map(|tensor| tensor.iter().map(|&value| f64::from(value)).collect()).collect();
        let oracle = Oracle { shape: self.shape, tensors: &tensors };
        let each = self.windows.iter().zip(&self.seeds);
        each.map(|(window, seed)| (oracle.forward(window), oracle.backward(window, seed))).unzip()
    }

    /// The last layer's final state from zero states, without dropout: on the way that training takes, and forwards only.
    fn last_states(&self, set: InstructionSet, n_threads: usize) -> (Vec<f32>, Vec<f32>) {
        let lstm = Lstm::new(self.shape, set);
        let mut parameters = vec![0.0; lstm.n_parameters()];
        lstm.pack(&self.tensors, &mut parameters);
        let n = self.windows.len();
        let (mut ws, mut memory) =
            (lstm.workspace(n, self.steps, Needs::default()), lstm.forward_memory(n, self.steps));
        ws.start(n);
        memory.start(n, n_threads);
        for (row, window) in self.windows.iter().enumerate() {
            let x: Vec<f32> = window.x.iter().flatten().map(|&value| value as f32).collect();
            ws.set_window(row, &x);
            memory.set_window(row, &x);
        }
        lstm.forward(&parameters, &mut ws, None);
        let mut state = vec![0.0; n * lstm.output_width()];
        ws.copy_last_state(&mut state);
        (state, lstm.last_state(&parameters, None, &mut memory).to_vec())
    }

    /// The kernel's answer, the batch cut into parts of `part` rows as threads would; gradients of the tensors are summed.
    fn computed(&self, set: InstructionSet, part: usize) -> (Vec<Outputs>, Vec<Gradients>) {
        let lstm = Lstm::new(self.shape, set);
        let needs =
            Needs { dropout: self.masks.p() > 0.0, output_gradient: true, input_gradient: true, ..Needs::default() };
        let mut parameters = vec![0.0; lstm.n_parameters()];
        lstm.pack(&self.tensors, &mut parameters);
        assert_eq!(lstm.unpack(&parameters), self.tensors);
        let mut transposed = lstm.transposed(needs);
        transposed.update(&parameters, 1);
        let mut gradient = vec![0.0; lstm.n_parameters()];
        let mut ws = lstm.workspace(part, self.steps, needs);
        let (mut outputs, mut gradients) = (Vec::new(), Vec::new());
        for first in (0..self.windows.len()).step_by(part) {
            let rows = part.min(self.windows.len() - first);
            ws.start(rows);
            for (row, window) in self.windows[first..first + rows].iter().enumerate() {
                let x: Vec<f32> = window.x.iter().flatten().map(|&value| value as f32).collect();
                ws.set_window(row, &x);
                for cell in 0..self.shape.n_cells() {
                    let (h, c) = ws.initial_state_mut(cell, row);
                    assign(h, &window.h0[cell]);
                    assign(c, &window.c0[cell]);
                }
            }
            let masks = |layer| self.masks.at(3, layer);
            lstm.forward(&parameters, &mut ws, needs.dropout.then_some((&masks, first)));
            for (row, seed) in self.seeds[first..first + rows].iter().enumerate() {
                let states = || (0..self.shape.n_cells()).map(|cell| ws.final_state(cell, row));
                let hidden = self.shape.hidden_size;
                let y = |moment| -> Vec<f64> {
                    (0..self.shape.n_directions()).flat_map(|d| double(ws.output(d, moment, row))).collect()
                };
                outputs.push(Outputs {
                    y: (0..self.steps).map(y).collect(),
                    h: states().map(|state| double(state.0)).collect(),
                    c: states().map(|state| double(state.1)).collect(),
                });
                for moment in 0..self.steps {
                    for d in 0..self.shape.n_directions() {
                        assign(ws.output_gradient_mut(d, moment, row), &seed.y[moment][d * hidden..(d + 1) * hidden]);
                    }
                }
                for cell in 0..self.shape.n_cells() {
                    let (h, c) = ws.final_gradient_mut(cell, row);
                    assign(h, &seed.h[cell]);
                    assign(c, &seed.c[cell]);
                }
            }
            lstm.backward(&transposed, &mut ws, &mut gradient);
            for row in 0..rows {
                let states = || (0..self.shape.n_cells()).map(|cell| ws.initial_gradient(cell, row));
                gradients.push(Gradients {
                    tensors: Vec::new(),
                    x: (0..self.steps).map(|moment| double(ws.input_gradient(moment, row))).collect(),
                    h0: states().map(|state| double(state.0)).collect(),
                    c0: states().map(|state| double(state.1)).collect(),
                });
            }
        }
        gradients[0].tensors = lstm.unpack(&gradient).iter().map(|tensor| double(tensor)).collect();
        (outputs, gradients)
    }
}

fn assign(out: &mut [f32], values: &[f64]) {
    out.iter_mut().zip(values).for_each(|(out, &value)| *out = value as f32);
}

fn double(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

/// The greatest difference, relative to the greatest number expected.
fn difference(expected: &[Vec<f64>], got: &[Vec<f64>]) -> f64 {
    assert_eq!(expected.len(), got.len());
    let greatest = expected.iter().flatten().fold(0.1f64, |greatest, value| greatest.max(value.abs()));
    let each = expected.iter().zip(got).flat_map(|(expected, got)| {
        assert_eq!(expected.len(), got.len());
        expected
            .iter()
            .zip(got)
            .map(|(expected, got)| if got.is_nan() { f64::INFINITY } else { (expected - got).abs() })
    });
    each.fold(0.0, f64::max) / greatest
}

/// Sums of up to some hundred rounded products, over up to a dozen steps: a few units of 6e-8 each; ten of the worst seen.
const TOLERANCE: f64 = 2e-5;

fn compare(case: &Case, set: InstructionSet, part: usize) {
    let ((outputs, gradients), (y, dx)) = (case.expected(), case.computed(set, part));
    for row in 0..case.windows.len() {
        for (name, expected, got) in [
            ("output", &outputs[row].y, &y[row].y),
            ("final h", &outputs[row].h, &y[row].h),
            ("final c", &outputs[row].c, &y[row].c),
            ("gradient of x", &gradients[row].x, &dx[row].x),
            ("gradient of h0", &gradients[row].h0, &dx[row].h0),
            ("gradient of c0", &gradients[row].c0, &dx[row].c0),
        ] {
            let difference = difference(expected, got);
            assert!(difference < TOLERANCE, "{set:?}, parts of {part}, row {row}, {name}: {difference:e}");
        }
    }
    for (at, got) in dx[0].tensors.iter().enumerate() {
        let mut sum = vec![0.0; got.len()];
        for gradients in &gradients {
            sum.iter_mut().zip(&gradients.tensors[at]).for_each(|(sum, value)| *sum += value);
        }
        let difference = difference(&[sum], std::slice::from_ref(got));
        assert!(difference < TOLERANCE, "{set:?}, parts of {part}, tensor {at}: {difference:e}");
    }
}

/// Adds to one number of the weights or of the window.
type Change<'a> = &'a mut dyn FnMut(f64, &mut Vec<Vec<f64>>, &mut Window);

#[test]
fn the_oracles_gradients_are_differences() {
    let shape = LstmShape { input_size: 2, hidden_size: 3, num_layers: 2, bidirectional: true };
    let case = Case::new(shape, 4, 1, 0.4, 5);
    let mut tensors: Vec<Vec<f64>> = case.tensors.iter().map(|tensor| double(tensor)).collect();
    let (mut window, seed) = (case.windows[0].clone(), &case.seeds[0]);
    let gradients = Oracle { shape, tensors: &tensors }.backward(&window, seed);
    let value = |tensors: &[Vec<f64>], window: &Window| -> f64 {
        let out = Oracle { shape, tensors }.forward(window);
        let pairs = [(&out.y, &seed.y), (&out.h, &seed.h), (&out.c, &seed.c)];
        pairs.iter().flat_map(|(a, b)| a.iter().flatten().zip(b.iter().flatten())).map(|(a, b)| a * b).sum()
    };
    // central differences in double precision: truncation of step^2 = 1e-10 and rounding of 1e-16 / step = 1e-11
    let (step, tolerance) = (1e-5, 1e-8);
    let mut check = |expected: f64, change: Change| {
        change(step, &mut tensors, &mut window);
        let above = value(&tensors, &window);
        change(-2.0 * step, &mut tensors, &mut window);
        let below = value(&tensors, &window);
        change(step, &mut tensors, &mut window);
        let got = (above - below) / (2.0 * step);
        assert!((expected - got).abs() < tolerance, "{expected} {got}");
    };
    for (at, gradient) in gradients.tensors.iter().enumerate() {
        for (k, &expected) in gradient.iter().enumerate() {
            check(expected, &mut |step, tensors, _| tensors[at][k] += step);
        }
    }
    for (at, k) in (0..4).flat_map(|at| (0..3).map(move |k| (at, k))) {
        check(gradients.h0[at][k], &mut |step, _, window| window.h0[at][k] += step);
        check(gradients.c0[at][k], &mut |step, _, window| window.c0[at][k] += step);
        if k < 2 {
            check(gradients.x[at][k], &mut |step, _, window| window.x[at][k] += step);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn any_shape_agrees_with_the_equations(
        input_size in 1usize..20, hidden_size in 1usize..40, num_layers in 1usize..4, bidirectional: bool,
        steps in 1usize..8, batch in 1usize..14, part in 1usize..14, dropout: bool, seed: u64,
    ) {
        let shape = LstmShape { input_size, hidden_size, num_layers, bidirectional };
        let case = Case::new(shape, steps, batch, if dropout { 0.3 } else { 0.0 }, seed);
        for set in InstructionSet::available() {
            compare(&case, set, part);
        }
    }
}

proptest! {
    #[test]
    fn forwards_only_gives_the_same_bits(
        input_size in 1usize..20, hidden_size in 1usize..40, num_layers in 1usize..4, bidirectional: bool,
        steps in 1usize..8, batch in 1usize..14, seed: u64,
    ) {
        let shape = LstmShape { input_size, hidden_size, num_layers, bidirectional };
        let case = Case::new(shape, steps, batch, 0.0, seed);
        for set in InstructionSet::available() {
            let (expected, got) = case.last_states(set, 3);
            assert_eq!(expected, got, "{set:?}");
        }
    }
}

#[test]
fn threads_that_share_a_window_change_no_bit() {
    for (hidden_size, bidirectional) in [(128, false), (150, true), (260, false)] {
        let shape = LstmShape { input_size: 5, hidden_size, num_layers: 2, bidirectional };
        let case = Case::new(shape, 7, 1, 0.0, 13);
        for (set, n_threads) in InstructionSet::available().flat_map(|set| [1, 2, 3, 20].map(|n| (set, n))) {
            let (expected, got) = case.last_states(set, n_threads);
            assert_eq!(expected, got, "{set:?}, {n_threads} threads");
        }
    }
}

#[test]
fn sizes_that_pass_through_memory_in_pieces_agree() {
    for (input_size, hidden_size, num_layers, bidirectional, steps, batch) in
        [(7, 64, 2, false, 12, 33), (150, 100, 2, true, 5, 20), (3, 260, 1, false, 3, 70), (1, 48, 1, true, 150, 9)]
    {
        let shape = LstmShape { input_size, hidden_size, num_layers, bidirectional };
        let case = Case::new(shape, steps, batch, 0.0, 11);
        for set in InstructionSet::available() {
            compare(&case, set, batch);
        }
    }
}

#[test]
fn gates_saturate_without_overflow_and_nan_stays() {
    let shape = LstmShape { input_size: 1, hidden_size: 3, num_layers: 1, bidirectional: false };
    for set in InstructionSet::available() {
        let mut case = Case::new(shape, 2, 1, 0.0, 1);
        case.windows[0].x = vec![vec![3e4], vec![-3e4]];
        let difference = difference(&case.expected().0[0].y, &case.computed(set, 1).0[0].y);
        assert!(difference < TOLERANCE, "{set:?}: {difference:e}");
        case.windows[0].x[0][0] = f64::NAN;
        assert!(case.computed(set, 1).0[0].y[1].iter().all(|y| y.is_nan()), "{set:?}");
    }
}

#[test]
fn gradients_that_vanish_become_zero_before_they_are_subnormal() {
    let shape = LstmShape { input_size: 2, hidden_size: 20, num_layers: 1, bidirectional: false };
    let mut case = Case::new(shape, 300, 3, 0.0, 4);
    case.seeds.iter_mut().for_each(|seed| {
        seed.y.iter_mut().for_each(|y| y.fill(0.0));
        seed.c[0].fill(0.0);
    });
    let (_, expected) = case.expected();
    let would_be = expected.iter().flat_map(|row| row.x.iter().flatten()).filter(|x| (x.abs() as f32).is_subnormal());
    assert!(would_be.count() > 20, "the gradient doesn't vanish");
    for set in InstructionSet::available() {
        compare(&case, set, 2);
        let (_, got) = case.computed(set, 2);
        let all = || got.iter().flat_map(|row| row.x.iter().flatten()).map(|&x| x as f32);
        assert!(all().all(|x| !x.is_subnormal()), "{set:?}");
        assert!(got.iter().all(|row| row.x[0] == [0.0, 0.0] && row.x[299].iter().all(|&x| x != 0.0)), "{set:?}");
    }
}
