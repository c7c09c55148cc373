//! Snapshots of what the engine does in each state with each frame: connection, session, link.
//!
//! The tables stand in `golden/`. `BLESS=1 cargo test -p amqp-client --test scripts states` writes
//! them anew; every change in them has to be argued from sections 2.4.7, 2.5.5 and 2.6.

use std::fmt::Write as _;

use amqp_client::proto::{Event, SessionConfig};
use amqp_client::types::messaging::{Accepted, DeliveryState};
use amqp_client::types::transport::{
    Begin, Close, DeliveryNumber, Detach, Disposition, End, Error, ErrorCondition, Handle, Open,
    Performative, Role, Transfer,
};

use crate::support::frames::{AMQP, Item, SASL, frame, raw_frame};
use crate::support::{Peer, attach, begin, config, first_transfer, flow, message};

type State = (&'static str, fn() -> Peer);

/// What a frame does in every state, one line a pair.
fn table(head: &str, states: &[State], frames: &[(&str, Vec<u8>)]) -> String {
    let mut out = format!("{head}\n");
    for (name, state) in states {
        let _ = writeln!(out, "\n{name}");
        for (frame, octets) in frames {
            let mut peer = state();
            peer.forget();
            peer.write(octets);
            let _ = writeln!(out, "    {frame:<26} {}", reaction(&mut peer));
        }
    }
    out
}

/// Frames that the engine wrote, events that the application saw, and whether the stream ends.
fn reaction(peer: &mut Peer) -> String {
    let mut written: Vec<String> = Vec::new();
    while let Some(item) = peer.try_next() {
        written.push(item_in_words(&item));
    }
    let seen: Vec<String> = peer.app.events.iter().map(event_in_words).collect();
    let mut out = match written.is_empty() {
        true => "-".to_owned(),
        false => written.join(", "),
    };
    if !seen.is_empty() {
        let _ = write!(out, "  | {}", seen.join(", "));
    }
    if peer.engine.is_finished() {
        out.push_str("  | stream ends");
    }
    out
}

fn item_in_words(item: &Item) -> String {
    let (channel, performative) = match item {
        Item::Header(header) => return format!("header {}", header[4]),
        Item::Sasl(_) => return "sasl".to_owned(),
        Item::Empty(_) => return "empty".to_owned(),
        Item::Frame(channel, performative, _) => (channel, performative),
    };
    let role = |role: Role| {
        if role == Role::Sender {
            "sender"
        } else {
            "receiver"
        }
    };
    let words = match performative {
        Performative::Open(_) => "open".to_owned(),
        Performative::Begin(_) => "begin".to_owned(),
        Performative::Attach(a) => format!("attach {} {}", a.name, role(a.role)),
        Performative::Flow(f) if f.handle.is_some() => "flow of link".to_owned(),
        Performative::Flow(_) => "flow".to_owned(),
        Performative::Transfer(_) => "transfer".to_owned(),
        Performative::Disposition(d) => format!(
            "disposition {}{}",
            role(d.role),
            if d.settled { " settled" } else { "" }
        ),
        Performative::Detach(d) => {
            format!("detach{}{}", closed(d.closed), reason(d.error.as_deref()))
        }
        Performative::End(e) => format!("end{}", reason(e.error.as_deref())),
        Performative::Close(c) => format!("close{}", reason(c.error.as_deref())),
    };
    match channel {
        0 => words,
        other => format!("{words} on {other}"),
    }
}

fn closed(closed: bool) -> &'static str {
    if closed { " closed" } else { "" }
}

fn reason(error: Option<&Error>) -> String {
    error.map_or(String::new(), |e| format!("({})", e.condition.as_str()))
}

fn event_in_words(event: &Event) -> String {
    match event {
        Event::Violated(violation) => format!("Violated({})", violation.condition.as_str()),
        Event::SessionEnded { error, .. } => format!("SessionEnded{}", reason(error.as_deref())),
        Event::LinkDetached {
            closed: all, error, ..
        } => format!("LinkDetached{}{}", closed(*all), reason(error.as_deref())),
        other => {
            let words = format!("{other:?}");
            let end = words.find([' ', '(']).unwrap_or(words.len());
            words[..end].to_owned()
        }
    }
}

/// Compares with the golden file, or writes it when asked to.
fn compare(file: &str, golden: &str, found: &str) {
    if std::env::var_os("BLESS").is_some() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/scripts/golden")
            .join(file);
        std::fs::write(path, found).expect("the golden file can be written");
        return;
    }
    for (line, (golden, found)) in golden.lines().zip(found.lines()).enumerate() {
        assert_eq!(golden, found, "{file}:{}", line + 1);
    }
    assert_eq!(golden.lines().count(), found.lines().count(), "{file}");
}

// ---- connections -----------------------------------------------------------------------------

fn listener() -> Peer {
    Peer::listener(config())
}

fn header_exchanged() -> Peer {
    let mut peer = listener();
    peer.write(AMQP);
    peer
}

fn opened() -> Peer {
    Peer::opened(config())
}

