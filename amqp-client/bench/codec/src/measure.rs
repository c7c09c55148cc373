//! Time and allocations of an operation, of several contenders in alternation.

use amqp_bench_support::thread_cpu;

use crate::alloc;

/// An operation that does itself so many times.
pub(crate) type Run = Box<dyn FnMut(u64)>;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Batches of each contender.
    pub(crate) rounds: usize,
    /// Seconds that a batch should take.
    batch: f64,
}

impl Default for Effort {
    fn default() -> Self {
        Self {
            rounds: 31,
            batch: 4e-3,
        }
    }
}

impl Effort {
    /// For a look.
    pub(crate) fn quick() -> Self {
        Self {
            rounds: 5,
            batch: 1e-3,
        }
    }
}

/// What an operation costs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    /// Nanoseconds of the middle batch.
    pub(crate) median: f64,
    /// Nanoseconds of the fastest batch.
    pub(crate) min: f64,
    /// Nanoseconds of the slowest batch.
    pub(crate) max: f64,
    /// Heap allocations, growths included.
    pub(crate) allocations: f64,
}

/// Measures the contenders batch by batch in alternation.
pub(crate) fn side_by_side<const N: usize>(mut runs: [Run; N], effort: Effort) -> [Measured; N] {
    let counts: [u64; N] = std::array::from_fn(|at| batch_size(&mut runs[at], effort.batch));
    let allocations: [f64; N] = std::array::from_fn(|at| {
        const TIMES: u64 = 100;
        alloc::count(|| runs[at](TIMES)) as f64 / TIMES as f64
    });
    let mut times: [Vec<f64>; N] = std::array::from_fn(|_| Vec::with_capacity(effort.rounds));
    for _ in 0..effort.rounds.max(1) {
        for at in 0..N {
            times[at].push(time(&mut runs[at], counts[at]));
        }
    }
    std::array::from_fn(|at| {
        let sorted = &mut times[at];
        sorted.sort_by(f64::total_cmp);
        // invariant: there is at least one round.
        let (min, max) = (sorted[0], sorted[sorted.len() - 1]);
        Measured {
            median: sorted[sorted.len() / 2],
            min,
            max,
            allocations: allocations[at],
        }
    })
}

/// How many operations make a batch; warms caches and branch predictors on the way.
fn batch_size(run: &mut Run, seconds: f64) -> u64 {
    let mut count = 16;
    loop {
        let each = time(run, count) * 1e-9;
        if each * count as f64 >= seconds / 4.0 {
            return ((seconds / each) as u64).max(1);
        }
        count *= 2;
    }
}

/// Nanoseconds of CPU an operation.
fn time(run: &mut Run, count: u64) -> f64 {
    let before = thread_cpu();
    run(count);
    (thread_cpu() - before) * 1e9 / count as f64
}
