//! What a training is, in words: a checkpoint knows by them whether it is one of it.

use serde::Serialize;
use serde_json::Value;

use super::config::TrainConfig;
use super::schedule::LrSchedule;
use crate::error::{Error, Result};
use crate::network::Parameters;
use crate::store::Digest;

/// What a training is, by name: options, data and initial weights, each in words that differ where they do. The first that
/// differs is what a user is told.
pub type Fingerprint = Vec<(String, String)>;

/// What changes no number, or is compared in another way.
const LEFT_OUT: [&str; 2] = ["n_threads", "checkpoint"];

/// Options as they are saved.
///
/// # Errors
/// [`Error::Value`] when they can't be.
pub(crate) fn json(options: &impl Serialize) -> Result<Value> {
    serde_json::to_value(options).map_err(|e| Error::Value(e.to_string()))
}

/// Options that decide about what a training computes.
pub(crate) fn of_options(options: &[Value], training: &TrainConfig) -> Fingerprint {
    // where the rate follows no curve, the epochs so far are the same whatever their number
    let is_curve = matches!(training.lr_schedule, LrSchedule::Cosine | LrSchedule::OneCycle);
    let counts = |name: &str| !LEFT_OUT.contains(&name) && (is_curve || name != "max_epochs");
    let each = options.iter().filter_map(Value::as_object).flatten().filter(|(name, _)| counts(name));
    each.map(|(name, value)| (name.clone(), words(value))).collect()
}

/// Takes weights into a digest.
pub(crate) fn add_weights(digest: &mut Digest, parameters: &Parameters) {
    for value in parameters.iter().flat_map(|(_, array)| array.values()) {
        digest.add_word(u64::from(value.to_bits()));
    }
}

/// As a user writes it.
fn words(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::String(text) => format!("'{text}'"),
        other => other.to_string(),
    }
}
