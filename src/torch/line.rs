//! The ridge regression of a linear skip connection by libtorch: the twin of our own.

use tch::{Device, Kind, Tensor};

use super::batch::Loader;
use super::tensor::{dimensions, numbers_of, of_array};
use crate::error::Result;
use crate::network::Parameters;
use crate::series::lens::WindowLayout;
use crate::series::Samples;

/// Windows that the regression is made of: neighbours are much alike.
const MOST_WINDOWS: usize = 1 << 14;
/// Windows in one product, and the numbers in them.
const BATCH: usize = 4096;
const BATCH_LEN: usize = 1 << 23;
/// Rows of a window that the regression looks at, the last: its time grows with their third power, its memory with the second.
const MOST_ROWS: usize = 1 << 11;
/// Ridges that are tried, as parts of the mean square of the inputs, on what is held out; the first where nothing is.
const RIDGES: [f64; 9] = [0.03, 0.0001, 0.001, 0.003, 0.01, 0.1, 0.3, 1.0, 3.0];
/// Times that missing targets are filled with what the line forecasts, and the line is solved anew, which comes to the
/// regression on the known ones (Dempster, Laird & Rubin 1977: EM).
const ROUNDS: usize = 4;
/// As many where the weights of rows differ within a horizon: each round counts a window by the greatest of them, and fills
/// what the others lack to it in the same way.
const ROUNDS_OF_WEIGHTS: usize = 16;

/// Sums over windows `x` and horizons `y`, from which every ridge's weights and errors follow.
struct RegressionSums {
    xx: Tensor,
    xy: Tensor,
    yy: f64,
    /// Rounds that it takes to fill what is missing.
    n_rounds: usize,
}

/// A regression of the horizon on the window.
struct Regression {
    layout: WindowLayout,
    known: Option<Tensor>,
}

/// Replaces the weight of the linear skip connection by the regression's.
///
/// # Errors
/// [`crate::error::Error::Torch`] when libtorch refuses an operation.
pub(crate) fn solve(
    layout: WindowLayout,
    parameters: &mut Parameters,
    (train, held_out): (&dyn Samples, Option<&dyn Samples>),
) -> Result<()> {
    let as_tensor = |name| parameters.get(name).map(of_array);
    let Some(weight) = as_tensor("skip.weight").transpose()? else { return Ok(()) };
    let regression = Regression { layout, known: as_tensor("known.weight").transpose()? };
    let n_rows = weight.size()[1].min(dimensions(&[MOST_ROWS])[0]);
    let of_rows = weight.f_narrow(1, weight.size()[1] - n_rows, n_rows)?;
    let prior = of_rows.f_transpose(0, 1)?.f_to_kind(Kind::Double)?;
    let (mut solution, n_rounds) = regression.solution(train, held_out, &prior, None)?;
    for _ in 0..n_rounds {
        solution = regression.solution(train, held_out, &prior, Some(&solution))?.0;
    }
    of_rows.shallow_clone().f_copy_(&solution.f_transpose(0, 1)?)?;
    if let Some(array) = parameters.get_mut("skip.weight") {
        array.values_mut().copy_from_slice(&numbers_of(&weight)?);
    }
    Ok(())
}

impl Regression {
    /// The best ridge's weights `(rows, horizon)` for the last rows of a window, at most [`MOST_ROWS`], shrunk towards `prior`,
    /// and the number of rounds after the first: where targets are missing or count less, the weights `guess` stand in.
    fn solution(
        &self,
        train: &dyn Samples,
        held_out: Option<&dyn Samples>,
        prior: &Tensor,
        guess: Option<&Tensor>,
    ) -> Result<(Tensor, usize)> {
        let has_prior = prior.f_any()?.f_int64_value(&[])? != 0;
        let sums = self.sums(train, prior, guess)?;
        let held_out = held_out.map(|samples| self.sums(samples, prior, guess)).transpose()?;
        let (values, vectors) = sums.xx.f_linalg_eigh("L")?;
        let left = sums.xy.f_sub(&sums.xx.f_matmul(prior)?)?;
        let rotated = vectors.f_transpose(0, 1)?.f_matmul(&left)?;
        let mean_square = values.f_mean(Kind::Double)?.f_double_value(&[])?.max(f64::MIN_POSITIVE);
        let mut best = (f64::INFINITY, prior.shallow_clone());
        if let Some(held_out) = held_out.as_ref().filter(|_| has_prior) {
            best.0 = held_out.error(prior)?;
        }
        for ridge in RIDGES.iter().take(if held_out.is_some() { RIDGES.len() } else { 1 }) {
            let damped = values.f_clamp_min(0.0)?.f_add_scalar(ridge * mean_square)?.f_unsqueeze(1)?;
            let solution = vectors.f_matmul(&rotated.f_div(&damped)?)?.f_add(prior)?;
            let error = held_out.as_ref().map_or(Ok(0.0), |sums| sums.error(&solution))?;
            if error < best.0 {
                best = (error, solution);
            }
        }
        Ok((best.1, sums.n_rounds))
    }

