//! Several processes that train one network together; here they are threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};

use lstmforecast::error::{Error, Result};
use lstmforecast::train::processes::{Processes, Reducer, Share, Summed};
use lstmforecast::train::{Epoch, StopReason, TrainConfig};

use crate::training::{fit, model, training, weights, StopAfter};

/// What the threads have to add up, and where they wait for each other.
#[derive(Debug)]
struct Meeting {
    barrier: Barrier,
    terms: Mutex<Vec<Vec<Vec<f64>>>>,
}

#[derive(Debug)]
struct Thread {
    share: Share,
    meeting: Arc<Meeting>,
    /// Sums after which the others are gone.
    left: AtomicUsize,
}

fn doubles(summed: &Summed) -> Vec<f64> {
    match summed {
        Summed::Single(values) => values.iter().copied().map(f64::from).collect(),
        Summed::Double(values) => values.to_vec(),
    }
}

impl Reducer for Thread {
    fn share(&self) -> Share {
        self.share
    }

    fn sum(&self, numbers: &mut [Summed]) -> Result<()> {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 0 {
            return Err(Error::Process("they are gone".to_owned()));
        }
        self.meeting.terms.lock().unwrap()[self.share.rank] = numbers.iter().map(doubles).collect();
        self.meeting.barrier.wait();
        for (i, summed) in numbers.iter_mut().enumerate() {
            let terms = self.meeting.terms.lock().unwrap();
            let sum = |at: usize| terms.iter().map(|terms| terms[i][at]).sum::<f64>();
            match summed {
                #[allow(clippy::cast_possible_truncation)] // as it came
                Summed::Single(values) => (0..values.len()).for_each(|at| values[at] = sum(at) as f32),
                Summed::Double(values) => (0..values.len()).for_each(|at| values[at] = sum(at)),
            }
        }
        self.meeting.barrier.wait();
        Ok(())
    }
}

fn threads(world_size: usize, n_sums: usize) -> Vec<Processes> {
    let terms = Mutex::new((0..world_size).map(|_| Vec::new()).collect());
    let meeting = Arc::new(Meeting { barrier: Barrier::new(world_size), terms });
    let thread = |rank| {
        let (share, left) = (Share { rank, world_size }, AtomicUsize::new(n_sums));
        Processes::new(Arc::new(Thread { share, meeting: Arc::clone(&meeting), left }))
    };
    (0..world_size).map(thread).collect()
}

/// The history and the weights of each of these processes.
fn together(processes: Vec<Processes>, config: &TrainConfig) -> Vec<(Vec<Epoch>, StopReason, Vec<f32>)> {
    std::thread::scope(|scope| {
        let begin = |processes| {
            scope.spawn(move || {
                let config = TrainConfig { processes: Some(processes), ..config.clone() };
                let mut model = model();
                let outcome = fit(&mut model, &config, &mut StopAfter::default());
                (outcome.history, outcome.stop_reason, weights(&model))
            })
        };
        let threads: Vec<_> = processes.into_iter().map(begin).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn shares_are_even_and_leave_nothing_out() {
    for (n, world_size) in [(10, 3), (2, 5), (0, 2), (7, 1), (64, 8)] {
        let shares = (0..world_size).map(|rank| Share { rank, world_size });
        let most = Share { rank: 0, world_size }.most_rows(n);
        let rows: Vec<usize> = shares
            .clone()
            .flat_map(|share| {
                let rows = share.rows(n);
                assert!(rows.len() == most || rows.len() + 1 == most, "{rows:?} of {n}");
                rows
            })
            .collect();
        assert_eq!(rows, (0..n).collect::<Vec<_>>());
        let beyond: Vec<usize> = shares.flat_map(|share| share.of(&(100..100 + n))).collect();
        assert_eq!(beyond, (100..100 + n).collect::<Vec<_>>());
    }
}

#[test]
fn three_learn_what_one_learns() {
    let config = training();
    let mut alone = model();
    let expected = fit(&mut alone, &config, &mut StopAfter::default());
    let found = together(threads(3, usize::MAX), &config);
    for (history, stop_reason, weights) in &found {
        assert_eq!((stop_reason, weights), (&expected.stop_reason, &found[0].2));
        for (got, expected) in history.iter().zip(&expected.history) {
            // single precision, added up in another order
            assert!((got.train_loss - expected.train_loss).abs() < 1e-6);
            assert!((got.val_loss.unwrap() - expected.val_loss.unwrap()).abs() < 1e-6);
            assert!((got.grad_norm - expected.grad_norm).abs() < 1e-5);
        }
        assert_eq!(history.len(), expected.history.len());
    }
}

#[test]
fn the_loss_of_a_process_leaves_the_best_weights() {
    let config = TrainConfig { learning_rate: 0.1, max_epochs: 6, ..training() };
    // two sums and one more compare and align; then one for each of 8 batches, the held-out windows and the end of an epoch
    for (n_sums, n_epochs) in [(3 + 3 * 10 + 4, 3), (3 + 2 * 10 - 1, 2), (3 + 2 * 10 + 8, 2)] {
        let found = together(threads(1, n_sums), &config).remove(0);
        assert_eq!((found.0.len(), found.1), (n_epochs, StopReason::ProcessLost("they are gone".to_owned())));
        let best = found.0.iter().min_by(|a, b| a.monitored().total_cmp(&b.monitored())).unwrap().epoch;
        let mut again = model();
        fit(&mut again, &TrainConfig { max_epochs: best, ..config.clone() }, &mut StopAfter::default());
        assert_eq!(found.2, weights(&again));
    }
}
