//! Observers that several tests train under.

use std::ops::ControlFlow;

use lstmforecast::train::{Epoch, Observer};

/// Interrupts after this many batches.
pub(crate) struct InterruptAfter(pub(crate) usize);

impl Observer for InterruptAfter {
    fn on_batch(&mut self) -> ControlFlow<()> {
        self.0 -= 1;
        if self.0 == 0 {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
    fn on_epoch(&mut self, _: &Epoch) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}
