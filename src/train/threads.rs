//! libtorch's threads, borrowed for the length of a call.

/// Sets the number of intra-operation threads and puts the old one back when dropped.
pub struct ThreadsGuard {
    before: Option<i32>,
}

impl ThreadsGuard {
    /// `None` changes nothing.
    pub fn new(n_threads: Option<usize>) -> Self {
        let before = n_threads.map(|n| {
            let before = tch::get_num_threads();
            tch::set_num_threads(i32::try_from(n).unwrap_or(i32::MAX));
            before
        });
        Self { before }
    }
}

impl Drop for ThreadsGuard {
    fn drop(&mut self) {
        if let Some(n) = self.before {
            tch::set_num_threads(n);
        }
    }
}
