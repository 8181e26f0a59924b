//! Threads that wait for work: awake during a training, asleep between them.
//!
//! A training step is over in a millisecond and hands out work four times, so a worker looks out for the next piece for a
//! few microseconds before it goes to sleep. A part that its worker has not begun when the caller has finished its own, as on a
//! busy machine, is computed by the caller: it never waits for a worker that has not begun. There is one pool in a process. A caller
//! that finds it taken computes all parts of the work itself, in order, with the same result: what a part computes depends on its
//! number alone.

use std::cell::UnsafeCell;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::{self, Thread};

/// Looks at the job counter before a worker goes to sleep: about 50 microseconds.
const LOOKS: usize = 4_000;
/// Looks that are also a hint to the processor only; after them the core is offered to others.
const SPINS: usize = 1_000;

type Work<'a> = &'a (dyn Fn(usize) + Sync);

/// Parts that a job may have: its number of parts is the remainder of `Shared::jobs`.
const MOST_PARTS: usize = 1 << 12;

/// Threads that are started at the most.
const MOST_THREADS: usize = 1024;

/// What the caller shares with the workers.
struct Shared {
    /// The present job; written before `jobs` changes, and read after by the workers that have a part in it.
    job: UnsafeCell<Option<Work<'static>>>,
    /// `MOST_PARTS` times the number of jobs so far, plus the number of parts of the present one.
    jobs: AtomicUsize,
    /// Parts of the present job that are not finished, the caller's own aside.
    busy: AtomicUsize,
    panicked: AtomicBool,
}

// SAFETY: `job` is written only by the holder of the pool's lock while no part is unfinished, and read only by workers that
// have claimed a part of the job which they saw in `jobs`, between its change and their counting down of `busy`, both of
// which order memory.
unsafe impl Sync for Shared {}
// SAFETY: as above; the work itself is `Sync`.
unsafe impl Send for Shared {}

struct PoolThread {
    thread: Thread,
    asleep: Arc<AtomicBool>,
    claim: Arc<Claim>,
}

/// The last job in which a worker's part was begun, by the worker or in its place.
#[derive(Default)]
struct Claim(AtomicUsize);

impl Claim {
    /// Whether the part is for the calling thread to compute: true once for each job, and never for one that is over, as jobs
    /// only grow.
    fn take(&self, job: usize) -> bool {
        self.0.fetch_max(job, Ordering::AcqRel) < job
    }
}

struct Pool {
    shared: Arc<Shared>,
    workers: Vec<PoolThread>,
    /// The process that made the threads: after a fork, the child has none of them.
    process: u32,
}

static POOL: Mutex<Option<Pool>> = Mutex::new(None);

/// Threads to use: as many as asked for, else as `OMP_NUM_THREADS` allows (which joblib sets in its workers), else as many
/// as there are processors for this process.
pub fn n_threads(asked: Option<usize>) -> usize {
    static PROCESSORS: OnceLock<usize> = OnceLock::new();
    let allowed = || -> Option<usize> {
        let n: usize = std::env::var("OMP_NUM_THREADS").ok()?.split(',').next()?.trim().parse().ok()?;
        Some(n.min(MOST_THREADS))
    };
    let processors = || *PROCESSORS.get_or_init(|| thread::available_parallelism().map_or(1, usize::from));
    asked.or_else(allowed).filter(|&n| n > 0).unwrap_or_else(processors)
}

/// Calls `work(item index, item)` for each item, on as many threads as there are items.
pub fn for_each<T: Send>(items: &mut [T], work: impl Fn(usize, &mut T) + Sync) {
    struct Items<T>(*mut T);
    // SAFETY: the parts of a job have different numbers, so that each item is reached by one thread only.
    unsafe impl<T: Send> Sync for Items<T> {}
    impl<T> Items<T> {
        fn at(&self, index: usize) -> *mut T {
            self.0.wrapping_add(index)
        }
    }
    let base = Items(items.as_mut_ptr());
    run(items.len(), &|index| {
        // SAFETY: `run` calls with each index below `items.len()` once and returns when all calls have.
        work(index, unsafe { &mut *base.at(index) });
    });
}

/// Calls `work(part)` for each part below `n_parts`, the first on this thread, and returns when all calls have.
fn run(n_parts: usize, work: Work) {
    if (2..MOST_PARTS).contains(&n_parts) {
        if let Ok(mut pool) = POOL.try_lock() {
            if let Some(ready) = Pool::of_this_process(&mut pool, n_parts - 1) {
                let outcome = ready.run(n_parts, work);
                // a panic that went on while it is locked would poison it, and all later work would be done on one thread
                drop(pool);
                return outcome.unwrap_or_else(|panic| resume_unwind(panic));
            }
        }
    }
    (0..n_parts).for_each(work);
}

impl Pool {
    /// The pool with so many workers; `None` if the system has no room for a thread more.
    fn of_this_process(pool: &mut Option<Self>, n_workers: usize) -> Option<&mut Self> {
        let process = std::process::id();
        if pool.as_ref().is_some_and(|pool| pool.process != process) {
            // its threads stayed in the parent, and with them what they share
            std::mem::forget(pool.take());
        }
        let pool = pool.get_or_insert_with(|| Self {
            shared: Arc::new(Shared {
                job: UnsafeCell::new(None),
                jobs: AtomicUsize::new(0),
                busy: AtomicUsize::new(0),
                panicked: AtomicBool::new(false),
            }),
            workers: Vec::new(),
            process,
        });
        while pool.workers.len() < n_workers {
            pool.hire().ok()?;
        }
        Some(pool)
    }

