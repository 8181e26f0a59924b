//! Early stopping.

/// Counts epochs without improvement.
#[derive(Debug, Clone)]
pub struct EarlyStopping {
    patience: usize,
    min_delta: f64,
    best: f64,
    n_bad: usize,
}

impl EarlyStopping {
    /// Stops once `patience` epochs in a row have not lowered the best loss by more than `min_delta`.
    pub fn new(patience: usize, min_delta: f64) -> Self {
        Self { patience, min_delta, best: f64::INFINITY, n_bad: 0 }
    }

    /// Takes the epoch's loss; true is the signal to stop.
    pub fn step(&mut self, loss: f64) -> bool {
        if loss < self.best - self.min_delta {
            self.best = loss;
            self.n_bad = 0;
        } else {
            self.n_bad += 1;
        }
        self.is_over()
    }

    /// Whether it has signalled to stop.
    pub fn is_over(&self) -> bool {
        self.n_bad >= self.patience
    }

    /// The best loss, and how many epochs in a row were no better.
    pub(super) fn state(&self) -> [f64; 2] {
        [self.best, self.n_bad as f64]
    }

    pub(super) fn resume(&mut self, best: f64, n_bad: usize) {
        (self.best, self.n_bad) = (best, n_bad);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stops_after_patience_epochs_without_improvement() {
        let mut stop = EarlyStopping::new(2, 0.1);
        let stops: Vec<bool> = [1.0, 0.95, 0.8, 0.75, 0.75].iter().map(|&loss| stop.step(loss)).collect();
        assert_eq!(stops, [false, false, false, false, true]);
    }
}
