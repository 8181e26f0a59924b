//! Data-parallel training: processes that have the same samples and the same network each compute their rows of every batch,
//! and add up their gradients.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use tch::{Device, Kind, Tensor};

use crate::error::{Error, Result};
use crate::network::parameter::dimensions;

/// What adds up tensors over processes (`torch.distributed.all_reduce`).
pub trait Reducer: std::fmt::Debug + Send + Sync {
    /// Which process this is, of how many.
    fn share(&self) -> Share;

    /// Replaces each tensor by its sum over all processes, in place: the same bits in each of them.
    ///
    /// # Errors
    /// [`Error::Process`] when another process is gone or doesn't answer.
    fn sum(&self, tensors: &[Tensor]) -> Result<()>;
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
    pub(super) device: Device,
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
    /// Those that `reducer` adds over, with their networks on `device`.
    pub fn new(reducer: Arc<dyn Reducer>, device: Device) -> Self {
        Self { reducer, device, stop: Arc::default() }
    }

    /// The share of this one.
    pub fn share(&self) -> Share {
        self.reducer.share()
    }

    /// Adds up tensors in place, and a number. Whether a process was interrupted travels along.
    ///
    /// # Errors
    /// [`Error::Process`] when another process is gone.
    pub fn sum(&self, mut tensors: Vec<Tensor>, number: f64) -> Result<f64> {
        let asked = f64::from(u8::from(self.stop.asked.load(Ordering::Relaxed)));
        let numbers = Tensor::f_from_slice(&[number, asked])?.f_to_device(self.device)?;
        tensors.push(numbers.shallow_clone());
        self.reducer.sum(&tensors)?;
        self.stop.agreed.store(numbers.f_double_value(&[1])? > 0.0, Ordering::Relaxed);
        Ok(numbers.f_double_value(&[0])?)
    }

    /// [`Processes::sum`] of a slice in the processor's memory, which isn't copied.
    ///
    /// # Errors
    /// As [`Processes::sum`].
    pub fn sum_slice(&self, values: &mut [f32], mut others: Vec<Tensor>, number: f64) -> Result<f64> {
        // SAFETY: the slice is borrowed until all processes have added, and no one keeps the tensor for longer.
        others.insert(0, unsafe {
            Tensor::from_blob(values.as_mut_ptr().cast(), &dimensions(&[values.len()]), &[1], Kind::Float, Device::Cpu)
        });
        self.sum(others, number)
    }

    /// Replaces the values of tensors by those of the first process; they stay as they are when that fails.
    ///
    /// # Errors
    /// [`Error::Process`] when another process is gone.
    pub fn align(&self, tensors: &[Tensor]) -> Result<()> {
        tch::no_grad(|| {
            let is_first = self.share().rank == 0;
            let copy = |tensor: &Tensor| if is_first { tensor.detach().copy() } else { tensor.zeros_like() };
            let copies: Vec<Tensor> = tensors.iter().map(copy).collect();
            self.sum(copies.iter().map(Tensor::shallow_clone).collect(), 0.0)?;
            tensors.iter().zip(&copies).for_each(|(tensor, copy)| tensor.shallow_clone().copy_(copy));
            Ok(())
        })
    }

    /// What the first process has for some numbers, of which all have as many.
    ///
    /// # Errors
    /// [`Error::Process`] when another process is gone.
    pub fn of_first(&self, numbers: &[f64]) -> Result<Vec<f64>> {
        let shared = Tensor::f_from_slice(numbers)?.f_to_device(self.device)?;
        self.align(&[shared.shallow_clone()])?;
        Ok(Vec::<f64>::try_from(shared)?)
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
        let own = Tensor::f_from_slice(&[n_train as f64, n_validation as f64])?.f_to_device(self.device)?;
        let first = own.copy();
        self.align(&[first.shallow_clone()])?;
        let differs = f64::from(u8::from(!own.f_equal(&first)?));
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
