//! Learning-rate schedules.

/// Cuts the rate when the loss stops falling: `torch.optim.lr_scheduler.ReduceLROnPlateau` with its defaults
/// (`mode="min"`, relative threshold 1e-4, no cooldown, changes below 1e-8 left out).
#[derive(Debug, Clone)]
pub struct ReduceLrOnPlateau {
    patience: usize,
    factor: f64,
    best: f64,
    n_bad: usize,
}

const THRESHOLD: f64 = 1e-4;
const LEAST_CHANGE: f64 = 1e-8;

impl ReduceLrOnPlateau {
    /// After more than `patience` epochs without improvement the rate is multiplied by `factor`.
    pub fn new(patience: usize, factor: f64) -> Self {
        Self { patience, factor, best: f64::INFINITY, n_bad: 0 }
    }

    /// Takes the epoch's loss and the rate, gives the next rate.
    pub fn step(&mut self, loss: f64, learning_rate: f64) -> f64 {
        if loss < self.best * (1.0 - THRESHOLD) {
            self.best = loss;
            self.n_bad = 0;
        } else {
            self.n_bad += 1;
        }
        if self.n_bad <= self.patience {
            return learning_rate;
        }
        self.n_bad = 0;
        let reduced = learning_rate * self.factor;
        if learning_rate - reduced > LEAST_CHANGE {
            reduced
        } else {
            learning_rate
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_falls_after_patience_bad_epochs() {
        let mut schedule = ReduceLrOnPlateau::new(1, 0.5);
        let mut rate = 1.0;
        let rates: Vec<f64> = [3.0, 2.0, 2.0, 2.0, 1.0, 1.5, 1.5]
            .iter()
            .map(|&loss| {
                rate = schedule.step(loss, rate);
                rate
            })
            .collect();
        assert_eq!(rates, [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25]);
    }
}
