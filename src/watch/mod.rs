//! Judging models in use: forecast errors, scores made of them, thresholds that follow the scores.

pub mod feed;
pub mod monitor;
pub mod scores;
pub mod threshold;
