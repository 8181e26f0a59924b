//! The optimiser's arithmetic, one pass over the parameters.

/// One step of Adam (Kingma & Ba 2015) or AdamW (Loshchilov & Hutter 2019), as `torch.optim.Adam` and `AdamW` do it.
#[derive(Debug, Clone, Copy)]
pub struct AdamStep {
    /// Learning rate over the first moment's bias correction.
    pub step_size: f32,
    /// Decay of the first and the second moment.
    pub betas: (f32, f32),
    /// Square root of the second moment's bias correction.
    pub correction2_sqrt: f32,
    /// Added to the denominator.
    pub epsilon: f32,
    /// Weight of the L2 penalty in the gradient (Adam), else 0.
    pub l2_penalty: f32,
    /// What the weights are multiplied by first (AdamW), else 1.
    pub shrink: f32,
    /// What the gradient is multiplied by: below 1 where it is clipped.
    pub grad_scale: f32,
    /// Greatest magnitude of an element of the gradient after that; infinite where there is no limit.
    pub grad_limit: f32,
}

impl AdamStep {
    /// Moves `parameters` and both moments; all slices are of one length.
    #[inline(always)]
    pub(super) fn run(self, parameters: &mut [f32], gradient: &[f32], first: &mut [f32], second: &mut [f32]) {
        let n = parameters.len();
        let (gradient, first, second) = (&gradient[..n], &mut first[..n], &mut second[..n]);
        let (beta1, beta2) = self.betas;
        for at in 0..n {
            let shrunk = parameters[at] * self.shrink;
            let clipped = (gradient[at] * self.grad_scale).clamp(-self.grad_limit, self.grad_limit);
            let grad = clipped + self.l2_penalty * parameters[at];
            first[at] += (grad - first[at]) * (1.0 - beta1);
            second[at] = second[at] * beta2 + grad * grad * (1.0 - beta2);
            let denominator = second[at].sqrt() / self.correction2_sqrt + self.epsilon;
            parameters[at] = shrunk - self.step_size * first[at] / denominator;
        }
    }
}

/// Adds `part` to `sum`, element by element.
#[inline(always)]
pub(super) fn add(sum: &mut [f32], part: &[f32]) {
    for (sum, part) in sum.iter_mut().zip(part) {
        *sum += part;
    }
}

/// The sum of squares, in pieces short enough for single precision to hold.
#[inline(always)]
pub(super) fn sum_of_squares(values: &[f32]) -> f64 {
    const LANES: usize = 16;
    let mut total = 0.0;
    for piece in values.chunks(64 * LANES) {
        let mut sums = [0f32; LANES];
        let groups = piece.chunks_exact(LANES);
        let rest: f32 = groups.remainder().iter().map(|value| value * value).sum();
        for group in groups {
            for lane in 0..LANES {
                sums[lane] += group[lane] * group[lane];
            }
        }
        total += f64::from(sums.iter().sum::<f32>() + rest);
    }
    total
}
