//! `docs/limits.md` row by row: each has a default, as it was tested, and a test of what happens beyond it.
//!
//! Decides nothing of the limits. The tests of the rows are elsewhere; here it is seen that there is one.

use std::collections::BTreeSet;
use std::path::Path;

/// The limit as the page names it, its default, and the tests that show default and consequence.
const ROWS: &[(&str, &str, &[&str])] = &[
    // Before anybody has authenticated.
    (
        "connections in their opening exchange, or open and not yet taken by `accept`",
        "128",
        &["limits::so_many_connections_may_be_opening_at_once"],
    ),
    (
        "time for TLS and WebSocket, for SASL, for the open",
        "10 s, 15 s, 10 s",
        &[
            "limits::what_is_not_announced_is_what_the_page_says",
            "deadlines::a_proxy_a_tls_and_a_web_socket_peer_that_say_nothing_are_left",
            "sasl::a_listener_waits_no_longer_than_its_deadline",
            "sasl::a_peer_that_goes_silent_is_left_with_the_point_named",
        ],
    ),
    (
        "octets of a SASL frame",
        "16,384",
        &[
            "limits::what_is_not_announced_is_what_the_page_says",
            "scripts/rules_sasl::frames_of_the_layer_are_small",
        ],
    ),
    (
        "iterations that a listener may ask for in SCRAM",
        "4096 to 1,000,000",
        &["limits::a_listener_may_not_ask_for_any_number_of_iterations"],
    ),
    (
        "octets of the open, as of any frame",
        "65,536",
        &["scripts/rules_limits::an_open_is_a_frame_like_any_other"],
    ),
    // Frames.
    (
        "octets of a frame",
        "65,536",
        &[
            "limits::what_is_announced_is_what_the_page_says",
            "scripts/fs_connection::fs_10_oversized_frame",
        ],
    ),
    (
        "depth of nested values",
        "32, at most 128",
        &[
            "limits::what_is_not_announced_is_what_the_page_says",
            "scripts/rules_limits::values_are_nested_so_deep_and_the_link_answers_for_deeper_ones",
        ],
    ),
    (
        "elements without octets in arrays of one frame",
        "65,536",
        &["scripts/rules_limits::arrays_hold_so_many_elements_without_octets"],
    ),
    (
        "silence",
        "60 s, of which half is announced",
        &[
            "limits::what_is_announced_is_what_the_page_says",
            "scripts/fs_connection::fs_25_silent_peer_exceeds_the_idle_threshold",
        ],
    ),
    (
        "octets that are read in one turn before other work has its own",
        "256 KiB",
        &["limits::what_a_peer_pours_in_does_not_keep_other_work_waiting"],
    ),
    (
        "octets that are written in one turn",
        "128 KiB",
        &[
            "limits::what_is_not_announced_is_what_the_page_says",
            "scripts/rules_limits::what_is_owed_is_written_within_the_budget",
        ],
    ),
    (
        "octets that wait for a peer that does not read",
        "256 KiB, a turn and a frame",
        &["limits::a_peer_that_reads_nothing_can_ask_for_as_much_as_it_likes"],
    ),
    // Sessions and links.
    (
        "sessions",
        "256",
        &[
            "scripts/rules_limits::a_partner_has_so_many_channels_and_handles",
            "scripts/rules_limits::a_partner_that_begins_while_all_channels_are_taken_loses_the_connection",
        ],
    ),
    (
        "handles of a session",
        "4096",
        &[
            "scripts/rules_limits::a_partner_has_so_many_channels_and_handles",
            "scripts/fs_session::fs_40_handle_above_handle_max",
            "scripts/rules_limits::a_partner_that_attaches_while_all_handles_are_taken_loses_the_session",
        ],
    ),
    (
        "links that the peer attaches, in all sessions",
        "4096",
        &[
            "limits::what_is_not_announced_is_what_the_page_says",
            "scripts/rules_limits::links_above_the_limit_are_refused_and_too_many_refusals_end_the_session",
            "scripts/rules_limits::links_of_all_sessions_count_together_and_own_ones_do_not",
        ],
    ),
    (
        "octets of the attaches of those links",
        "4 MiB",
        &[
            "limits::what_is_not_announced_is_what_the_page_says",
            "scripts/rules_limits::attaches_may_take_so_many_octets_together",
        ],
    ),
    (
        "links that wait for `next_link`",
        "as many as are attached",
        &["limits::an_offer_lasts_as_long_as_its_link"],
    ),
    (
        "links of a client that the peer attaches",
        "none",
        &["limits::a_client_refuses_the_links_of_its_peer"],
    ),
    // Deliveries that come.
    (
        "octets of a message",
        "128 MiB, announced; any where it is read while it arrives",
        &[
            "limits::messages_are_limited_unless_somebody_wants_any",
            "scripts/rules_delivery::a_message_of_just_the_largest_size_is_taken",
        ],
    ),
    (
        "deliveries on their way, queued or unsettled on a link",
        "500",
        &[
            "limits::what_is_announced_is_what_the_page_says",
            "scripts/fs_link::fs_44_transfer_beyond_credit",
        ],
    ),
    (
        "transfer frames that wait for the application, of a session",
        "4096",
        &[
            "limits::what_is_not_announced_is_what_the_page_says",
            "options::a_slow_reader_holds_the_peer_back_and_loses_nothing",
            "scripts/rules_session::the_window_is_opened_again_before_it_starves_the_partner",
            "scripts/rules_session::a_delivery_that_began_within_the_window_may_end_beyond_it",
        ],
    ),
    (
        "octets that wait for the application, of a session",
        "64 MiB",
        &[
            "limits::what_is_not_announced_is_what_the_page_says",
            "scripts/rules_limits::large_frames_that_nobody_takes_close_the_window",
        ],
    ),
    (
        "unsettled deliveries of a session",
        "262,144",
        &[
            "limits::what_is_not_announced_is_what_the_page_says",
            "scripts/rules_limits::unsettled_deliveries_are_limited_whatever_the_credit",
        ],
    ),
    (
        "a message read by parts that nobody reads",
        "the session's window",
        &["streams::what_is_not_read_holds_the_sender_back_and_a_dropped_reader_does_not"],
    ),
    // Deliveries that go.
    (
        "messages of a link that are queued or unsettled",
        "16,384",
        &["limits::a_sender_takes_so_much_and_then_waits"],
    ),
    (
        "their octets",
        "16 MiB",
        &["limits::a_sender_takes_so_much_and_then_waits"],
    ),
    (
        "octets of a streamed message that wait for the peer",
        "256 KiB",
        &["limits::a_streamed_message_waits_for_the_peer_after_256_kib"],
    ),
    (
        "octets of delivery states that one disposition hands out",
        "1 MiB",
        &["scripts/rules_limits::one_disposition_hands_out_so_many_octets_of_states"],
    ),
    // Handlers.
    (
        "what has happened on a connection and was not heard",
        "1024, and what one turn reads",
        &["callbacks/backlog::what_is_not_heard_is_bounded_and_heartbeats_go_on"],
    ),
    (
        "accepted connections of a listener that wait for the handler",
        "64",
        &["callbacks/backlog::connections_wait_while_the_handler_is_busy"],
    ),
    // The embedded broker.
    ("nodes", "100,000", &["limits::a_broker_has_so_many_nodes"]),
    (
        "messages of a queue",
        "10 million",
        &["broker/limits::a_full_queue_rejects"],
    ),
    (
        "octets of a queue",
        "1 GiB",
        &["broker/limits::a_full_queue_rejects"],
    ),
    (
        "octets of a message",
        "128 MiB",
        &["broker/limits::a_message_that_is_too_large_for_the_broker_is_not_sent"],
    ),
    (
        "messages that a sender has under way",
        "1000",
        &["broker/limits::a_sender_has_so_many_messages_under_way"],
    ),
];

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn each_row_of_the_page_has_a_test() {
    let page = read("docs/limits.md");
    let cells = |line: &str| -> Vec<String> {
        line.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let rows: Vec<(String, String)> = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| ---"))
        .map(cells)
        .filter(|row| row[1] != "limit")
        .map(|row| (row[1].clone(), row[2].clone()))
        .collect();
    let known: Vec<(String, String)> = ROWS
        .iter()
        .map(|(limit, default, _)| ((*limit).to_owned(), (*default).to_owned()))
        .collect();
    assert_eq!(rows, known, "the page and its tests, row by row");
}

#[test]
fn the_tests_of_the_rows_are_there() {
    let tests: BTreeSet<&str> = ROWS
        .iter()
        .flat_map(|(_, _, tests)| *tests)
        .copied()
        .collect();
    for test in tests {
        let (file, name) = test.split_once("::").expect("file::name");
        let source = read(&format!("tests/{file}.rs"));
        let found = source
            .split("\n#[t")
            .skip(1)
            .any(|item| item.contains(&format!("fn {name}() {{")));
        assert!(found, "there is no test {name} in tests/{file}.rs");
    }
}
