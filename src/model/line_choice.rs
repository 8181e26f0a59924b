//! Which ridge the line gets, and which weights it is shrunk towards.
//!
//! Many windows: the ridge whose line errs least on those held out, towards zero. Few: ridge and weights of least error in
//! cross-validation over blocks of time. What is held out is one of them, as it would be few alone.

use crate::kernel::pool;
use crate::kernel::ridge::{Panels, RidgeSums};

/// Ridges that are tried, as parts of the mean square of the inputs; the first where nothing is held out.
pub(super) const RIDGES: [f64; 9] = [0.03, 0.0001, 0.001, 0.003, 0.01, 0.1, 0.3, 1.0, 3.0];
/// Those that few windows are also tried with: hardly more than the weights that they are shrunk towards.
const STRONGER: [f64; 2] = [10.0, 30.0];
/// Blocks of time that few training windows are cut into.
pub(super) const N_BLOCKS: usize = 4;

/// The weights with the ridge of least error on what is held out, or with the first one; `None` where no ridge has any.
pub(super) fn by_held_out(
    sums: &RidgeSums,
    held_out: Option<&RidgeSums>,
    prior: &Panels,
    n_threads: usize,
) -> Option<Panels> {
    let mean_square = sums.mean_square().max(f64::MIN_POSITIVE);
    let mut tries: Vec<(f64, Option<(f64, Panels)>)> = RIDGES.map(|ridge| (ridge, None)).to_vec();
    tries.truncate(if held_out.is_some() { RIDGES.len() } else { 1 });
    let mut shares: Vec<_> = tries.chunks_mut(RIDGES.len().div_ceil(n_threads)).collect();
    pool::for_each(&mut shares, |_, tries| {
        for (ridge, tried) in tries.iter_mut() {
            let solution = sums.solve(*ridge * mean_square, prior);
            let error = |solution: &Panels| held_out.map_or(0.0, |sums| sums.error(solution));
            *tried = solution.map(|solution| (error(&solution), solution));
        }
    });
    let mut best = (f64::INFINITY, None);
    if let Some(held_out) = held_out.filter(|_| !prior.is_zero()) {
        best = (held_out.error(prior), Some(prior.clone()));
    }
    for (error, solution) in tries.into_iter().filter_map(|(_, tried)| tried) {
        if error < best.0 {
            best = (error, Some(solution));
        }
    }
    best.1
}

/// The weights of all `blocks`, with the ridge, and towards that of `priors`, of least error when each block, and what is held
/// out, is forecast by the others; `None` where no ridge has any.
pub(super) fn by_blocks(
    blocks: &[RidgeSums],
    held_out: Option<&RidgeSums>,
    priors: &[Panels],
    n_threads: usize,
) -> Option<Panels> {
    let ridges: Vec<f64> = RIDGES.into_iter().chain(STRONGER).collect();
    let folds: Vec<&RidgeSums> = blocks.iter().chain(held_out).collect();
    // of each fold, ridge and prior
    let mut errors = vec![vec![f64::INFINITY; ridges.len() * priors.len()]; folds.len()];
    let mut numbered: Vec<(usize, &mut Vec<f64>)> = errors.iter_mut().enumerate().collect();
    let mut shares: Vec<_> = numbered.chunks_mut(folds.len().div_ceil(n_threads)).collect();
    pool::for_each(&mut shares, |_, share| {
        for (fold, errors) in share.iter_mut() {
            let others = folds.iter().enumerate().filter(|(other, _)| other != fold).map(|(_, &sums)| sums);
            let Some(sums) = RidgeSums::of_parts(others) else { continue };
            let mean_square = sums.mean_square().max(f64::MIN_POSITIVE);
            for (ridge, errors) in ridges.iter().zip(errors.chunks_exact_mut(priors.len())) {
                let Some(solutions) = sums.solve_each(ridge * mean_square, priors) else { continue };
                errors.iter_mut().zip(&solutions).for_each(|(error, solution)| *error = folds[*fold].error(solution));
            }
        }
    });
    let total = |at: &usize| errors.iter().map(|errors| errors[*at]).sum::<f64>();
    let best = (0..ridges.len() * priors.len()).min_by(|a, b| total(a).total_cmp(&total(b)))?;
    let sums = RidgeSums::of_parts(blocks.iter())?;
    let mean_square = sums.mean_square().max(f64::MIN_POSITIVE);
    sums.solve(ridges[best / priors.len()] * mean_square, &priors[best % priors.len()])
}
