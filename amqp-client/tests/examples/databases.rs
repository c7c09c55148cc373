//! Rows from one file to another, over a queue.

use crate::{broker, is_explained, options};

#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/db_ctrl.rs"]
mod db_ctrl;
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/db_recv.rs"]
mod db_recv;
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/db_send.rs"]
mod db_send;

#[test]
fn db_recv_writes_what_db_send_reads() {
    let (_runtime, broker) = broker();
    let url = format!("{}/rows", broker.url());
    let folder = env!("CARGO_TARGET_TMPDIR");
    let file = |name: &str| format!("{folder}/{}-{name}", std::process::id());
    let (source, copy) = (file("source.txt"), file("copy.txt"));
    for (number, text) in [("1", "one"), ("2", "and two"), ("3", "three")] {
        db_ctrl::run(options(&["insert", &source, number, text])).unwrap();
    }
    let list = |file: &str| db_ctrl::run(options(&["list", file])).unwrap();
    let rows = ["1 one", "2 and two", "3 three"];
    assert_eq!(list(&source), rows);

    let sent = db_send::run(options(&["--url", &url, "--file", &source])).unwrap();
    assert_eq!(sent, 3);
    assert!(list(&source).is_empty(), "accepted rows are gone");

    let arguments = ["--url", &url, "--file", &copy, "--messages", "3"];
    assert_eq!(db_recv::run(options(&arguments)).unwrap(), 3);
    assert_eq!(list(&copy), rows);
    assert_eq!(broker.depth("rows"), Some(0));

    db_ctrl::run(options(&["clear", &copy])).unwrap();
    assert!(list(&copy).is_empty());
    std::fs::remove_file(source).unwrap();
    std::fs::remove_file(copy).unwrap();
}

#[test]
fn each_says_what_it_is_for() {
    is_explained::<db_ctrl::Options>();
    is_explained::<db_recv::Options>();
    is_explained::<db_send::Options>();
}
