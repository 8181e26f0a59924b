//! How the data of a model are prepared.

use serde::{Deserialize, Serialize};

use crate::series::augment::Augmentation;
use crate::series::scale::ScalerKind;
use crate::series::Matrix;

/// Which scaler is fitted on the training rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScalerChoice {
    /// The one that [`super::Model::load_scalers`] set.
    Loaded,
    /// One of ours.
    #[serde(untagged)]
    Fitted(ScalerKind),
}

/// How the rows are prepared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataConfig {
    /// Share of the rows, at the end, that is held out when there is early stopping.
    pub validation_fraction: f64,
    /// Rows left out before the validation part.
    pub gap: usize,
    /// Rows from one training window to the next.
    pub stride: usize,
    /// The scaler; `None`: the data come as the network shall see them.
    pub scaler: Option<ScalerChoice>,
    /// Targets in gaps of at most so many rows are learned from, on the straight line between the known ones.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub filled_gaps: usize,
    /// How training windows are changed in each step, after they were scaled.
    #[serde(default)]
    pub augment: Vec<Augmentation>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde calls it
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// Windows `(n, window_size * n_features)`, targets and weights of a supervised table.
#[derive(Debug, Clone, Copy)]
pub struct TableRows<'a> {
    /// One window in each row.
    pub inputs: Matrix<'a, f64>,
    /// Its `horizon * n_targets` targets, or its class index.
    pub targets: Matrix<'a, f64>,
    /// Its weight.
    pub weights: &'a [f64],
}