fn closed_by_us(peer: Peer, error: bool) -> Peer {
    let mut peer = peer;
    let error = error.then(|| Box::new(Error::new(ErrorCondition::ConnectionForced)));
    peer.engine.close(error);
    peer.turn();
    peer
}

fn client() -> Peer {
    Peer::client(config(), None)
}

fn client_header() -> Peer {
    let mut peer = client();
    peer.write(AMQP);
    peer
}

#[test]
fn states_of_a_connection() {
    // tests: [CON-50] [CON-51] [CON-52] [CON-53] [CON-54] [CON-55] [CON-56] [CON-57] [CON-58] [CON-59] [CON-60] [CON-61]
    let states: [State; 12] = [
        ("START (listener)", listener),
        ("HDR_EXCH (listener)", header_exchanged),
        ("OPENED (listener)", opened),
        ("CLOSE_SENT (listener)", || closed_by_us(opened(), false)),
        ("DISCARDING (listener)", || closed_by_us(opened(), true)),
        ("END (listener)", || {
            let mut peer = opened();
            peer.send(0, Close::default());
            peer
        }),
        ("OPEN_PIPE (client)", client),
        ("OC_PIPE (client)", || closed_by_us(client(), false)),
        ("OPEN_SENT (client)", client_header),
        ("CLOSE_PIPE (client)", || {
            closed_by_us(client_header(), false)
        }),
        ("OPENED (client)", || {
            Peer::client_opened(config(), Open::new("peer"))
        }),
        ("CLOSE_SENT (client)", || {
            closed_by_us(Peer::client_opened(config(), Open::new("peer")), false)
        }),
    ];
    let one = |performative: &Performative| frame(0, performative, &[]);
    let frames = [
        ("header", AMQP.to_vec()),
        ("header of SASL", SASL.to_vec()),
        ("empty", raw_frame(0, 0, &[])),
        ("empty on 256", raw_frame(0, 256, &[])),
        (
            "open",
            one(&Performative::Open(Box::new(Open::new("peer")))),
        ),
        ("open on 1", frame(1, &Open::new("peer"), &[])),
        ("begin", frame(0, &begin(0), &[])),
        ("attach", frame(0, &attach("A", 0, Role::Sender), &[])),
        ("flow", frame(0, &flow(None), &[])),
        ("transfer", frame(0, &first_transfer(0, 0), &message("m"))),
        ("disposition", frame(0, &disposition(), &[])),
        ("detach", frame(0, &Detach::new(Handle(0)), &[])),
        ("end", frame(0, &End::default(), &[])),
        ("close", frame(0, &Close::default(), &[])),
        ("close on 1", frame(1, &Close::default(), &[])),
        (
            "unknown performative",
            raw_frame(0, 0, &[0, 0x53, 0x19, 0x45]),
        ),
        ("not a frame", vec![0, 0, 0, 4, 2, 0, 0, 0]),
    ];
    let found = table(
        "A connection, state by state (section 2.4.7): what comes in, what goes out | events.",
        &states,
        &frames,
    );
    compare(
        "connection.txt",
        include_str!("golden/connection.txt"),
        &found,
    );
}

fn disposition() -> Disposition {
    let mut disposition = Disposition::new(Role::Sender, DeliveryNumber(0));
    disposition.settled = true;
    disposition.state = Some(DeliveryState::from(Accepted::default()));
    disposition
}

// ---- sessions --------------------------------------------------------------------------------

fn begin_sent() -> Peer {
    let mut peer = Peer::client_opened(config(), Open::new("peer"));
    peer.engine
        .begin(SessionConfig::default())
        .expect("a channel");
    peer.turn();
    peer
}

fn mapped() -> Peer {
    Peer::begun(config())
}

fn ended_by_us(error: bool) -> Peer {
    let mut peer = mapped();
    let session = peer.session();
    let error = error.then(|| Box::new(Error::new(ErrorCondition::InternalError)));
    peer.engine.end(session, error);
    peer.turn();
    peer
}

#[test]
fn states_of_a_session() {
    // tests: [SES-04] [SES-05] [SES-07] [SES-08] [SES-09] [SES-11] [SES-13] [SES-14] [SES-15]
    let states: [State; 6] = [
        ("UNMAPPED", opened),
        ("BEGIN_SENT", begin_sent),
        ("MAPPED", mapped),
        ("END_SENT", || ended_by_us(false)),
        ("DISCARDING", || ended_by_us(true)),
        ("UNMAPPED after END_RCVD", || {
            let mut peer = mapped();
            peer.send(0, End::default());
            peer
        }),
    ];
    let mut answer: Begin = begin(0);
    answer.remote_channel = Some(0);
    let mut echo = flow(None);
    echo.echo = true;
    let mut ahead = flow(None);
    ahead.next_incoming_id = Some(amqp_client::types::transport::TransferNumber(1));
    let mut odd = begin(0);
    odd.remote_channel = Some(9);
    let frames = [
        ("begin", frame(0, &begin(0), &[])),
        ("begin that answers 0", frame(0, &answer, &[])),
        ("begin that answers 9", frame(0, &odd, &[])),
        ("attach", frame(0, &attach("A", 0, Role::Sender), &[])),
        ("flow", frame(0, &flow(None), &[])),
        ("flow with echo", frame(0, &echo, &[])),
        ("flow ahead of us", frame(0, &ahead, &[])),
        ("flow on handle 0", frame(0, &flow(Some(0)), &[])),
        (
            "transfer on handle 0",
            frame(0, &first_transfer(0, 0), &message("m")),
        ),
        ("disposition", frame(0, &disposition(), &[])),
        ("detach of handle 0", frame(0, &Detach::new(Handle(0)), &[])),
        ("end", frame(0, &End::default(), &[])),
        ("end with an error", frame(0, &failed_end(), &[])),
        ("undecodable flow", raw_frame(0, 0, &[0, 0x53, 0x13, 0x45])),
        ("undecodable begin", raw_frame(0, 0, &[0, 0x53, 0x11, 0x45])),
    ];
    let found = table(
        "A session, state by state (section 2.5.5): what comes in, what goes out | events.",
        &states,
        &frames,
    );
    compare("session.txt", include_str!("golden/session.txt"), &found);
}

