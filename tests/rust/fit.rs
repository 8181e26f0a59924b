//! The loop of a training, over a learner that only writes down what it is asked for.

use std::ops::ControlFlow;

use lstmforecast::error::{Error, Result};
use lstmforecast::train::schedule::LrSchedule;
use lstmforecast::train::{fit, Epoch, Learner, Observer, Outcome, Part, Step, StopReason, TrainConfig};

use super::observers::InterruptAfter;

/// Its validation losses are given; its one weight is the number of steps taken.
#[derive(Default)]
struct Script {
    validation: Vec<f64>,
    /// The step, from 0, whose loss and gradient norm these are instead of 2 and 3.
    odd: Option<(usize, Step)>,
    fails_at: Option<usize>,
    n_validations: usize,
    weight: usize,
    remembered: usize,
    batches: Vec<(Vec<usize>, f64)>,
    /// After how many steps which parameters were unfrozen.
    unfrozen: Vec<(usize, Vec<String>)>,
}

impl Learner for Script {
    fn n_samples(&self) -> usize {
        10
    }

    fn step(&mut self, indices: &[usize], learning_rate: f64) -> Result<Step> {
        let number = self.batches.len();
        self.batches.push((indices.to_vec(), learning_rate));
        self.weight += 1;
        if self.fails_at == Some(number) {
            return Err(Error::Torch("no memory".to_owned()));
        }
        Ok(self.odd.filter(|(odd, _)| *odd == number).map_or(Step { loss: 2.0, grad_norm: 3.0 }, |(_, step)| step))
    }

    fn validate(&mut self) -> Result<Option<f64>> {
        let loss = self.validation.get(self.n_validations).copied();
        self.n_validations += 1;
        Ok(loss)
    }

    fn remember(&mut self) {
        self.remembered = self.weight;
    }

    fn restore(&mut self) {
        self.weight = self.remembered;
    }

    fn parts(&mut self) -> Vec<(String, Part<'_>)> {
        Vec::new()
    }

    fn resume(&mut self, n_steps: u64) {
        self.weight = usize::try_from(n_steps).unwrap();
    }

    fn unfreeze(&mut self, names: &[String]) {
        self.unfrozen.push((self.batches.len(), names.to_vec()));
    }
}

fn config() -> TrainConfig {
    TrainConfig { learning_rate: 0.5, batch_size: 4, max_epochs: 5, seed: 1, ..TrainConfig::default() }
}

/// Steps in an epoch: ten samples, four at a time.
const BATCHES: usize = 3;

/// Unfreezes a parameter after its second epoch.
struct UnfreezeLater(usize);

impl Observer for UnfreezeLater {
    fn on_batch(&mut self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
    fn on_epoch(&mut self, epoch: &Epoch) -> ControlFlow<()> {
        self.0 = epoch.epoch;
        ControlFlow::Continue(())
    }
    fn unfrozen(&mut self) -> Vec<String> {
        if self.0 == 2 {
            vec!["fc.bias".to_owned()]
        } else {
            Vec::new()
        }
    }
}

#[test]
fn the_observer_unfreezes_between_epochs() {
    let mut learner = Script::default();
    fit(&mut learner, &config(), &mut UnfreezeLater(0)).unwrap();
    assert_eq!(learner.unfrozen, [(2 * BATCHES, vec!["fc.bias".to_owned()])]);
}

fn run(learner: &mut Script, config: &TrainConfig) -> Outcome {
    fit(learner, config, &mut InterruptAfter(usize::MAX)).unwrap()
}

#[test]
fn every_epoch_visits_every_sample_once_in_an_order_of_its_own() {
    let mut learner = Script::default();
    run(&mut learner, &config());
    let lengths: Vec<usize> = learner.batches.iter().map(|(indices, _)| indices.len()).collect();
    assert_eq!(lengths, [4, 4, 2].repeat(5));
    let indices: Vec<usize> = learner.batches.iter().flat_map(|(indices, _)| indices.clone()).collect();
    let mut orders: Vec<&[usize]> = indices.chunks(10).collect();
    for order in &orders {
        let mut sorted = order.to_vec();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..10).collect::<Vec<_>>());
    }
    orders.sort_unstable();
    orders.dedup();
    assert_eq!(orders.len(), 5, "{orders:?}");
}

