//! The newest scores, so many of them.

use serde::{Deserialize, Serialize};

/// The last `capacity` numbers that were pushed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ring {
    values: Vec<f64>,
    capacity: usize,
    /// Where the oldest lies once it is full.
    oldest: usize,
}

impl Ring {
    /// An empty ring; `capacity` is at least 1.
    pub fn new(capacity: usize) -> Self {
        Self { values: Vec::new(), capacity, oldest: 0 }
    }

    /// Takes a number in, and gives back the one that had to go.
    pub fn push(&mut self, value: f64) -> Option<f64> {
        if self.values.len() < self.capacity {
            self.values.push(value);
            return None;
        }
        let gone = std::mem::replace(&mut self.values[self.oldest], value);
        self.oldest = (self.oldest + 1) % self.capacity;
        Some(gone)
    }

    /// From the oldest to the newest.
    pub fn iter(&self) -> impl Iterator<Item = f64> + Clone + '_ {
        let (newer, older) = self.values.split_at(self.oldest);
        older.iter().chain(newer).copied()
    }

    /// In any order.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Whether a state from elsewhere can be gone on with.
    pub fn is_sound(&self) -> bool {
        let n = self.values.len();
        let are_finite = self.values.iter().all(|value| value.is_finite());
        are_finite
            && self.capacity > 0
            && n <= self.capacity
            && (self.oldest == 0 || (n == self.capacity && self.oldest < n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_in_order() {
        let mut ring = Ring::new(3);
        let gone: Vec<_> = [1., 2., 3., 4., 5.].map(|value| ring.push(value)).to_vec();
        assert_eq!(gone, [None, None, None, Some(1.), Some(2.)]);
        assert_eq!(ring.iter().collect::<Vec<_>>(), [3., 4., 5.]);
        assert!(ring.is_sound());
    }
}
