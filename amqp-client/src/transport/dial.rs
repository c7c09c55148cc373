//! From an address to a connected socket.
//!
//! Decides in which order the addresses of a host are tried, and how its socket is set. RFC 8305.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::error::Error;

/// How long one address has before the next is tried beside it.
const HEAD_START: Duration = Duration::from_millis(250);

/// Looks a host up and connects to the first of its addresses that answers.
pub(super) async fn tcp(
    host: &str,
    port: u16,
    keep_alive: Option<Duration>,
) -> Result<TcpStream, Error> {
    let what = format!("connect to {host}:{port}");
    let found = tokio::net::lookup_host((host, port))
        .await
        .map_err(|error| Error::io(&format!("look up {host}"), error))?;
    let stream = race(interleave(found.collect()))
        .await
        .map_err(|error| Error::io(&what, error))?;
    prepare(&stream, keep_alive)?;
    Ok(stream)
}

/// No delay for small frames, and keep-alive probes where they are asked for.
pub(super) fn prepare(stream: &TcpStream, keep_alive: Option<Duration>) -> Result<(), Error> {
    stream
        .set_nodelay(true)
        .map_err(|error| Error::io("set TCP_NODELAY", error))?;
    if let Some(idle) = keep_alive {
        SockRef::from(stream)
            .set_tcp_keepalive(&TcpKeepalive::new().with_time(idle).with_interval(idle))
            .map_err(|error| Error::io("set keep-alive", error))?;
    }
    Ok(())
}

/// The families in turn, the resolver's first choice first: RFC 8305, 4.
fn interleave(found: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let six_first = found.first().is_some_and(SocketAddr::is_ipv6);
    let (six, four): (Vec<_>, Vec<_>) = found.into_iter().partition(SocketAddr::is_ipv6);
    let (first, second) = match six_first {
        true => (six, four),
        false => (four, six),
    };
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut all = VecDeque::new();
    loop {
        let pair = [first.next(), second.next()];
        if pair == [None, None] {
            return all;
        }
        all.extend(pair.into_iter().flatten());
    }
}

/// Tries one after the other, each with a head start; the first that is connected wins.
async fn race(mut addresses: VecDeque<SocketAddr>) -> std::io::Result<TcpStream> {
    let mut attempts = JoinSet::new();
    let mut failure = std::io::Error::other("the host has no address");
    loop {
        let more = addresses.pop_front();
        let last = more.is_none();
        if let Some(address) = more {
            attempts.spawn(TcpStream::connect(address));
        }
        let next = async {
            match last || addresses.is_empty() {
                true => std::future::pending().await,
                false => tokio::time::sleep(HEAD_START).await,
            }
        };
        tokio::select! {
            done = attempts.join_next() => match done {
                Some(Ok(Ok(stream))) => return Ok(stream),
                Some(Ok(Err(error))) => failure = error,
                Some(Err(_)) => {}
                None => return Err(failure),
            },
            () = next => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let parse = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let (a, b, c) = (parse("[::1]:1"), parse("[::2]:1"), parse("1.2.3.4:1"));
        assert_eq!(interleave(vec![a, b, c]), [a, c, b]);
        assert_eq!(interleave(vec![c, a, b]), [c, a, b]);
    }

    #[tokio::test]
    async fn sockets_are_set_as_asked_for() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("bound");
        let port = listener.local_addr().expect("an address").port();
        let idle = Duration::from_secs(42);
        for keep_alive in [None, Some(idle)] {
            let ours = tcp("127.0.0.1", port, keep_alive).await.expect("connected");
            let (theirs, _) = listener.accept().await.expect("a client");
            prepare(&theirs, keep_alive).expect("set");
            for stream in [&ours, &theirs] {
                let socket = SockRef::from(stream);
                assert!(socket.tcp_nodelay().expect("an option"));
                let set = socket.keepalive().expect("an option");
                assert_eq!(set, keep_alive.is_some());
                #[cfg(target_os = "linux")]
                if set {
                    let read = socket.tcp_keepalive_time().expect("an option");
                    assert_eq!(read, idle);
                    let read = socket.tcp_keepalive_interval().expect("an option");
                    assert_eq!(read, idle);
                }
            }
        }
    }

    #[tokio::test]
    async fn an_address_that_refuses_gives_way_to_the_next() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("bound");
        let good = listener.local_addr().expect("an address");
        let gone = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("bound");
        let bad = gone.local_addr().expect("an address");
        drop(gone);
        let stream = race([bad, good].into()).await.expect("the second answers");
        assert_eq!(stream.peer_addr().expect("an address"), good);
        assert!(race([bad].into()).await.is_err());
    }

    #[cfg(target_os = "linux")]
    #[tokio::test(start_paused = true)]
    async fn an_address_that_says_nothing_has_a_head_start_and_no_more() {
        use socket2::{Domain, SockAddr, Socket, Type};
        // A queue of one that nobody empties: the kernel drops whoever comes then.
        let silent = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        silent.bind(&SockAddr::from(any)).expect("bound");
        silent.listen(0).expect("it listens");
        let address = silent.local_addr().expect("an address");
        let first = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        first.connect(&address).expect("connected");
        let silent = address.as_socket().expect("an address");
        let good = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("bound");
        let good = (good.local_addr().expect("an address"), good);
        let begun = tokio::time::Instant::now();
        let stream = race([silent, silent, good.0].into())
            .await
            .expect("the third answers");
        assert_eq!(stream.peer_addr().expect("an address"), good.0);
        assert_eq!(begun.elapsed(), 2 * HEAD_START);
    }
}
