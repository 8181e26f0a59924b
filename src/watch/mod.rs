//! Judging models in use: forecast errors, scores made of them, thresholds that follow the scores.

pub mod threshold;
