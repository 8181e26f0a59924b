//! The LSTM as its equations say, one number at a time in double precision: what the kernel is held against.

use crate::kernel::shape::LstmShape;

pub(super) type Series = Vec<Vec<f64>>;

/// A stack of LSTM layers. `tensors` are PyTorch's, in its order.
pub(super) struct Oracle<'a> {
    pub(super) shape: LstmShape,
    pub(super) tensors: &'a [Vec<f64>],
}

/// One window's way through the stack.
#[derive(Clone, Default)]
pub(super) struct Window {
    /// Input of each step.
    pub(super) x: Series,
    /// Initial output and cell state of each cell.
    pub(super) h0: Series,
    pub(super) c0: Series,
    /// Dropout masks of the outputs of each layer but the last: one row for each step.
    pub(super) masks: Vec<Series>,
}

/// What comes out: outputs of the last layer at each step (directions side by side) and the final states; or the gradients of
/// a sum with respect to them.
#[derive(Clone, Default)]
pub(super) struct Outputs {
    pub(super) y: Series,
    pub(super) h: Series,
    pub(super) c: Series,
}

/// Gradients of what went in.
pub(super) struct Gradients {
    pub(super) tensors: Vec<Vec<f64>>,
    pub(super) x: Series,
    pub(super) h0: Series,
    pub(super) c0: Series,
}

struct Step {
    input: Vec<f64>,
    h_before: Vec<f64>,
    c_before: Vec<f64>,
    gates: [Vec<f64>; 4],
    c: Vec<f64>,
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl Oracle<'_> {
    fn moments(direction: usize, steps: usize) -> Vec<usize> {
        if direction == 0 {
            (0..steps).collect()
        } else {
            (0..steps).rev().collect()
        }
    }

    pub(super) fn forward(&self, window: &Window) -> Outputs {
        self.run(window).0
    }

    fn run(&self, window: &Window) -> (Outputs, Vec<Vec<Step>>) {
        let (hidden, n_directions, steps) = (self.shape.hidden_size, self.shape.n_directions(), window.x.len());
        let mut out = Outputs { y: window.x.clone(), ..Outputs::default() };
        let mut trace = Vec::new();
        for layer in 0..self.shape.num_layers {
            if layer > 0 && !window.masks.is_empty() {
                for (y, mask) in out.y.iter_mut().zip(&window.masks[layer - 1]) {
                    y.iter_mut().zip(mask).for_each(|(y, mask)| *y *= mask);
                }
            }
            let inputs = std::mem::replace(&mut out.y, vec![vec![0.0; n_directions * hidden]; steps]);
            for direction in 0..n_directions {
                let cell = layer * n_directions + direction;
                let [w_ih, w_hh, b_ih, b_hh] = &self.tensors[4 * cell..4 * cell + 4] else { unreachable!() };
                let (mut h, mut c) = (window.h0[cell].clone(), window.c0[cell].clone());
                let mut cell_trace = Vec::new();
                for moment in Self::moments(direction, steps) {
                    let x = &inputs[moment];
                    let gates: [Vec<f64>; 4] = std::array::from_fn(|gate| {
                        (0..hidden)
                            .map(|unit| {
                                let row = gate * hidden + unit;
                                let z = dot(&w_ih[row * x.len()..(row + 1) * x.len()], x)
                                    + b_ih[row]
                                    + dot(&w_hh[row * hidden..(row + 1) * hidden], &h)
                                    + b_hh[row];
                                if gate == 2 {
                                    z.tanh()
                                } else {
                                    sigmoid(z)
                                }
                            })
                            .collect()
                    });
                    let [i, f, g, o] = &gates;
                    let c_new: Vec<f64> = (0..hidden).map(|u| f[u] * c[u] + i[u] * g[u]).collect();
                    let h_new: Vec<f64> = (0..hidden).map(|u| o[u] * c_new[u].tanh()).collect();
                    out.y[moment][direction * hidden..(direction + 1) * hidden].copy_from_slice(&h_new);
                    let (h_before, c_before) =
                        (std::mem::replace(&mut h, h_new), std::mem::replace(&mut c, c_new.clone()));
                    cell_trace.push(Step { input: x.clone(), h_before, c_before, gates, c: c_new });
                }
                out.h.push(h);
                out.c.push(c);
                trace.push(cell_trace);
            }
        }
        (out, trace)
    }

    /// Gradients of the sum of all outputs, each times its number in `seed`.
    pub(super) fn backward(&self, window: &Window, seed: &Outputs) -> Gradients {
        let (hidden, n_directions, steps) = (self.shape.hidden_size, self.shape.n_directions(), window.x.len());
        let (_, trace) = self.run(window);
        let mut gradients = Gradients {
            tensors: self.tensors.iter().map(|tensor| vec![0.0; tensor.len()]).collect(),
            x: Vec::new(),
            h0: window.h0.clone(),
            c0: window.c0.clone(),
        };
        let mut dy = seed.y.clone();
        for layer in (0..self.shape.num_layers).rev() {
            let n_inputs = trace[layer * n_directions][0].input.len();
            let mut dx = vec![vec![0.0; n_inputs]; steps];
            for direction in 0..n_directions {
                let cell = layer * n_directions + direction;
                let (w_ih, w_hh) = (&self.tensors[4 * cell], &self.tensors[4 * cell + 1]);
                let (mut dh, mut dc) = (seed.h[cell].clone(), seed.c[cell].clone());
                for (step, &moment) in trace[cell].iter().zip(&Self::moments(direction, steps)).rev() {
                    let [i, f, g, o] = &step.gates;
                    let mut dz = vec![0.0; 4 * hidden];
                    for u in 0..hidden {
                        let (dh, tanh_c) = (dh[u] + dy[moment][direction * hidden + u], step.c[u].tanh());
                        let dcu = dc[u] + dh * o[u] * (1.0 - tanh_c * tanh_c);
                        dz[u] = dcu * g[u] * i[u] * (1.0 - i[u]);
                        dz[hidden + u] = dcu * step.c_before[u] * f[u] * (1.0 - f[u]);
                        dz[2 * hidden + u] = dcu * i[u] * (1.0 - g[u] * g[u]);
                        dz[3 * hidden + u] = dh * tanh_c * o[u] * (1.0 - o[u]);
                        dc[u] = dcu * f[u];
                    }
                    dh = vec![0.0; hidden];
                    for (row, dz) in dz.iter().enumerate() {
                        for k in 0..n_inputs {
                            gradients.tensors[4 * cell][row * n_inputs + k] += dz * step.input[k];
                            dx[moment][k] += dz * w_ih[row * n_inputs + k];
                        }
                        for k in 0..hidden {
                            gradients.tensors[4 * cell + 1][row * hidden + k] += dz * step.h_before[k];
                            dh[k] += dz * w_hh[row * hidden + k];
                        }
                        gradients.tensors[4 * cell + 2][row] += dz;
                        gradients.tensors[4 * cell + 3][row] += dz;
                    }
                }
                gradients.h0[cell] = dh;
                gradients.c0[cell] = dc;
            }
            if layer > 0 && !window.masks.is_empty() {
                for (dx, mask) in dx.iter_mut().zip(&window.masks[layer - 1]) {
                    dx.iter_mut().zip(mask).for_each(|(dx, mask)| *dx *= mask);
                }
            }
            dy = dx;
        }
        gradients.x = dy;
        gradients
    }
}
