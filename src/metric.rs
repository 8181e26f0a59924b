//! Point-forecast errors over slices of equal length.

/// Mean absolute error, in the data's units.
pub fn mae(truth: &[f64], forecast: &[f64]) -> f64 {
    mean(truth, forecast, |y, f| (y - f).abs())
}

/// Mean squared error, in squared units.
pub fn mse(truth: &[f64], forecast: &[f64]) -> f64 {
    mean(truth, forecast, |y, f| (y - f).powi(2))
}

/// Symmetric mean absolute percentage error in percent (0 to 200), as in the M4 competition: the mean of
/// `200 |y - f| / (|y| + |f|)`, where two zeros count as no error.
pub fn smape(truth: &[f64], forecast: &[f64]) -> f64 {
    mean(truth, forecast, |y, f| {
        let size = y.abs() + f.abs();
        if size == 0.0 {
            0.0
        } else {
            200.0 * (y - f).abs() / size
        }
    })
}

fn mean(truth: &[f64], forecast: &[f64], error: impl Fn(f64, f64) -> f64) -> f64 {
    let sum: f64 = truth.iter().zip(forecast).map(|(&y, &f)| error(y, f)).sum();
    sum / truth.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_a_case_worked_by_hand() {
        let (truth, forecast) = ([1.0, 2.0, 4.0], [2.0, 2.0, 2.0]);
        assert_eq!(mae(&truth, &forecast), 1.0);
        assert_eq!(mse(&truth, &forecast), 5.0 / 3.0);
        // 200 * (1/3 + 0 + 2/6) / 3
        assert!((smape(&truth, &forecast) - 400.0 / 9.0).abs() < 1e-12);
    }

    #[test]
    fn two_zeros_are_no_error() {
        assert_eq!(smape(&[0.0, 0.0], &[0.0, 1.0]), 100.0);
    }
}
