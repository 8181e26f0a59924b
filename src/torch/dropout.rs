//! Dropout (Srivastava et al. 2014) of tensors.

use tch::Tensor;

use crate::error::Result;
use crate::rng::StepMasks;

/// The first mask of layers that stand after an LSTM, whose own are numbered from 0, and of those before it.
pub(super) const AFTER_LSTM: usize = 1 << 16;
pub(super) const BEFORE_LSTM: usize = 2 << 16;

/// A tensor `(batch, ...)` with the mask of number `layer` laid over it; as it is where there is nothing to drop.
///
/// The masks are our own, because libtorch's dropout draws from the global generator, which belongs to the user.
pub(super) fn drop_out(x: &Tensor, masks: Option<StepMasks>, layer: usize) -> Result<Tensor> {
    // a mask of ones would only cost time
    let Some(masks) = masks.filter(|masks| masks.p() > 0.0) else { return Ok(x.shallow_clone()) };
    let mut elements = vec![0.0; x.numel()];
    let per_row = elements.len() / usize::try_from(x.size()[0]).unwrap_or(1).max(1);
    masks.layer(layer).fill((masks.first_row() * per_row) as u64, &mut elements);
    let mask = Tensor::f_from_slice(&elements)?.f_reshape(x.size())?.f_to_device(x.device())?.f_to_kind(x.kind())?;
    Ok(x.f_mul(&mask)?)
}

/// [`drop_out`] of a part `(batch, n, size)` of all `steps` steps, from step `first` on: the same part of the mask of all.
pub(super) fn drop_out_steps(
    x: &Tensor,
    masks: Option<StepMasks>,
    layer: usize,
    (first, steps): (usize, usize),
) -> Result<Tensor> {
    let Some(masks) = masks.filter(|masks| masks.p() > 0.0) else { return Ok(x.shallow_clone()) };
    let size = usize::try_from(x.size()[2]).unwrap_or(0);
    let (mut elements, mask) = (vec![0.0; x.numel()], masks.layer(layer));
    let of_row = elements.len() / usize::try_from(x.size()[0]).unwrap_or(1).max(1);
    for (row, elements) in elements.chunks_exact_mut(of_row).enumerate() {
        mask.fill((((masks.first_row() + row) * steps + first) * size) as u64, elements);
    }
    let mask = Tensor::f_from_slice(&elements)?.f_reshape(x.size())?.f_to_device(x.device())?.f_to_kind(x.kind())?;
    Ok(x.f_mul(&mask)?)
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;
    use crate::rng::DropoutMasks;

    #[test]
    fn parts_of_a_batch_have_the_masks_of_the_whole() {
        let x = Tensor::ones([7, 3, 4], (Kind::Float, tch::Device::Cpu));
        let masks = DropoutMasks::new(3, 0.4).during(5);
        let whole = drop_out(&x, Some(masks), 2).unwrap();
        for (first, n) in [(0, 3), (3, 4), (6, 1)] {
            let part = drop_out(&x.narrow(0, first, n), Some(masks.from_row(usize::try_from(first).unwrap())), 2);
            assert_eq!(part.unwrap(), whole.narrow(0, first, n));
        }
        assert_ne!(drop_out(&x, Some(masks), 3).unwrap(), whole);
    }

    #[test]
    fn parts_of_the_steps_have_the_masks_of_the_whole() {
        let x = Tensor::ones([3, 7, 4], (Kind::Float, tch::Device::Cpu));
        let masks = DropoutMasks::new(3, 0.4).during(5).from_row(2);
        let whole = drop_out(&x, Some(masks), 2).unwrap();
        for (first, n) in [(0, 7), (0, 2), (2, 5), (6, 1)] {
            let steps = (usize::try_from(first).unwrap(), 7);
            let part = drop_out_steps(&x.narrow(1, first, n), Some(masks), 2, steps).unwrap();
            assert_eq!(part, whole.narrow(1, first, n));
        }
    }

    #[test]
    fn nothing_is_dropped_without_masks_or_a_probability() {
        let x = Tensor::ones([2, 3], (Kind::Float, tch::Device::Cpu));
        assert_eq!(drop_out(&x, None, 0).unwrap(), x);
        assert_eq!(drop_out(&x, Some(DropoutMasks::new(3, 0.0).during(5)), 0).unwrap(), x);
    }
}
