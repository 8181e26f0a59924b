//! Splitting in time order: what is validated comes after what is learned from.

use crate::error::{Error, Result};

/// The rows of the two parts; those between them belong to neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeSplit {
    /// The training part is rows `0..train_end`.
    pub train_end: usize,
    /// The validation part is rows `validation_start..n_rows`.
    pub validation_start: usize,
}

/// Holds out the last `fraction` of `n_rows` rows (rounded to the nearest row) and leaves `gap` rows before them unused.
///
/// # Errors
/// [`Error::Value`] for a fraction outside `[0, 1)`, [`Error::TooShort`] when no training row is left.
pub fn time_split(n_rows: usize, fraction: f64, gap: usize) -> Result<TimeSplit> {
    if !(0.0..1.0).contains(&fraction) {
        return Err(Error::Value(format!("expected validation_fraction in [0, 1), got {fraction}")));
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let held_out = (n_rows as f64 * fraction).round() as usize;
    let validation_start = n_rows - held_out;
    let gap = if held_out == 0 { 0 } else { gap };
    if validation_start <= gap {
        return Err(Error::too_short(
            format!("at least one row before the gap of {gap} rows and the {held_out} validation rows"),
            format!("{n_rows} rows"),
        ));
    }
    Ok(TimeSplit { train_end: validation_start - gap, validation_start })
}

/// [`time_split`] of a series of a panel: at least `horizon` rows are held out, and none of a series that would have no more
/// than a horizon to learn from.
///
/// # Errors
/// [`Error::Value`] for a fraction outside `[0, 1)`.
pub fn panel_split(n_rows: usize, fraction: f64, gap: usize, horizon: usize) -> Result<TimeSplit> {
    let whole = TimeSplit { train_end: n_rows, validation_start: n_rows };
    let split = match time_split(n_rows, fraction, gap) {
        Err(Error::TooShort { .. }) => return Ok(whole),
        split => split?,
    };
    let validation_start = split.validation_start.min(n_rows.saturating_sub(horizon));
    let train_end = validation_start.saturating_sub(gap);
    let nothing_wanted = split.validation_start == n_rows && fraction == 0.0;
    Ok(if nothing_wanted || train_end <= horizon { whole } else { TimeSplit { train_end, validation_start } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parts_of_a_case_worked_by_hand() {
        assert_eq!(time_split(100, 0.2, 5).unwrap(), TimeSplit { train_end: 75, validation_start: 80 });
        assert_eq!(time_split(11520, 0.25, 0).unwrap(), TimeSplit { train_end: 8640, validation_start: 8640 });
        assert_eq!(time_split(10, 0.0, 5).unwrap(), TimeSplit { train_end: 10, validation_start: 10 });
        assert!(time_split(10, 0.5, 5).is_err());
        assert!(time_split(10, 1.0, 0).is_err());
    }

    #[test]
    fn series_of_a_panel_hold_out_a_horizon_if_they_can() {
        let split = |n_rows, fraction| panel_split(n_rows, fraction, 0, 10).unwrap().validation_start;
        assert_eq!([split(100, 0.2), split(100, 0.05), split(100, 0.0)], [80, 90, 100]);
        assert_eq!([split(22, 0.2), split(20, 0.2), split(1, 0.2), split(0, 0.2)], [12, 20, 1, 0]);
        assert!(panel_split(100, 1.0, 0, 10).is_err());
    }

    proptest! {
        #[test]
        fn the_gap_is_kept(n in 1usize..5000, fraction in 0.0..0.99, gap in 0usize..50) {
            if let Ok(split) = time_split(n, fraction, gap) {
                prop_assert!(split.train_end >= 1 && split.validation_start <= n);
                prop_assert!(split.validation_start == n || split.validation_start - split.train_end == gap);
            }
        }
    }
}
