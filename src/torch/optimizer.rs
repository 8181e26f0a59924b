//! Adam (Kingma & Ba 2015) and AdamW (Loshchilov & Hutter 2019), as `torch.optim.Adam` and `torch.optim.AdamW`.
//!
//! Our own, because libtorch's keep their state to themselves: a training that can't save it can't resume.

use tch::{Device, Tensor};

use super::tensor::{numbers_of, overwrite};
use crate::error::Result;
use crate::train::config::OptimizerKind;
use crate::train::pace::Pace;
use crate::train::packed_optimizer::{clip_factor, BETA1, BETA2, EPSILON};
use crate::train::Part;

/// Parameters with their running moments.
#[derive(Debug)]
pub struct Optimizer {
    kind: OptimizerKind,
    weight_decay: f64,
    parameters: Vec<Tensor>,
    paces: Vec<Pace>,
    /// First and second moment of each parameter's gradient.
    moments: Vec<(Tensor, Tensor)>,
}

impl Optimizer {
    /// Starts with moments of zero. Each parameter moves at its pace.
    pub fn new(kind: OptimizerKind, parameters: Vec<(Tensor, Pace)>, weight_decay: f64) -> Self {
        let moments = parameters.iter().map(|(p, _)| (p.zeros_like(), p.zeros_like())).collect();
        let (parameters, paces) = parameters.into_iter().unzip();
        Self { kind, weight_decay, parameters, paces, moments }
    }

    /// Whether it has nothing to move.
    pub fn is_idle(&self) -> bool {
        self.moved().next().is_none()
    }

    /// Moves these parameters, too, which were frozen.
    pub fn unfreeze(&mut self, names: &[String]) {
        self.paces.iter_mut().for_each(|pace| pace.unfreeze(names));
    }

    /// The parameters that aren't frozen.
    fn moved(&self) -> impl Iterator<Item = &Tensor> {
        self.parameters.iter().zip(&self.paces).filter(|(_, pace)| !pace.frozen).map(|(parameter, _)| parameter)
    }

    /// What a checkpoint keeps of it.
    pub(super) fn parts(&mut self) -> impl Iterator<Item = (String, Part<'_>)> {
        self.moments.iter().zip(&mut self.paces).enumerate().flat_map(|(i, ((first, second), pace))| {
            [
                (format!("first_moment.{i}"), Part::Elsewhere(Box::new(first.shallow_clone()))),
                (format!("second_moment.{i}"), Part::Elsewhere(Box::new(second.shallow_clone()))),
                (format!("other_pace.{i}"), Part::Pace(pace)),
            ]
        })
    }

    /// Forgets the gradients.
    pub fn zero_grad(&mut self) {
        for parameter in &mut self.parameters {
            parameter.zero_grad();
        }
    }

    /// Copies of the gradients of the parameters that move.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when they can't be read.
    pub fn gradients(&self) -> Result<Vec<Vec<f32>>> {
        self.moved().map(|parameter| numbers_of(&parameter.grad())).collect()
    }

    /// Puts others in the place of [`Optimizer::gradients`].
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when they are of another number.
    pub fn replace_gradients(&self, gradients: &[Vec<f32>]) -> Result<()> {
        self.moved().zip(gradients).try_for_each(|(parameter, gradient)| overwrite(&parameter.grad(), gradient))
    }

    /// The norm of the gradient over all parameters that move.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when libtorch refuses an operation.
    pub fn grad_norm(&self) -> Result<f64> {
        if self.is_idle() {
            return Ok(0.0);
        }
        tch::no_grad(|| {
            let device = self.parameters.first().map_or(Device::Cpu, Tensor::device);
            let norms = self.moved().map(|p| Ok(p.grad().f_norm()?.f_to_device(device)?));
            let norms = norms.collect::<Result<Vec<_>>>()?;
            Ok(Tensor::f_stack(&norms, 0)?.f_norm()?.f_double_value(&[])?)
        })
    }

