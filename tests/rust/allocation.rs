//! Forecasts of one window take no memory but that of their answer, and augmented windows none.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use lstmforecast::model::{Backend, Channels, Model, ModelConfig, Supervision};
use lstmforecast::network::Architecture;
use lstmforecast::series::augment::{windows_alone, Augmentation, Augmenter, Method, Scratch};
use lstmforecast::series::normalize::Normalize;
use lstmforecast::series::Matrix;

/// The system's allocator, which counts what the present thread asks of it.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is handed to the system's allocator; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // a thread that is ending has no counter any more
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations that `work` makes on this thread.
fn count(work: impl FnOnce()) -> usize {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

#[test]
fn allocations_are_counted() {
    assert_eq!(count(|| drop(Box::new(1))), 1);
    assert_eq!(count(|| drop(vec![0.0; 9])), 1);
}

#[test]
fn one_window_takes_the_memory_of_its_forecast() {
    for (hidden_size, n_threads) in [(8, 1), (150, 2)] {
        let mut model = Model::new(ModelConfig {
            architecture: Architecture::Lstm,
            hidden_size,
            num_layers: 2,
            bidirectional: true,
            dropout: 0.0,
            window_size: 10,
            segment_length: 1,
            linear_skip: false,
            channels: Channels::Together,
            horizon: 3,
            n_features: 2,
            n_targets: 1,
            normalize: Some(Normalize::Last),
            n_known: 0,
            indicator: false,
            distribution: None,
            supervision: Supervision::Last,
            tbptt: None,
            backend: Backend::Fused,
            device: "cpu".to_owned(),
            seed: 0,
        })
        .unwrap();
        let values: Vec<f64> = (0..20).map(f64::from).collect();
        let window = Matrix::new(&values, 20).unwrap();
        // the first one makes the room
        let first = model.forecast(window, None, Some(n_threads)).unwrap();
        let n_allocations = count(|| assert_eq!(model.forecast(window, None, Some(n_threads)).unwrap(), first));
        assert_eq!(n_allocations, 1, "{hidden_size} units, {n_threads} threads");
    }
}

#[test]
fn augmented_windows_take_no_memory_after_the_first() {
    let methods = [
        Method::Jitter { sigma: 0.1 },
        Method::Scale { sigma: 0.1 },
        Method::MagnitudeWarp { knots: 4, sigma: 0.1 },
        Method::TimeWarp { knots: 4, sigma: 0.1 },
        Method::WindowSlice { size: 0.9 },
    ];
    let augmentations = methods.map(|method| Augmentation { probability: 1.0, method });
    let augmenter = Augmenter::new(&augmentations, windows_alone(20, 3), 0).unwrap();
    let (mut window, mut scratch) = ([1.0f32; 60], Scratch::default());
    let mut apply = |step| augmenter.apply((step, 0), (&mut window, &mut []), &mut scratch);
    apply(0);
    assert_eq!(count(|| (1..100).for_each(apply)), 0);
}