#[test]
fn an_epoch_of_some_steps_goes_on_where_the_last_one_ended() {
    let mut learner = Script::default();
    let outcome = run(&mut learner, &TrainConfig { steps_per_epoch: Some(2), ..config() });
    assert_eq!((outcome.history.len(), learner.batches.len()), (5, 10));
    // four passes over ten samples, each in an order of its own
    let indices: Vec<usize> = learner.batches.iter().flat_map(|(indices, _)| indices.clone()).collect();
    for pass in indices.chunks(10) {
        let mut sorted = pass.to_vec();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..10).collect::<Vec<_>>());
    }
    assert_ne!(indices[..10], indices[10..20]);
}

#[test]
fn a_batch_is_never_larger_than_the_samples() {
    let mut learner = Script::default();
    run(&mut learner, &TrainConfig { steps_per_epoch: Some(3), batch_size: 64, max_epochs: 1, ..config() });
    assert_eq!(learner.batches.iter().map(|(indices, _)| indices.len()).collect::<Vec<_>>(), [10, 10, 10]);
}

#[test]
fn a_curve_runs_over_all_steps() {
    let mut learner = Script::default();
    let outcome = run(&mut learner, &TrainConfig { lr_schedule: LrSchedule::Cosine, ..config() });
    let rates: Vec<f64> = learner.batches.iter().map(|(_, rate)| *rate).collect();
    let expected: Vec<f64> = (0..5 * BATCHES).map(|step| 0.5 * LrSchedule::Cosine.factor(step, 5 * BATCHES)).collect();
    assert_eq!(rates, expected);
    assert_eq!(outcome.history[4].learning_rate, expected[5 * BATCHES - 1]);
}

#[test]
fn without_shuffling_the_order_is_that_of_the_samples() {
    let mut learner = Script::default();
    run(&mut learner, &TrainConfig { shuffle: false, ..config() });
    for epoch in learner.batches.chunks(BATCHES) {
        assert_eq!(
            epoch.iter().flat_map(|(indices, _)| indices.clone()).collect::<Vec<_>>(),
            (0..10).collect::<Vec<_>>()
        );
    }
}

#[test]
fn a_record_has_the_means_over_samples() {
    let mut learner =
        Script { odd: Some((2, Step { loss: 7.0, grad_norm: 13.0 })), validation: vec![0.25], ..Script::default() };
    let outcome = run(&mut learner, &TrainConfig { max_epochs: 1, ..config() });
    let epoch = outcome.history[0];
    // batches of 4, 4 and 2: (8 * 2 + 2 * 7) / 10, (8 * 3 + 2 * 13) / 10
    assert_eq!((epoch.epoch, epoch.train_loss, epoch.grad_norm, epoch.val_loss), (1, 3.0, 5.0, Some(0.25)));
    assert_eq!((epoch.learning_rate, outcome.stop_reason), (0.5, StopReason::MaxEpochs));
}

#[test]
fn the_schedule_s_rate_reaches_the_steps() {
    let mut learner = Script { validation: vec![3.0, 3.0, 3.0, 1.0, 1.0], ..Script::default() };
    let outcome = run(&mut learner, &TrainConfig { lr_patience: Some(0), ..config() });
    // halved after each epoch without improvement: the second, the third, the fifth
    let expected = [0.5, 0.5, 0.25, 0.125, 0.125];
    assert_eq!(outcome.history.iter().map(|epoch| epoch.learning_rate).collect::<Vec<_>>(), expected);
    let rates: Vec<f64> = learner.batches.iter().map(|(_, rate)| *rate).collect();
    assert_eq!(rates, expected.iter().flat_map(|&rate| [rate; BATCHES]).collect::<Vec<_>>());
}