    /// Scales a gradient, which together with others' has the norm `norm`, so that all of them come down to `max_norm` where
    /// they are above (`torch.nn.utils.clip_grad_norm_`).
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when libtorch refuses an operation.
    pub fn clip_grad_norm(&self, max_norm: Option<f64>, norm: f64) -> Result<()> {
        let factor = max_norm.map_or(1.0, |max_norm| clip_factor(max_norm, norm));
        if factor < 1.0 {
            tch::no_grad(|| self.moved().try_for_each(|p| p.grad().f_mul_scalar_(factor).map(|_| ())))?;
        }
        Ok(())
    }

    /// Brings every element of the gradient that is beyond `limit` back to it (`torch.nn.utils.clip_grad_value_`).
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when libtorch refuses an operation.
    pub fn clip_grad_value(&self, limit: Option<f64>) -> Result<()> {
        let Some(limit) = limit else { return Ok(()) };
        tch::no_grad(|| self.moved().try_for_each(|p| p.grad().f_clamp_(-limit, limit).map(|_| ())))?;
        Ok(())
    }

    /// Moves every parameter that isn't frozen against its gradient, with its part of the step size `learning_rate`.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when libtorch refuses an operation.
    pub fn step(&mut self, learning_rate: f64) -> Result<()> {
        tch::no_grad(|| {
            for ((parameter, pace), (first, second)) in
                self.parameters.iter_mut().zip(&mut self.paces).zip(&mut self.moments).filter(|((_, p), _)| !p.frozen)
            {
                pace.advance();
                let correction1 = 1.0 - BETA1.powi(pace.n_steps);
                let correction2 = (1.0 - BETA2.powi(pace.n_steps)).sqrt();
                let learning_rate = pace.factor * learning_rate;
                let mut grad = parameter.grad();
                if self.weight_decay > 0.0 {
                    match self.kind {
                        OptimizerKind::Adam => grad = grad.f_add(&parameter.f_mul_scalar(self.weight_decay)?)?,
                        OptimizerKind::Adamw => {
                            let _ = parameter.f_mul_scalar_(1.0 - learning_rate * self.weight_decay)?;
                        }
                    }
                }
                let _ = first.f_lerp_(&grad, 1.0 - BETA1)?;
                let squared = grad.f_square()?;
                let _ = second.f_mul_scalar_(BETA2)?.f_add_(&squared.f_mul_scalar(1.0 - BETA2)?)?;
                let denominator = second.f_sqrt()?.f_div_scalar(correction2)?.f_add_scalar(EPSILON)?;
                let step = first.f_div(&denominator)?.f_mul_scalar(learning_rate / correction1)?;
                let _ = parameter.f_sub_(&step)?;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;
    use crate::train::TrainConfig;

    fn pace() -> Pace {
        Pace::new("weight", &TrainConfig::default())
    }

    #[test]
    fn the_first_step_is_the_learning_rate() {
        // with m = 0.1 g and v = 0.001 g^2, the corrected ratio is g / (|g| + eps): the sign
        let parameter = Tensor::from_slice(&[1.0f32, 1.0]).set_requires_grad(true);
        let mut optimizer = Optimizer::new(OptimizerKind::Adam, vec![(parameter.shallow_clone(), pace())], 0.0);
        (&parameter * Tensor::from_slice(&[3.0f32, -5.0])).sum(Kind::Float).backward();
        optimizer.step(0.1).unwrap();
        let moved: Vec<f32> = parameter.try_into().unwrap();
        assert!((moved[0] - 0.9).abs() < 1e-6 && (moved[1] - 1.1).abs() < 1e-6, "{moved:?}");
    }

    #[test]
    fn clipping_leaves_the_direction() {
        let parameter = Tensor::from_slice(&[0.0f32, 0.0]).set_requires_grad(true);
        let optimizer = Optimizer::new(OptimizerKind::Adam, vec![(parameter.shallow_clone(), pace())], 0.0);
        (&parameter * Tensor::from_slice(&[3.0f32, 4.0])).sum(Kind::Float).backward();
        let norm = optimizer.grad_norm().unwrap();
        assert!((norm - 5.0).abs() < 1e-6);
        optimizer.clip_grad_norm(Some(1.0), norm).unwrap();
        let grad: Vec<f32> = parameter.grad().try_into().unwrap();
        assert!((grad[0] - 0.6).abs() < 1e-6 && (grad[1] - 0.8).abs() < 1e-6, "{grad:?}");
    }
}
