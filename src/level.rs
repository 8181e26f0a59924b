//! The level of a value: how the network's units become the user's.

/// How the network's units become the user's: `user = network * scale + center`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// What the network's 0 is for the user.
    pub center: f64,
    /// What the network's 1 adds to that; above 0.
    pub scale: f64,
}

impl Level {
    /// The user's units to the network's.
    pub fn to_network(self, user: f64) -> f64 {
        (user - self.center) / self.scale
    }

    /// The network's units to the user's.
    pub fn to_user(self, network: f64) -> f64 {
        network * self.scale + self.center
    }
}
