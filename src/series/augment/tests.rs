use super::*;
use crate::series::table::Table;
use crate::series::Matrix;

const NAN: f32 = f32::NAN;
const LAYOUT: WindowLayout = WindowLayout { horizon: 2, ..WindowLayout::windows_alone(3, 1) };

fn always(method: Method) -> Augmentation {
    Augmentation { probability: 1.0, method }
}

const SLICE: Method = Method::WindowSlice { size: 0.5 };

fn apply(method: Method, layout: WindowLayout, inputs: &[f32], targets: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let (mut inputs, mut targets) = (inputs.to_vec(), targets.to_vec());
    let augmenter = Augmenter::new(&[always(method)], layout, 0).unwrap();
    augmenter.apply((0, 0), (&mut inputs, &mut targets), &mut Scratch::default());
    (inputs, targets)
}

/// The part of the sequence around the origin that the slice above shows; the first number decides whether it is taken.
fn drawn_size() -> f32 {
    let mut draws = Augmenter::new(&[], LAYOUT, 0).unwrap().draws(0, 0, 0);
    draws.uniform();
    Number::narrow(1.0 - draws.uniform() * 0.5)
}

#[test]
fn a_slice_of_window_and_horizon_is_stretched_around_the_last_row() {
    let (inputs, targets) = apply(SLICE, LAYOUT, &[-2., -1., 0.], &[10., 20.]);
    let size = drawn_size();
    for (found, expected) in inputs.into_iter().zip([-2.0 * size, -size, 0.0]) {
        // one rounding to single precision more
        assert!((found - expected).abs() < 1e-6);
    }
    let expected = [10.0 * size, 20.0 * size];
    assert!(targets.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-5));
}

#[test]
fn a_target_beside_a_missing_one_is_missing() {
    // both rows lie between the last one seen and the second of the horizon
    let (inputs, targets) = apply(SLICE, LAYOUT, &[-2., -1., 0.], &[10., NAN]);
    assert!(inputs.iter().all(|value| value.is_finite()));
    assert_eq!((targets[0].is_nan(), targets[1].is_nan()), (false, true));
    // the last row seen was filled in
    let layout = WindowLayout { indicator: true, ..LAYOUT };
    let (inputs, targets) = apply(SLICE, layout, &[-2., 0., -1., 0., -1., 1.], &[10., 20.]);
    assert_eq!([inputs[1], inputs[3], inputs[5]], [0., 0., 1.]);
    assert_eq!((targets[0].is_nan(), targets[1].is_nan()), (true, 2.0 * drawn_size() < 1.0));
}

#[test]
fn what_is_known_in_advance_is_warped_with_the_targets_and_rows_beyond_stay() {
    // target, past feature, known feature, indicator; three rows of the future, of which the horizon has two
    let layout = WindowLayout { n_features: 3, n_targets: 1, n_known: 1, n_future: 3, indicator: true, ..LAYOUT };
    let time = |row: f32| [row, row, row, 0.];
    let future = |row: f32| [0., 0., row, 1.];
    let inputs = [time(0.), time(1.), time(2.), future(3.), future(4.), [0., 0., 7., 1.]].concat();
    for method in [SLICE, Method::TimeWarp { knots: 4, sigma: 0.5 }] {
        let (warped, targets) = apply(method, layout, &inputs, &[3., 4.]);
        let rows: Vec<&[f32]> = warped.chunks_exact(4).collect();
        assert!(rows[..3].iter().all(|row| row[0] == row[1] && row[1] == row[2] && row[3] == 0.0 && row[0] <= 2.0));
        assert!(rows[3..5].iter().zip(&targets).all(|(row, &target)| row[..] == [0., 0., target, 1.] && target > 2.0));
        assert_eq!(rows[5], [0., 0., 7., 1.]);
        assert_ne!(warped, inputs);
    }
    let (jittered, targets) = apply(Method::Jitter { sigma: 1.0 }, layout, &inputs, &[3., 4.]);
    let changed: Vec<usize> = (0..24).filter(|&i| jittered[i] != inputs[i]).collect();
    assert_eq!((changed, targets), (vec![0, 1, 2, 4, 5, 6, 8, 9, 10, 14, 18], vec![3., 4.]));
}

#[test]
fn features_that_are_no_targets_keep_their_size() {
    let layout = WindowLayout { n_features: 2, n_targets: 1, ..LAYOUT };
    let (inputs, targets) = apply(Method::Scale { sigma: 0.5 }, layout, &[1., 5., 2., 5., 3., 5.], &[4., 5.]);
    let factor = inputs[0];
    assert_ne!(factor, 1.0);
    for (i, found) in [inputs[0], inputs[2], inputs[4], targets[0], targets[1]].into_iter().enumerate() {
        assert!((found - factor * (i + 1) as f32).abs() < 1e-6);
    }
    assert_eq!([inputs[1], inputs[3], inputs[5]], [5.0; 3]);
}

