//! Forecasts of one window take no memory but that of their answer, augmented windows none, accumulated batches that of one.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use lstmforecast::kernel::workspace::Needs;
use lstmforecast::model::{Backend, Model, ModelConfig};
use lstmforecast::network::fused::FusedNetwork;
use lstmforecast::network::{draw, NetworkConfig};
use lstmforecast::series::augment::{Augmentation, Augmenter, Method, Scratch};
use lstmforecast::series::lens::WindowLayout;
use lstmforecast::series::normalize::Normalize;
use lstmforecast::series::table::Table;
use lstmforecast::series::Matrix;
use lstmforecast::train::fused_gradient::FusedGradient;
use lstmforecast::train::loss::Loss;
use lstmforecast::train::processes::Share;
use lstmforecast::train::sample_batch::SampleBatch;

/// The system's allocator, which counts what the present thread asks of it.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is handed to the system's allocator; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // a thread that is ending has no counter any more
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        let _ = BYTES.try_with(|bytes| bytes.set(bytes.get() + layout.size()));
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
            hidden_size,
            num_layers: 2,
            bidirectional: true,
            window_size: 10,
            horizon: 3,
            n_features: 2,
            normalize: Some(Normalize::Last),
            backend: Backend::Fused,
            ..ModelConfig::default()
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

/// Bytes that a step over 256 windows of 50 steps asks for, cut into batches of `batch_size`.
fn bytes_of_a_step(batch_size: usize) -> usize {
    let config = NetworkConfig::default();
    let weights = draw(&config, 0).unwrap();
    let network = FusedNetwork::new(&config, &weights).unwrap();
    let (inputs, targets) = (vec![0.5f32; 256 * 50], vec![1.0f32; 256]);
    let (inputs, targets) = (Matrix::new(&inputs, 50).unwrap(), Matrix::new(&targets, 1).unwrap());
    let table = Table::new(inputs, targets, &[1.0; 256]);
    let indices: Vec<usize> = (0..256).collect();
    let before = BYTES.get();
    let mut gradient = FusedGradient::new(&network, batch_size, 50, Needs::default(), 1);
    gradient.compute(
        &network,
        SampleBatch { samples: &table, indices: &indices, share: Share::WHOLE, loss: &Loss::Mse, masks: None },
    );
    BYTES.get() - before
}

#[test]
fn accumulated_batches_take_the_memory_of_one() {
    let (all_at_once, sixteen) = (bytes_of_a_step(256), bytes_of_a_step(16));
    // the weights' gradient is of one size
    assert!(sixteen < all_at_once / 8, "{sixteen} bytes against {all_at_once}");
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
    let augmenter = Augmenter::new(&augmentations, WindowLayout::windows_alone(20, 3), 0).unwrap();
    let (mut window, mut scratch) = ([1.0f32; 60], Scratch::default());
    let mut apply = |step| augmenter.apply((step, 0), (&mut window, &mut []), &mut scratch);
    apply(0);
    assert_eq!(count(|| (1..100).for_each(apply)), 0);
}
