//! placeholder until the leaf lands

/// How the network's units become the user's: `user = network * scale + center`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// The value that the network calls 0.
    pub center: f64,
    /// The distance that the network calls 1.
    pub scale: f64,
}

impl Level {
    /// The user's units to the network's.
    pub fn to_network(self, value: f64) -> f64 {
        (value - self.center) / self.scale
    }

    /// The network's units to the user's.
    pub fn to_user(self, value: f64) -> f64 {
        value * self.scale + self.center
    }
}

/// stub
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// stub
    Quantiles(Vec<f64>),
    /// stub
    Normal,
}
#[allow(
    missing_docs,
    clippy::missing_errors_doc,
    clippy::unused_self,
    clippy::needless_pass_by_value,
    unused_variables
)]
impl Distribution {
    pub fn check(&self) -> crate::error::Result<()> {
        todo!()
    }
    pub fn n_outputs(&self) -> usize {
        todo!()
    }
    pub fn loss(&self, outputs: &[f32], target: f64, level: Level, slopes: Option<&mut [f64]>) -> f64 {
        todo!()
    }
    pub fn parameters(&self, outputs: &[f32], level: Level, parameters: &mut [f64]) {
        todo!()
    }
    pub fn loss_of_tensors(
        &self,
        outputs: &tch::Tensor,
        targets: &tch::Tensor,
        center: &tch::Tensor,
        scale: &tch::Tensor,
    ) -> crate::error::Result<tch::Tensor> {
        todo!()
    }
}