#[test]
fn the_weights_of_the_least_validation_loss_come_back() {
    let mut learner = Script { validation: vec![3.0, 1.0, 2.0, 1.0, 0.5], ..Script::default() };
    let outcome = run(&mut learner, &TrainConfig { patience: Some(2), ..config() });
    // the fourth epoch only equals the second
    assert_eq!((outcome.stop_reason, outcome.history.len(), outcome.best_epoch), (StopReason::Patience, 4, 2));
    assert_eq!(learner.weight, 2 * BATCHES);
}

#[test]
fn a_loss_or_a_norm_that_leaves_the_numbers_ends_the_training() {
    for step in [Step { loss: f64::NAN, grad_norm: 1.0 }, Step { loss: 1.0, grad_norm: f64::INFINITY }] {
        for (at, weight) in [(0, 0), (1, 0), (BATCHES + 1, BATCHES)] {
            let mut learner = Script { odd: Some((at, step)), ..Script::default() };
            let outcome = run(&mut learner, &config());
            let (epoch, batch) = (at / BATCHES + 1, at % BATCHES + 1);
            let what = if step.loss.is_nan() { "training loss became NaN" } else { "norm of the gradient became inf" };
            let text = format!(
                "the {what} in epoch {epoch}, batch {batch}: try a lower learning_rate (it was 5e-1) or \
                 clip_grad_norm=1.0, and data of ordinary size"
            );
            assert_eq!(outcome.stop_reason, StopReason::Diverged(text));
            assert_eq!((outcome.best_epoch, learner.weight), (epoch - 1, weight));
        }
    }
}

#[test]
fn a_validation_loss_that_leaves_the_numbers_ends_the_training() {
    let mut learner = Script { validation: vec![2.0, f64::NAN], ..Script::default() };
    let outcome = run(&mut learner, &config());
    let StopReason::Diverged(text) = &outcome.stop_reason else { panic!("{:?}", outcome.stop_reason) };
    assert!(text.starts_with("the validation loss became NaN after epoch 2, batch 3: try a lower"), "{text}");
    assert_eq!((outcome.best_epoch, outcome.history.len(), learner.weight), (1, 1, BATCHES));
}

#[test]
fn a_step_takes_as_many_batches_as_are_accumulated() {
    let mut learner = Script::default();
    let config = TrainConfig { batch_size: 3, accumulate_grad_batches: 2, max_epochs: 1, ..config() };
    run(&mut learner, &config);
    assert_eq!(learner.batches.iter().map(|(indices, _)| indices.len()).collect::<Vec<_>>(), [6, 4]);
    let mut learner = Script::default();
    let outcome = run(&mut learner, &TrainConfig { steps_per_epoch: Some(3), max_epochs: 2, ..config });
    assert_eq!((learner.batches.len(), outcome.history.len()), (6, 2));
    assert!(learner.batches.iter().all(|(indices, _)| indices.len() == 6));
}

#[test]
fn an_interrupt_keeps_what_a_first_epoch_has_learned() {
    for (after, weight) in [(2, 2), (BATCHES + 2, BATCHES)] {
        let mut learner = Script::default();
        let outcome = fit(&mut learner, &config(), &mut InterruptAfter(after)).unwrap();
        assert_eq!((outcome.stop_reason, learner.weight), (StopReason::Interrupted, weight));
    }
}

#[test]
fn what_the_learner_fails_with_is_passed_on() {
    let mut learner = Script { fails_at: Some(4), ..Script::default() };
    let error = fit(&mut learner, &config(), &mut InterruptAfter(usize::MAX)).unwrap_err();
    assert_eq!(error.to_string(), "libtorch: no memory");
}
