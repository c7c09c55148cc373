//! Programs by the clock.

use std::time::Duration;

use crate::{broker, is_explained, options};

#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/helloworld_direct_runtime.rs"]
mod helloworld_direct_runtime;
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/recurring_timer.rs"]
mod recurring_timer;
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/recurring_timer_runtime.rs"]
mod recurring_timer_runtime;
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/scheduled_send.rs"]
mod scheduled_send;
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/scheduled_send_03.rs"]
mod scheduled_send_03;

#[test]
fn recurring_timers_tick() {
    let period = Duration::from_millis(1);
    assert_eq!(recurring_timer::run(period, 5).unwrap(), 5);
    let (runtime, _) = broker();
    let ticks = runtime.block_on(recurring_timer_runtime::run(period, 5));
    assert!(ticks.unwrap() >= 5);
}

#[tokio::test]
async fn helloworld_direct_runtime_leaves_its_one_thread_to_others() {
    let address = "127.0.0.1:0".to_owned();
    let (received, other) = helloworld_direct_runtime::run(address, async { 7 })
        .await
        .unwrap();
    assert_eq!(
        (received.as_slice(), other),
        (&["Hello World!".to_owned()][..], 7)
    );
}

#[test]
fn scheduled_send_sends_until_its_time_is_over() {
    let (_runtime, broker) = broker();
    let url = format!("{}/examples", broker.url());
    let arguments = ["--url", &url, "--interval", "1", "--time", "300"];
    let accepted = scheduled_send::run(options(&arguments)).unwrap();
    // How many is the machine's to say; each that was accepted is there.
    assert!(accepted > 0);
    assert!(broker.depth("examples").unwrap() as u64 >= accepted);
}

#[test]
fn scheduled_send_03_sends_each_when_it_is_due() {
    let (_runtime, broker) = broker();
    let url = format!("{}/examples", broker.url());
    let accepted = scheduled_send_03::run(url, Duration::from_millis(1), 5);
    assert_eq!(accepted.unwrap(), 5);
    assert_eq!(broker.depth("examples"), Some(5));
}

#[test]
fn each_says_what_it_is_for() {
    is_explained::<recurring_timer::Options>();
    is_explained::<recurring_timer_runtime::Options>();
    is_explained::<scheduled_send::Options>();
    is_explained::<scheduled_send_03::Options>();
    is_explained::<helloworld_direct_runtime::Options>();
}
