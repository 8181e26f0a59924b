//! A loop that was cut off goes on from its checkpoint, over a learner of one number.

use std::path::Path;

use proptest::prelude::*;

use lstmforecast::error::{Error, Result};
use lstmforecast::store;
use lstmforecast::train::checkpoint::seed;
use lstmforecast::train::config::CheckpointConfig;
use lstmforecast::train::schedule::LrSchedule;
use lstmforecast::train::{
    fit, fit_with_checkpoints, Checkpoints, Epoch, Learner, Outcome, Part, Step, StopReason, TrainConfig,
};

use super::observers::InterruptAfter;

/// Validation losses of the epochs: the rate falls twice, and the best is the sixth.
const VALIDATION: [f64; 9] = [3.0, 2.0, 2.5, 2.5, 1.5, 1.0, 1.2, 1.1, 1.3];
const STEPS: usize = 3;

/// Its weight is the sum of the rates so far.
struct Sum {
    weight: [f32; 1],
    remembered: [f32; 1],
    n_steps: u64,
}

impl Sum {
    fn new() -> Self {
        Self { weight: [0.5], remembered: [0.0], n_steps: 0 }
    }
}

impl Learner for Sum {
    fn n_samples(&self) -> usize {
        10
    }

    fn step(&mut self, indices: &[usize], learning_rate: f64) -> Result<Step> {
        #[allow(clippy::cast_possible_truncation)]
        let change = learning_rate as f32;
        self.weight[0] += change * indices[0] as f32;
        self.n_steps += 1;
        Ok(Step { loss: f64::from(self.weight[0]), grad_norm: learning_rate })
    }

    fn validate(&mut self) -> Result<Option<f64>> {
        // a changed checkpoint may tell of other steps than were taken
        let epoch = (usize::try_from(self.n_steps).unwrap() / STEPS).clamp(1, VALIDATION.len());
        Ok(Some(VALIDATION[epoch - 1]))
    }

    fn remember(&mut self) {
        self.remembered = self.weight;
    }

    fn restore(&mut self) {
        self.weight = self.remembered;
    }

    fn parts(&mut self) -> Vec<(String, Part<'_>)> {
        let parts = [("weight", &mut self.weight), ("remembered", &mut self.remembered)];
        parts.map(|(name, numbers)| (name.to_owned(), Part::Numbers(numbers))).into()
    }

    fn resume(&mut self, n_steps: u64) {
        self.n_steps = n_steps;
    }
}

fn config(lr_schedule: LrSchedule) -> TrainConfig {
    TrainConfig {
        learning_rate: 0.5,
        batch_size: 4,
        max_epochs: 9,
        patience: Some(3),
        lr_schedule,
        lr_patience: Some(0),
        seed: 1,
        ..TrainConfig::default()
    }
}

fn open(folder: &Path, fingerprint: &[(&str, &str)]) -> Result<Checkpoints> {
    let config = CheckpointConfig {
        folder: folder.to_owned(),
        every_n_epochs: None,
        every_n_minutes: None,
        keep: 1,
        resume: true,
    };
    let fingerprint = fingerprint.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Checkpoints::open(&config, fingerprint.collect())
}

fn timeless(outcome: Outcome) -> (Vec<Epoch>, usize, StopReason) {
    let history = outcome.history.into_iter().map(|epoch| Epoch { seconds: 0.0, ..epoch });
    (history.collect(), outcome.best_epoch, outcome.stop_reason)
}

#[test]
fn wherever_it_was_cut_off_it_ends_as_one_that_was_not() {
    for lr_schedule in [LrSchedule::Plateau, LrSchedule::OneCycle] {
        let config = config(lr_schedule);
        let mut whole = Sum::new();
        let expected = timeless(fit(&mut whole, &config, &mut InterruptAfter(usize::MAX)).unwrap());
        assert_eq!((expected.1, &expected.2), (6, &StopReason::Patience));
        for n_batches in 1..VALIDATION.len() * STEPS {
            let folder = tempfile::tempdir().unwrap();
            let mut interrupt = InterruptAfter(n_batches);
            let checkpoints = open(folder.path(), &[("seed", "7")]).unwrap();
            assert!(!checkpoints.is_found());
            fit_with_checkpoints(&mut Sum::new(), &config, &mut interrupt, Some(checkpoints)).unwrap();
            let checkpoints = open(folder.path(), &[("seed", "7")]).unwrap();
            assert_eq!(checkpoints.is_found(), n_batches > STEPS);
            assert_eq!(seed(folder.path()).unwrap(), checkpoints.is_found().then_some(7));
            let mut resumed = Sum::new();
            let mut interrupt = InterruptAfter(usize::MAX);
            let outcome = fit_with_checkpoints(&mut resumed, &config, &mut interrupt, Some(checkpoints)).unwrap();
            assert_eq!(timeless(outcome), expected, "after {n_batches} batches");
            assert_eq!(resumed.weight[0].to_bits(), whole.weight[0].to_bits());
        }
    }
}