    fn sums(&self, samples: &dyn Samples, prior: &Tensor, guess: Option<&Tensor>) -> Result<RegressionSums> {
        let zeros = |shape: &[usize]| Tensor::f_zeros(dimensions(shape), (Kind::Double, Device::Cpu));
        let (n_rows, horizon) = (self.layout.window_size.min(MOST_ROWS), self.layout.horizon);
        let (xx, xy) = (zeros(&[n_rows, n_rows])?, zeros(&[n_rows, horizon])?);
        let mut sums = RegressionSums { xx, xy, yy: 0.0, n_rounds: 0 };
        let loader = Loader::new(samples, self.layout.width(), Device::Cpu);
        let stride = samples.len().div_ceil(MOST_WINDOWS);
        let indices: Vec<usize> = (0..samples.len()).step_by(stride).collect();
        for indices in indices.chunks((BATCH_LEN / samples.input_len()).clamp(1, BATCH)) {
            let batch = loader.batch(indices)?;
            let (mut x, mut y) = self.pairs(&batch.inputs, &batch.targets)?;
            let missing = y.f_isnan()?;
            if missing.f_any()?.f_int64_value(&[])? != 0 {
                sums.n_rounds = sums.n_rounds.max(ROUNDS);
                let guessed = x.f_matmul(&guess.unwrap_or(prior).f_to_kind(Kind::Float)?)?;
                y = guessed.f_where_self(&missing, &y)?;
            }
            if let Some(row_weights) = &batch.row_weights {
                let known = self.horizons(row_weights)?.f_masked_fill(&missing, 0.0)?;
                let greatest = known.f_amax(&[1i64][..], true)?;
                let greatest = greatest.f_where_self(&greatest.f_gt(0.0)?, &greatest.f_ones_like()?)?;
                let part = known.f_div(&greatest)?.f_masked_fill(&missing, 1.0)?;
                if part.f_lt(1.0)?.f_any()?.f_int64_value(&[])? != 0 {
                    sums.n_rounds = ROUNDS_OF_WEIGHTS;
                    let guessed = guess.map(|guess| x.f_matmul(&guess.f_to_kind(Kind::Float)?)).transpose()?;
                    y = guessed.map_or(Ok(y.shallow_clone()), |guessed| guessed.f_lerp_tensor(&y, &part))?;
                }
                (x, y) = (x.f_mul(&greatest.f_sqrt()?)?, y.f_mul(&greatest.f_sqrt()?)?);
            }
            let transposed = x.f_transpose(0, 1)?;
            sums.xx = sums.xx.f_add(&transposed.f_matmul(&x)?)?;
            sums.xy = sums.xy.f_add(&transposed.f_matmul(&y)?)?;
            sums.yy += y.f_square()?.f_sum(Kind::Double)?.f_double_value(&[])?;
        }
        Ok(sums)
    }

    /// What the line maps, one row for each window and target: the last rows of windows `(n, rows)` to horizons `(n, horizon)`,
    /// both less what is known in advance explains; NaN where a target is missing.
    fn pairs(&self, inputs: &Tensor, targets: &Tensor) -> Result<(Tensor, Tensor)> {
        let layout = self.layout;
        let sizes =
            [layout.window_size, layout.horizon, layout.n_targets_at_once(), layout.n_values() - layout.n_known];
        let &[window_size, horizon, n_targets, known_at] = &dimensions(&sizes)[..] else { unreachable!("four sizes") };
        let n_rows = window_size.min(dimensions(&[MOST_ROWS])[0]);
        let first = window_size - n_rows;
        let mut x = inputs.f_narrow(1, first, n_rows)?.f_narrow(2, 0, n_targets)?;
        let mut y = targets.f_reshape([-1, horizon, n_targets])?;
        if let Some(weight) = &self.known {
            let known = inputs.f_narrow(2, known_at, weight.size()[1])?;
            let relative = known.f_sub(&known.f_narrow(1, window_size - 1, 1)?)?;
            let effect = relative.f_matmul(&weight.f_transpose(0, 1)?)?;
            x = x.f_sub(&effect.f_narrow(1, first, n_rows)?)?;
            y = y.f_sub(&effect.f_narrow(1, window_size, horizon)?)?;
        }
        let rows = |tensor: &Tensor, len: i64| tensor.f_transpose(1, 2)?.f_reshape([-1, len]);
        Ok((rows(&x, n_rows)?, rows(&y, horizon)?))
    }

    /// What targets `(n, target_len)` have, one row `(horizon,)` for each window and target.
    fn horizons(&self, of_targets: &Tensor) -> Result<Tensor> {
        let sizes = dimensions(&[self.layout.horizon, self.layout.n_targets_at_once()]);
        let apart = of_targets.f_reshape([-1, sizes[0], sizes[1]])?;
        Ok(apart.f_transpose(1, 2)?.f_reshape([-1, sizes[0]])?)
    }
}

impl RegressionSums {
    /// The sum of squared errors of weights `(window_size, horizon)`.
    fn error(&self, weights: &Tensor) -> Result<f64> {
        let sum = |tensor: Tensor| -> Result<f64> { Ok(tensor.f_sum(Kind::Double)?.f_double_value(&[])?) };
        let square = sum(self.xx.f_matmul(weights)?.f_mul(weights)?)?;
        Ok(square - 2.0 * sum(self.xy.f_mul(weights)?)? + self.yy)
    }
}
