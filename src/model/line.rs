//! The linear skip connection past the LSTM, solved and not trained: ridge regression of the horizon on the window.

use super::Model;
use crate::error::Result;
use crate::kernel::pool;
use crate::series::Samples;
use crate::torch::line;
use crate::torch::threads::ThreadsGuard;
use crate::train::TrainConfig;

/// Windows that the regression is made of.
const MOST_WINDOWS: usize = 1 << 14;
/// Rows of a window that the regression looks at.
const MOST_ROWS: usize = 1 << 11;
/// Multiplications that libtorch's threads are worth waking for, some tenths of a second on one: they come and go at each
/// operation and wait for each other in loops, for so long as another process has one of their cores.
const WORTH_THREADS: usize = 1 << 33;

impl Model {
    /// Lets the linear skip connection forecast what a ridge regression of the training samples forecasts
    /// (`skip.weight`), with the ridge that errs least on those held out; what the LSTM learns is added to it. The
    /// closed form of `NLinear` (Toner & Darlow 2024, "An Analysis of Linear Time Series Forecasting Models") needs no
    /// training, and no learning rate.
    ///
    /// A weight that isn't zero, as after a fit before, stays. If it is to be adapted, the regression is of what it leaves, and
    /// the ridge shrinks towards it and not towards zero: with little data, the line hardly moves.
    pub(super) fn solve_line(
        &mut self,
        train: &dyn Samples,
        held_out: Option<&dyn Samples>,
        training: &TrainConfig,
    ) -> Result<()> {
        let Some(weight) = self.parameters.get("skip.weight") else { return Ok(()) };
        if weight.values().iter().any(|&number| number != 0.0) && !training.transfer.adapt_line {
            return Ok(());
        }
        let n_windows = train.len().min(MOST_WINDOWS) * self.config.layout().n_targets_at_once();
        let n_multiplied = self.config.window_size.min(MOST_ROWS).pow(2).saturating_mul(n_windows);
        let n_threads = if n_multiplied < WORTH_THREADS { 1 } else { pool::n_threads(training.n_threads) };
        let _threads = ThreadsGuard::new(Some(n_threads));
        line::solve(self.config.layout(), &mut self.parameters, (train, held_out))
    }
}