/// The checkpoint of a training that was interrupted in its third epoch, and what a change of it leads to.
fn resume_changed(change: impl FnOnce(&mut store::Contents)) -> Result<f32> {
    let folder = tempfile::tempdir().unwrap();
    let config = config(LrSchedule::Plateau);
    let checkpoints = open(folder.path(), &[("seed", "7")]).unwrap();
    let mut interrupt = InterruptAfter(2 * STEPS + 1);
    fit_with_checkpoints(&mut Sum::new(), &config, &mut interrupt, Some(checkpoints)).unwrap();
    let path = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let mut contents = store::read(&path).unwrap();
    change(&mut contents);
    store::write(&path, &contents.0, contents.1).unwrap();
    let mut resumed = Sum::new();
    let checkpoints = open(folder.path(), &[("seed", "7")])?;
    fit_with_checkpoints(&mut resumed, &config, &mut InterruptAfter(usize::MAX), Some(checkpoints))?;
    Ok(resumed.weight[0])
}

#[test]
fn numbers_that_no_training_has_are_refused() {
    let whole = resume_changed(|_| ()).unwrap();
    assert!(whole.is_finite());
    let bad: [(&str, f64); 12] = [
        ("n_steps", f64::NAN),
        ("n_steps", -1.0),
        ("n_steps", 1e300),
        ("learning_rate", f64::INFINITY),
        ("learning_rate", 0.0),
        ("best_loss", f64::NAN),
        ("best_epoch", 0.0),
        ("best_epoch", 3.0),
        ("plateau_n_bad", 1e9),
        ("stopping_n_bad", 1e9),
        ("stopping_best", f64::NAN),
        ("history", f64::NAN),
    ];
    for (name, value) in bad {
        let found = resume_changed(|(tensors, _)| {
            tensors.get_mut(&format!("progress.{name}")).unwrap().bytes[..8].copy_from_slice(&value.to_le_bytes());
        });
        assert!(matches!(found, Err(Error::Format(_))), "{name} {value}: {found:?}");
    }
    for value in [f32::NAN, f32::INFINITY] {
        let found = resume_changed(|(tensors, _)| {
            tensors.get_mut("learner.weight").unwrap().bytes.copy_from_slice(&value.to_le_bytes());
        });
        assert!(matches!(found, Err(Error::Format(_))), "{value}: {found:?}");
    }
}

proptest! {
    #[test]
    fn any_number_is_refused_or_trained_on(tensor in 0usize..11, at in any::<prop::sample::Index>(), bits in any::<u64>()) {
        let found = resume_changed(|(tensors, _)| {
            let mut names: Vec<_> = tensors.keys().cloned().collect();
            names.sort();
            let bytes = &mut tensors.get_mut(&names[tensor % names.len()]).unwrap().bytes;
            let at = at.index(bytes.len());
            let n = (bytes.len() - at).min(8);
            bytes[at..at + n].copy_from_slice(&bits.to_le_bytes()[..n]);
        });
        prop_assert!(found.is_err() || found.is_ok_and(f32::is_finite));
    }
}

#[test]
fn the_first_difference_of_another_training_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = open(folder.path(), &[("b", "1"), ("a", "2")]).unwrap();
    let mut interrupt = InterruptAfter(STEPS + 1);
    fit_with_checkpoints(&mut Sum::new(), &config(LrSchedule::Cosine), &mut interrupt, Some(checkpoints)).unwrap();
    let others: [(&[(&str, &str)], &str); 4] = [
        (&[("b", "3"), ("a", "4")], "b 1"),
        (&[("b", "1"), ("a", "4")], "a 2"),
        (&[("b", "1")], "a 2"),
        (&[("b", "1"), ("a", "2"), ("c", "3")], "c none"),
    ];
    for (fingerprint, expected) in others {
        let error = open(folder.path(), fingerprint).err().unwrap();
        assert!(matches!(error, Error::Value(_)));
        let text = error.to_string();
        assert!(text.starts_with(&format!("expected {expected} as in the checkpoint")), "{text}");
    }
}