fn gathered(augmentations: &[Augmentation], seed: u64, step: u64, indices: &[usize]) -> Vec<f32> {
    let values: Vec<f32> = (0..12).map(|i| i as f32).collect();
    let table = Table::new(Matrix::new(&values, 4).unwrap(), Matrix::new(&values[..3], 1).unwrap(), &[1.0; 3]);
    let augmenter = Augmenter::new(augmentations, WindowLayout::windows_alone(2, 2), seed).unwrap();
    let samples = augmenter.during(&table, step);
    let mut batch = Gathered::default();
    for &index in indices {
        samples.gather(index, &mut batch);
    }
    assert!(batch.targets.iter().zip(indices).all(|(&target, &index)| target == values[index]));
    assert_eq!((samples.len(), samples.input_len(), samples.target_len()), (3, 4, 1));
    batch.inputs
}

#[test]
fn a_sample_is_the_same_whenever_it_is_gathered() {
    let all = [Method::Jitter { sigma: 0.1 }, Method::MagnitudeWarp { knots: 2, sigma: 0.1 }].map(always);
    let samples: Vec<Vec<f32>> = (0..3).map(|index| gathered(&all, 1, 5, &[index])).collect();
    assert_eq!(gathered(&all, 1, 5, &[2, 0, 1]), [&samples[2][..], &samples[0], &samples[1]].concat());
    for (seed, step) in [(2, 5), (1, 6)] {
        let other = gathered(&all, seed, step, &[0, 1, 2]);
        assert!(other.iter().zip(samples.concat()).all(|(&a, b)| a != b));
    }
    assert_eq!(gathered(&[], 1, 5, &[1]), [4., 5., 6., 7.]);
    // the augmentation before draws from a stream of its own
    let never = Augmentation { probability: 0.0, ..all[0] };
    assert_eq!(gathered(&[never, all[0]], 1, 5, &[0]), gathered(&[never, all[0]], 1, 5, &[0]));
    assert_ne!(gathered(&[never, all[0]], 1, 5, &[0]), gathered(&[all[0]], 1, 5, &[0]));
}

#[test]
fn a_share_of_the_samples_is_changed() {
    let half = [Augmentation { probability: 0.25, method: Method::Jitter { sigma: 1.0 } }];
    let changed = (0..4000).filter(|&step| gathered(&half, 0, step, &[1]) != [4., 5., 6., 7.]).count();
    // binomial: 1000 with the standard deviation 27, of which five
    assert!(changed.abs_diff(1000) < 137, "{changed}");
}

#[test]
fn numbers_that_make_no_sense_are_named() {
    let text = |probability, method| Augmentation { probability, method }.check().unwrap_err().to_string();
    assert_eq!(text(1.5, SLICE), "expected probability from 0 to 1, got 1.5");
    assert_eq!(text(f64::NAN, SLICE), "expected probability from 0 to 1, got NaN");
    for size in [0.0, -1.0, 1.1, f64::NAN] {
        assert_eq!(text(1.0, Method::WindowSlice { size }), format!("expected size above 0 and at most 1, got {size}"));
    }
    for sigma in [-0.1, f64::NAN, f64::INFINITY] {
        let expected = format!("expected sigma of at least 0, got {sigma}");
        for method in [Method::Jitter { sigma }, Method::Scale { sigma }, Method::TimeWarp { knots: 4, sigma }] {
            assert_eq!(text(1.0, method), expected);
        }
    }
    for knots in [0, 1001] {
        let expected = format!("expected knots from 1 to 1000, got {knots}");
        assert_eq!(text(1.0, Method::MagnitudeWarp { knots, sigma: 0.1 }), expected);
    }
    let wrong = [Augmentation { probability: -1.0, method: SLICE }];
    assert!(Augmenter::new(&wrong, WindowLayout::windows_alone(2, 2), 0).is_err());
}

#[test]
fn targets_of_several_steps_are_left_as_they_are() {
    let layout = WindowLayout { supervised_steps: 3, ..LAYOUT };
    assert!(Augmenter::new(&[always(Method::Jitter { sigma: 0.1 })], layout, 0).is_ok());
    assert!(Augmenter::new(&[always(Method::Scale { sigma: 0.1 })], layout, 0).is_err());
}
