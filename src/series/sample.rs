//! What the training loop learns from, whatever its origin.

/// Numbered pairs of an input window and a target, copied one batch at a time.
pub trait Samples: Sync {
    /// Number of samples.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Numbers in one input: `window_size * n_features`.
    fn input_len(&self) -> usize;

    /// Numbers in one target: `horizon * n_targets`, or 1 for a class index.
    fn target_len(&self) -> usize;

    /// Appends the samples `indices`: inputs of shape `(batch, window_size, n_features)`, targets of shape
    /// `(batch, target_len)`, one weight each.
    fn gather(&self, indices: &[usize], inputs: &mut Vec<f32>, targets: &mut Vec<f32>, weights: &mut Vec<f32>);
}