fn failed_end() -> End {
    End {
        error: Some(Box::new(Error::new(ErrorCondition::InternalError))),
    }
}

// ---- links -----------------------------------------------------------------------------------

/// The peer sends, we receive: attached by the peer, answered by us.
fn receiving() -> Peer {
    let mut peer = mapped();
    peer.send(0, attach("A", 0, Role::Sender));
    peer
}

fn offered() -> Peer {
    let mut peer = mapped();
    peer.app.answers = false;
    peer.send(0, attach("A", 0, Role::Sender));
    peer
}

fn detached_by_us(closed: bool, error: bool) -> Peer {
    let mut peer = receiving();
    let link = peer.app.links[0];
    let error = error.then(|| Box::new(Error::new(ErrorCondition::InternalError)));
    peer.engine.detach(link, closed, error);
    peer.turn();
    peer
}

/// We attached a receiver; the peer has not answered.
fn attach_sent() -> Peer {
    let (mut peer, session) = Peer::client_begun(config(), SessionConfig::default());
    peer.attach_link(session, attach("A", 0, Role::Receiver));
    peer
}

/// We send, the peer receives; one message waits for credit.
fn sending() -> Peer {
    let (mut peer, session) = Peer::client_begun(config(), SessionConfig::default());
    let link = peer.attached(session, "A", Role::Sender, 0);
    peer.send_message(link, 1, false);
    peer
}

#[test]
fn states_of_a_link() {
    // tests: [LNK-05] [LNK-07] [LNK-19] [LNK-20] [LNK-21] [LNK-22] [LNK-23] [LNK-38] [SES-32] [SES-33] [SES-34]
    let states: [State; 9] = [
        ("detached", mapped),
        ("half attached by the peer", offered),
        ("half attached by us", attach_sent),
        ("attached, receiving", receiving),
        ("attached, sending", sending),
        ("half detached by us", || detached_by_us(false, false)),
        ("half closed by us", || detached_by_us(true, false)),
        ("half closed by us, in error", || detached_by_us(true, true)),
        ("detached by the peer", || {
            let mut peer = receiving();
            peer.send(0, Detach::new(Handle(0)));
            peer
        }),
    ];
    let mut credit = flow(Some(0));
    credit.link_credit = Some(5);
    let mut more = first_transfer(0, 0);
    more.more = true;
    let mut aborted = first_transfer(0, 0);
    aborted.aborted = true;
    let mut closing = Detach::new(Handle(0));
    closing.closed = true;
    let mut failing = closing.clone();
    failing.error = Some(Box::new(Error::new(ErrorCondition::InternalError)));
    let again = attach("A", 0, Role::Sender);
    let frames = [
        ("attach A sender", frame(0, &again, &[])),
        (
            "attach A receiver",
            frame(0, &attach("A", 0, Role::Receiver), &[]),
        ),
        (
            "attach A sender on 1",
            frame(0, &attach("A", 1, Role::Sender), &[]),
        ),
        (
            "attach B sender",
            frame(0, &attach("B", 0, Role::Sender), &[]),
        ),
        ("flow with credit 5", frame(0, &credit, &[])),
        ("transfer", frame(0, &first_transfer(0, 0), &message("m"))),
        ("transfer with more", frame(0, &more, &message("m"))),
        ("transfer, aborted", frame(0, &aborted, &[])),
        (
            "transfer without id",
            frame(0, &Transfer::new(Handle(0)), &[]),
        ),
        (
            "transfer that errs",
            raw_frame(0, 0, &[0, 0x53, 0x14, 0xc0, 3, 2, 0x43, 0x42]),
        ),
        ("disposition", frame(0, &disposition(), &[])),
        ("detach", frame(0, &Detach::new(Handle(0)), &[])),
        ("detach closed", frame(0, &closing, &[])),
        ("detach in error", frame(0, &failing, &[])),
    ];
    let found = table(
        "A link, state by state (section 2.6): what comes in on handle 0, what goes out | events.",
        &states,
        &frames,
    );
    compare("link.txt", include_str!("golden/link.txt"), &found);
}
