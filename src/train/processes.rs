//! Data-parallel training: processes that have the same samples and the same network each compute their rows of every batch,
//! and add up their gradients.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use crate::error::{Error, Result};

/// Numbers that are added up over processes.
#[derive(Debug)]
pub enum Summed<'a> {
    /// In single precision.
    Single(&'a mut [f32]),
    /// In double precision.
    Double(&'a mut [f64]),
}

/// What adds up numbers over processes (`torch.distributed.all_reduce`).
pub trait Reducer: std::fmt::Debug + Send + Sync {
    /// Which process this is, of how many.
    fn share(&self) -> Share;

    /// Replaces all numbers by their sums over all processes: the same bits in each of them.
    ///
    /// # Errors
    /// [`Error::Process`] when another process is gone or doesn't answer.
    fn sum(&self, numbers: &mut [Summed]) -> Result<()>;
}

/// One of several equal shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Which, from 0.
    pub rank: usize,
    /// Of how many.
    pub world_size: usize,
}

impl Share {
    /// That of a process alone.
    pub const WHOLE: Self = Self { rank: 0, world_size: 1 };

    /// Its part of `n` rows, cut as evenly as possible.
    pub fn rows(self, n: usize) -> Range<usize> {
        self.rank * n / self.world_size..(self.rank + 1) * n / self.world_size
    }

    /// Its part of a range of rows.
    pub fn of(self, rows: &Range<usize>) -> Range<usize> {
        let part = self.rows(rows.len());
        rows.start + part.start..rows.start + part.end
    }

    /// The most rows that any share of `n` has.
    pub fn most_rows(self, n: usize) -> usize {
        n.div_ceil(self.world_size)
    }
}

/// The processes that train one network together.
#[derive(Debug, Clone)]
pub struct Processes {
    reducer: Arc<dyn Reducer>,
    pub(super) stop: Arc<Stop>,
}

#[derive(Debug, Default)]
pub(super) struct Stop {
    /// This process was interrupted, and the others don't know yet.
    pub(super) asked: AtomicBool,
    /// One was interrupted, and all know.
    pub(super) agreed: AtomicBool,
}

impl Processes {
    /// Those that `reducer` adds over.
    pub fn new(reducer: Arc<dyn Reducer>) -> Self {
        Self { reducer, stop: Arc::default() }
    }

    /// The share of this one.
    pub fn share(&self) -> Share {
        self.reducer.share()
    }

    /// Adds up slices in place, and a number. Whether a process was interrupted travels along.
    ///
    /// # Errors
    /// [`Error::Process`] when another process is gone.
    pub fn sum(&self, slices: Vec<Summed>, number: f64) -> Result<f64> {
        let asked = f64::from(u8::from(self.stop.asked.load(Ordering::Relaxed)));
        let mut numbers = [number, asked];
        let mut all: Vec<Summed> = slices;
        all.push(Summed::Double(&mut numbers));
        self.reducer.sum(&mut all)?;
        self.stop.agreed.store(numbers[1] > 0.0, Ordering::Relaxed);
        Ok(numbers[0])
    }

    /// Replaces numbers by those of the first process; they stay as they are when that fails.
    ///
    /// # Errors
    /// [`Error::Process`] when another process is gone.
    pub fn align(&self, slices: &mut [&mut [f32]]) -> Result<()> {
        let is_first = self.share().rank == 0;
        let copy = |slice: &&mut [f32]| if is_first { slice.to_vec() } else { vec![0.0; slice.len()] };
        let mut copies: Vec<Vec<f32>> = slices.iter().map(copy).collect();
        self.sum(copies.iter_mut().map(|copy| Summed::Single(copy)).collect(), 0.0)?;
        slices.iter_mut().zip(&copies).for_each(|(slice, copy)| slice.copy_from_slice(copy));
        Ok(())
    }

    /// What the first process has for some numbers, of which all have as many.
    ///
    /// # Errors
    /// [`Error::Process`] when another process is gone.
    pub fn of_first(&self, numbers: &[f64]) -> Result<Vec<f64>> {
        let mut shared = if self.share().rank == 0 { numbers.to_vec() } else { vec![0.0; numbers.len()] };
        self.sum(vec![Summed::Double(&mut shared)], 0.0)?;
        Ok(shared)
    }

    /// A result that the first process alone has, and its failure, which all others get too.
    ///
    /// # Errors
    /// That of the first process, or [`Error::Process`].
    pub fn by_first<T>(&self, make: impl FnOnce() -> Result<Option<T>>) -> Result<Option<T>> {
        let own = if self.share().rank == 0 { make() } else { Ok(None) };
        let failed = self.sum(Vec::new(), f64::from(u8::from(own.is_err())))? > 0.0;
        if failed && own.is_ok() {
            return Err(Error::Process("process 0 can't go on from its checkpoint, and says why".to_owned()));
        }
        own
    }

    /// Whether all processes have the same numbers of samples: with others they would wait for each other in vain.
    ///
    /// # Errors
    /// [`Error::Value`], in all of them, when they haven't.
    pub fn check_samples(&self, n_train: usize, n_validation: usize) -> Result<()> {
        let own = [n_train as f64, n_validation as f64];
        let differs = f64::from(u8::from(self.of_first(&own)? != own));
        if self.sum(Vec::new(), differs)? == 0.0 {
            return Ok(());
        }
        Err(Error::Value(format!(
            "expected the same data in all processes, each of which takes its rows of every batch by itself, got {n_train} \
             training and {n_validation} validation windows in process {} and others elsewhere",
            self.share().rank
        )))
    }
}
