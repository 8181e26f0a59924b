//! What the training loop learns from, whatever its origin.

use std::ops::Range;

use super::augment::Scratch;
use crate::level::Level;

/// Numbered pairs of an input window and its target, or a target for each of its steps, copied one at a time.
pub trait Samples: Sync {
    /// Number of samples.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Samples of different times: those of each channel, one channel after the other.
    fn n_times(&self) -> usize {
        self.len()
    }

    /// Numbers in one input: `rows * features`.
    fn input_len(&self) -> usize;

    /// Numbers in one target: `horizon * n_targets`, or 1 for a class index.
    fn target_len(&self) -> usize;

    /// Targets of one input: one after each of so many steps of equal length, the last after the whole window.
    fn supervised_steps(&self) -> usize {
        1
    }

    /// Appends a sample.
    fn gather(&self, index: usize, batch: &mut Gathered);
}

/// Samples one after the other.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gathered {
    /// Inputs `(n, input_len)`.
    pub inputs: Vec<f32>,
    /// Targets `(n * supervised_steps, target_len)`; NaN where they are missing.
    pub targets: Vec<f32>,
    /// Weights `(n * supervised_steps,)`.
    pub weights: Vec<f32>,
    /// Weights of the rows of the targets, `(n * supervised_steps, horizon)`; none where all are 1.
    pub row_weights: Vec<f32>,
    /// How the units of targets are those of the user: one for each target at once, `(n * supervised_steps, n_targets)`.
    pub levels: Vec<Level>,
    /// Room for what changes samples on the way.
    pub scratch: Scratch,
}

impl Gathered {
    /// Forgets all samples.
    pub fn clear(&mut self) {
        self.inputs.clear();
        self.targets.clear();
        self.weights.clear();
        self.row_weights.clear();
        self.levels.clear();
    }

    /// Appends the targets of some of the `supervised_steps` steps of each input, and what belongs to them.
    pub fn append_steps(&self, supervised_steps: usize, steps: &Range<usize>, part: &mut Self) {
        let n = self.weights.len().max(1);
        let (target_len, n_levels) = (self.targets.len() / n, self.levels.len() / n);
        let horizon = self.row_weights.len() / n;
        for row in (0..self.weights.len()).step_by(supervised_steps) {
            let (from, to) = (row + steps.start, row + steps.end);
            part.targets.extend_from_slice(&self.targets[from * target_len..to * target_len]);
            part.weights.extend_from_slice(&self.weights[from..to]);
            part.row_weights.extend_from_slice(&self.row_weights[from * horizon..to * horizon]);
            part.levels.extend_from_slice(&self.levels[from * n_levels..to * n_levels]);
        }
    }
}
