//! Error measures.

use std::collections::HashMap;

use numpy::PyReadonlyArrayDyn;
use pyo3::prelude::*;

use super::convert;
use super::door::exception;
use crate::error::Error;
use crate::metric;

#[pyfunction]
pub(super) fn metrics(
    truth: PyReadonlyArrayDyn<f64>,
    forecast: PyReadonlyArrayDyn<f64>,
) -> PyResult<HashMap<&'static str, f64>> {
    let (truth, forecast) = (convert::values(&truth), convert::values(&forecast));
    if truth.len() != forecast.len() || truth.is_empty() {
        let got = format!("{} and {}", truth.len(), forecast.len());
        return Err(exception(Error::shape("as many true values as forecasts, and at least one", got)));
    }
    let mse = metric::mse(&truth, &forecast);
    Ok(HashMap::from([
        ("mae", metric::mae(&truth, &forecast)),
        ("mse", mse),
        ("rmse", mse.sqrt()),
        ("smape", metric::smape(&truth, &forecast)),
    ]))
}