    fn hire(&mut self) -> std::io::Result<()> {
        let (shared, index) = (Arc::clone(&self.shared), self.workers.len());
        let asleep = Arc::new(AtomicBool::new(false));
        let seen = shared.jobs.load(Ordering::Acquire);
        let claim = Arc::new(Claim::default());
        let (flag, claimed) = (Arc::clone(&asleep), Arc::clone(&claim));
        let name = format!("lstmforecast-{}", index + 1);
        let handle = thread::Builder::new().name(name).spawn(move || shared.serve(index + 1, seen, &flag, &claimed))?;
        self.workers.push(PoolThread { thread: handle.thread().clone(), asleep, claim });
        Ok(())
    }

    /// The outcome is the panic of a part, if one panicked.
    fn run(&self, n_parts: usize, work: Work) -> thread::Result<()> {
        // SAFETY: the reference is used only until `busy` is zero again, for which this function waits, whatever happens.
        let eternal: Work<'static> = unsafe { std::mem::transmute(work) };
        // SAFETY: no worker is busy and this thread holds the pool's lock.
        unsafe { *self.shared.job.get() = Some(eternal) };
        self.shared.busy.store(n_parts - 1, Ordering::Relaxed);
        let jobs = self.shared.jobs.load(Ordering::Relaxed);
        let job = jobs - jobs % MOST_PARTS + MOST_PARTS + n_parts;
        self.shared.jobs.store(job, Ordering::SeqCst);
        let workers = &self.workers[..n_parts - 1];
        for worker in workers {
            if worker.asleep.swap(false, Ordering::SeqCst) {
                worker.thread.unpark();
            }
        }
        let mine = catch_unwind(AssertUnwindSafe(|| work(0)));
        for (part, worker) in (1..).zip(workers) {
            if worker.claim.take(job) {
                self.shared.do_part(work, part);
            }
        }
        let mut looks = 0;
        while self.shared.busy.load(Ordering::Acquire) > 0 {
            wait(&mut looks);
        }
        let theirs = self.shared.panicked.swap(false, Ordering::Relaxed);
        mine?;
        if theirs {
            return Err(Box::new("a thread of the pool panicked"));
        }
        Ok(())
    }
}

impl Shared {
    fn serve(&self, part: usize, mut seen: usize, asleep: &AtomicBool, claim: &Claim) {
        loop {
            seen = self.next_job(part, seen, asleep);
            if !claim.take(seen) {
                continue;
            }
            // SAFETY: written before `jobs` changed, and not again before this worker, which has claimed a part of it, counts
            // `busy` down.
            if let Some(work) = unsafe { *self.job.get() } {
                self.do_part(work, part);
            }
        }
    }

    fn do_part(&self, work: Work, part: usize) {
        if catch_unwind(AssertUnwindSafe(|| work(part))).is_err() {
            self.panicked.store(true, Ordering::Relaxed);
        }
        self.busy.fetch_sub(1, Ordering::Release);
    }

    /// Waits until `jobs` is no longer `seen` and has a part for this worker; returns it.
    fn next_job(&self, part: usize, seen: usize, asleep: &AtomicBool) -> usize {
        let is_news = |jobs: usize| jobs != seen && part < jobs % MOST_PARTS;
        let mut looks = 0;
        loop {
            let jobs = self.jobs.load(Ordering::Acquire);
            if is_news(jobs) {
                return jobs;
            }
            if looks < LOOKS {
                wait(&mut looks);
                continue;
            }
            asleep.store(true, Ordering::SeqCst);
            // a job that came in between has either been seen here or woken this thread
            if !is_news(self.jobs.load(Ordering::SeqCst)) {
                thread::park();
            }
            asleep.store(false, Ordering::SeqCst);
        }
    }
}

fn wait(looks: &mut usize) {
    *looks += 1;
    if *looks < SPINS {
        std::hint::spin_loop();
    } else {
        thread::yield_now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_item_is_visited_once() {
        for n in [0, 1, 2, 3, 7] {
            for _ in 0..200 {
                let mut items = vec![0usize; n];
                for_each(&mut items, |index, item| *item += index + 1);
                assert_eq!(items, (1..=n).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn callers_don_t_wait_for_each_other() {
        let sums: Vec<usize> = thread::scope(|scope| {
            let callers: Vec<_> = (0..4)
                .map(|caller| {
                    scope.spawn(move || {
                        let mut total = 0;
                        for _ in 0..500 {
                            let mut items = vec![caller; 3];
                            for_each(&mut items, |index, item| *item += index);
                            total += items.iter().sum::<usize>();
                        }
                        total
                    })
                })
                .collect();
            callers.into_iter().map(|caller| caller.join().unwrap()).collect()
        });
        assert_eq!(sums, [1500, 3000, 4500, 6000]);
    }

    #[test]
    fn a_panic_comes_back_and_the_pool_lives_on() {
        for part in 0..3 {
            let mut items = vec![0; 3];
            let outcome = catch_unwind(AssertUnwindSafe(|| for_each(&mut items, |index, _| assert_ne!(index, part))));
            assert!(outcome.is_err());
        }
        let mut items = vec![0; 3];
        for_each(&mut items, |index, item| *item = index);
        assert_eq!(items, [0, 1, 2]);
        assert!(!POOL.is_poisoned());
    }

    #[test]
    fn work_within_work_is_done_in_place() {
        let mut items = vec![0; 2];
        for_each(&mut items, |_, item| {
            let mut inner = vec![1; 2];
            for_each(&mut inner, |_, inner| *inner += 1);
            *item = inner.iter().sum();
        });
        assert_eq!(items, [4, 4]);
    }

    #[test]
    fn a_sleeping_worker_wakes() {
        for _ in 0..3 {
            thread::sleep(std::time::Duration::from_millis(20));
            let mut items = vec![0; 2];
            for_each(&mut items, |index, item| *item = index + 1);
            assert_eq!(items, [1, 2]);
        }
    }
}
