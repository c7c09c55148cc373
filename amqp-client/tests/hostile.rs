//! Octets that no sane peer sends, into the engines of both roles: never a panic, never an endless turn.
//!
//! `HOSTILE_ROUNDS=n` runs more than the usual 20,000. Memory is not measured here. Sections 2.2, 2.3.

use std::time::Instant;

use amqp_client::proto::{Config, Connection, SaslClient, SaslServer, WriteBuf};
use amqp_client::types::Symbol;
use bytes::BytesMut;

fn next(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 16) as usize
}

fn engine(kind: usize, now: Instant) -> Connection {
    let offer = || SaslServer::new(vec![Symbol::from_static("ANONYMOUS")]);
    let config = Config::new("engine");
    match kind % 4 {
        0 => Connection::client(now, config, None),
        1 => Connection::client(now, config, Some(SaslClient::new())),
        2 => Connection::listener(now, config, None, false),
        _ => Connection::listener(now, config, Some(offer()), true),
    }
}

/// A conversation that is legal up to a point: header, open, begin, attach, flow, a transfer.
fn legal() -> Vec<u8> {
    let bodies: [&[u8]; 5] = [
        b"\0\x53\x10\xc0\x04\x01\xa1\x01p",
        b"\0\x53\x11\xc0\x06\x04\x40\x43\x52\x0a\x43",
        b"\0\x53\x12\xc0\x15\x0a\xa1\x01q\x43\x42\x50\x02\x50\x00\x00\x53\x28\x45\x00\x53\x29\x45\x40\x40\x43",
        b"\0\x53\x13\xc0\x08\x05\x40\x52\x0a\x43\x52\x0a\x43",
        b"\0\x53\x14\xc0\x06\x03\x43\x43\xa0\x01t\x00\x53\x77\x45",
    ];
    let mut octets = b"AMQP\0\x01\0\0".to_vec();
    for body in bodies {
        octets.extend_from_slice(&(body.len() as u32 + 8).to_be_bytes());
        octets.extend_from_slice(&[2, 0, 0, 0]);
        octets.extend_from_slice(body);
    }
    octets
}

#[test]
fn random_and_mutated_octets_never_panic() {
    let rounds = std::env::var("HOSTILE_ROUNDS").ok();
    let rounds = rounds.and_then(|n| n.parse().ok()).unwrap_or(20_000u64);
    let now = Instant::now();
    for round in 1..=rounds {
        let mut state = round.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut octets = legal();
        for _ in 0..next(&mut state) % 6 {
            let at = next(&mut state) % octets.len();
            match next(&mut state) % 3 {
                0 => octets[at] = next(&mut state) as u8,
                1 => drop(octets.remove(at)),
                _ => octets.insert(at, next(&mut state) as u8),
            }
        }
        let noise = next(&mut state) % 64;
        octets.extend((0..noise).map(|_| next(&mut state) as u8));
        let mut engine = engine(round as usize, now);
        let mut out = WriteBuf::new();
        let mut read = BytesMut::new();
        let piece = 1 + next(&mut state) % 100;
        for piece in octets.chunks(piece) {
            engine.poll_transmit(now, &mut out);
            read.extend_from_slice(piece);
            let _ = engine.handle_input(now, &mut read);
            let events = std::iter::from_fn(|| engine.poll_event()).count();
            assert!(events < 1000, "round {round}: {events} events");
        }
        engine.poll_transmit(now, &mut out);
        assert!(out.len() < 100_000, "round {round} makes us write a lot");
    }
}
