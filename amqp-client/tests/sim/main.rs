//! Deterministic simulation: two engines, a virtual wire and clock, random applications.
//!
//! A run is one connection or several: when one is cut, closed or given up, the links that outlive it
//! are attached again on the next. Each end is watched by `monitor`, which judges its frames, `watch`, which
//! keeps its clocks, and `tap`, which tells what it really wrote; `model` and `life` know what the
//! applications may expect of a message, `bounds` what an engine may hold.
//!
//! A run is decided by its seed alone. `SIM_SEED=n` replays one and prints what happens, `SIM_SEEDS=n`
//! runs that many (10,000 otherwise), `SIM_FROM=n` starts elsewhere. Sections 2.4 to 2.6.

mod app;
mod attach;
mod bounds;
mod finish;
mod hear;
mod life;
mod message;
mod model;
mod monitor;
mod pipe;
mod rng;
mod stream;
mod tap;
mod watch;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use world::World;

/// One run; answers a digest of all that happened.
fn run(seed: u64, start: Instant, trace: bool) -> u64 {
    let mut world = World::new(seed, start, trace);
    loop {
        let steps = world.rng.range(50, 900);
        for _ in 0..steps {
            if world.may_close {
                // An end has given the other one up.
                break;
            }
            world.step();
        }
        if !world.finish() {
            return world.digest;
        }
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn two_engines_agree_whatever_happens() {
    let start = Instant::now();
    if let Some(seed) = number("SIM_SEED") {
        run(seed, start, true);
        return;
    }
    let from = number("SIM_FROM").unwrap_or(0);
    let end = from + number("SIM_SEEDS").unwrap_or(10_000);
    let next = AtomicU64::new(from);
    let failed = std::sync::Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    if catch_unwind(AssertUnwindSafe(|| run(seed, start, false))).is_err() {
                        failed.lock().expect("no panic while held").push(seed);
                        eprintln!("seed {seed} failed; replay it with\n  SIM_SEED={seed} cargo test -p amqp-client --test sim -- two_engines --nocapture");
                        if failed.lock().expect("no panic while held").len() >= 10 {
                            next.store(end, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("no panic while held");
    assert!(failed.is_empty(), "seeds that failed: {failed:?}");
}

#[test]
fn a_seed_replays_identically() {
    let start = Instant::now();
    for seed in 0..50 {
        assert_eq!(run(seed, start, false), run(seed, start, false));
    }
}
