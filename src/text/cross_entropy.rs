//! The loss of a guess at the next symbol (`torch.nn.CrossEntropyLoss`).

/// Nats of `target` under the probabilities that logits stand for.
pub fn nats(logits: &[f32], target: u32) -> f64 {
    let greatest = greatest(logits);
    let sum: f64 = logits.iter().map(|&logit| f64::from((logit - greatest).exp())).sum();
    f64::from(greatest - logits[target as usize]) + sum.ln()
}

/// [`nats`], after which `logits` holds its gradient times `scale`.
#[allow(clippy::cast_possible_truncation)] // gradients are single precision
pub fn differentiate(logits: &mut [f32], target: u32, scale: f64) -> f64 {
    let (greatest, at_target) = (greatest(logits), logits[target as usize]);
    let mut sum = 0.0;
    for logit in logits.iter_mut() {
        *logit = (*logit - greatest).exp();
        sum += f64::from(*logit);
    }
    let factor = (scale / sum) as f32;
    for each in logits.iter_mut() {
        *each *= factor;
    }
    logits[target as usize] -= scale as f32;
    f64::from(greatest - at_target) + sum.ln()
}

fn greatest(logits: &[f32]) -> f32 {
    // NaN is no number to compare with, and would be passed over
    logits.iter().copied().fold(f32::NEG_INFINITY, |a, b| if b > a || b.is_nan() { b } else { a })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        // probabilities 1/8, 5/8 and 2/8
        let logits = [1f32, 5.0, 2.0].map(|x| x.ln() + 90.0);
        let mut gradient = logits;
        assert!((nats(&logits, 2) - 4f64.ln()).abs() < 1e-5);
        assert_eq!(differentiate(&mut gradient, 2, 8.0), nats(&logits, 2));
        // near 90, singles are 8e-6 apart
        assert!(gradient.iter().zip([1.0, 5.0, -6.0]).all(|(a, b)| (a - b).abs() < 1e-4), "{gradient:?}");
    }

    #[test]
    fn what_is_no_number_is_told() {
        assert!(nats(&[0.0, f32::NAN, 1.0], 0).is_nan() && nats(&[0.0, 1.0, f32::NAN], 0).is_nan());
        assert!(nats(&[0.0, f32::INFINITY], 0).is_nan());
    }
}
