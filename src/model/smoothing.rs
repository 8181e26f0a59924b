//! Simple exponential smoothing, with and without the indices of a season, as weights of a window: what the line is shrunk to.

use crate::kernel::ridge::Panels;

/// Parts of the newest value in the level (alpha of Hyndman et al. 2008, "Forecasting with Exponential Smoothing"); with 1
/// the level is the last value.
const ALPHAS: [f64; 3] = [0.1, 0.4, 1.0];

/// The weights `(n_rows, horizon)` of smoothed levels, and where a window has two seasons or more, those of smoothed levels
/// of what was seasonally adjusted, plus the index of the season: the mean of its rows over the whole seasons of the window,
/// less the mean of all. The weights of a step sum to 1.
pub(super) fn smoothed(n_rows: usize, horizon: usize, season: usize) -> Vec<Panels> {
    let indices = if season > 1 && n_rows >= 2 * season { indices(n_rows, season) } else { vec![] };
    let weights = |weight: &dyn Fn(usize, usize) -> f64| {
        let mut weights = Panels::zeros(n_rows, horizon);
        (0..n_rows).for_each(|row| (0..horizon).for_each(|step| weights.set(row, step, weight(row, step))));
        weights
    };
    let mut forecasts = Vec::new();
    for alpha in ALPHAS {
        let level = level(n_rows, alpha);
        forecasts.push(weights(&|row, _| level[row]));
        if !indices.is_empty() {
            // of each row of the level, the index of its phase is taken away
            let phase = |row: usize| (row + season - n_rows % season) % season;
            let adjusted = |row: usize| {
                let taken: f64 = level.iter().enumerate().map(|(at, part)| part * indices[phase(at)][row]).sum();
                level[row] - taken
            };
            let adjusted: Vec<f64> = (0..n_rows).map(adjusted).collect();
            forecasts.push(weights(&|row, step| adjusted[row] + indices[step % season][row]));
        }
    }
    forecasts
}

/// Weights of a level, which sum to 1.
fn level(n_rows: usize, alpha: f64) -> Vec<f64> {
    let age = |row: usize| i32::try_from(n_rows - 1 - row).unwrap_or(i32::MAX);
    let parts: Vec<f64> = (0..n_rows).map(|row| (1.0 - alpha).powi(age(row))).collect();
    let sum: f64 = parts.iter().sum();
    parts.iter().map(|part| part / sum).collect()
}

/// The weights of the index of each phase, `[season][n_rows]`; phase 0 is the one of the row after the window.
fn indices(n_rows: usize, season: usize) -> Vec<Vec<f64>> {
    let n_seasons = n_rows / season;
    let (n, first) = ((n_seasons * season) as f64, n_rows - n_seasons * season);
    let weight = |phase: usize, row: usize| {
        let own = if (row - first) % season == phase { 1.0 / n_seasons as f64 } else { 0.0 };
        own - 1.0 / n
    };
    (0..season)
        .map(|phase| (0..n_rows).map(|row| if row < first { 0.0 } else { weight(phase, row) }).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forecast(weights: &Panels, window: &[f64], step: usize) -> f64 {
        window.iter().enumerate().map(|(row, value)| weights.get(row, step) * value).sum()
    }

    #[test]
    fn levels_by_hand() {
        let found = smoothed(3, 2, 1);
        assert_eq!(found.len(), 3);
        // 1, .6 and .36, of 1.96
        let expected = (1.0 * 7.0 + 0.6 * 5.0 + 0.36 * 2.0) / 1.96;
        assert!((forecast(&found[1], &[2.0, 5.0, 7.0], 1) - expected).abs() < 1e-14);
        assert!((forecast(&found[2], &[2.0, 5.0, 7.0], 0) - 7.0).abs() < 1e-14);
    }

    #[test]
    fn a_season_on_a_level_goes_on() {
        let season = [3.0, -1.0, -2.0];
        for n_rows in [6, 7, 8, 12] {
            let window: Vec<f64> = (0..n_rows).map(|row| 10.0 + season[row % 3]).collect();
            let found = smoothed(n_rows, 4, 3);
            assert_eq!(found.len(), 6);
            for seasonal in [&found[1], &found[3], &found[5]] {
                for step in 0..4 {
                    let expected = 10.0 + season[(n_rows + step) % 3];
                    assert!((forecast(seasonal, &window, step) - expected).abs() < 1e-12, "{n_rows} {step}");
                    // a shift of all values shifts the forecast
                    let sum: f64 = (0..n_rows).map(|row| seasonal.get(row, step)).sum();
                    assert!((sum - 1.0).abs() < 1e-12);
                }
            }
        }
    }

    #[test]
    fn a_window_of_less_than_two_seasons_has_levels_only() {
        assert_eq!(smoothed(5, 2, 3).len(), 3);
    }
}
