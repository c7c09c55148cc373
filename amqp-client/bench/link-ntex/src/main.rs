//! The link benchmark on ntex-amqp 6.3: the receiver is a router service, which is how that library receives, with
//! `--credit` granted at attach and topped up at half; the sender keeps a window of `--credit` sends in flight.
//!
//! Both sides use one thread for the connection, as the library does everywhere.
#![forbid(unsafe_code)]

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    error::Error,
    process::ExitCode,
    rc::Rc,
    sync::mpsc,
};

use amqp_bench_support::{Mode, Options, Report, Role, Stopwatch, announce_listening, finish};
use ntex::{
    Pipeline, SharedCfg, rt,
    service::{boxed, boxed::BoxService, fn_service},
    util::Bytes,
};
use ntex_amqp::{
    ControlFrame, ControlFrameKind, Delivery, client,
    codec::{
        Message,
        protocol::{DeliveryState, SenderSettleMode},
    },
    error::LinkError,
    server, types,
};

type Service = BoxService<types::Link<()>, types::Transfer, types::Outcome, LinkError>;

#[ntex::main]
async fn main() -> ExitCode {
    finish("link (ntex)", run().await)
}

async fn run() -> Result<Report, Box<dyn Error>> {
    let options = Options::from_args()?;
    match options.role {
        Role::Send => send(&options).await,
        Role::Recv => receive(options).await,
    }
}

async fn send(options: &Options) -> Result<Report, Box<dyn Error>> {
    let connector = Pipeline::new(SharedCfg::default(), client::Connector::new());
    let driver = connector
        .call(client::Connect::new(format!("127.0.0.1:{}", options.port)))
        .await
        .map_err(|error| format!("{error:?}"))?;
    let sink = driver.sink();
    rt::spawn(async move {
        let _ = driver.start_default().await;
    });
    let session = sink
        .open_session()
        .await
        .map_err(|error| format!("{error:?}"))?;
    let settle_mode = match options.mode {
        Mode::AtLeastOnce => SenderSettleMode::Unsettled,
        Mode::PreSettled => SenderSettleMode::Settled,
    };
    let link = session
        .build_sender_link("bench", "bench")
        .with_frame(|attach| *attach.snd_settle_mode_mut() = settle_mode)
        .attach()
        .await
        .map_err(|error| format!("{error:?}"))?;

    let payload = Bytes::from(options.payload());
    let mut in_flight = VecDeque::with_capacity(options.credit as usize);
    let mut clock = Stopwatch::start();
    for _ in 0..options.count {
        let transfer = link.transfer(Message::with_body(payload.clone()));
        if options.mode == Mode::PreSettled {
            transfer
                .settled()
                .send()
                .await
                .map_err(|error| format!("{error:?}"))?;
            continue;
        }
        if in_flight.len() == options.credit as usize
            && let Some(oldest) = in_flight.pop_front()
        {
            accepted(oldest).await?;
        }
        in_flight.push_back(
            transfer
                .send()
                .await
                .map_err(|error| format!("{error:?}"))?,
        );
    }
    for delivery in in_flight {
        accepted(delivery).await?;
    }
    match options.mode {
        Mode::AtLeastOnce => {
            clock.stop();
            sink.close().await.map_err(|error| format!("{error:?}"))?;
        }
        // Only the receiver knows when the last one arrived: it closes.
        Mode::PreSettled => {
            if sink.is_opened() {
                sink.on_close().await;
            }
        }
    }
    Ok(clock.report(Role::Send, options.count))
}

async fn accepted(delivery: Delivery) -> Result<(), String> {
    match delivery.wait().await {
        Ok(Some(DeliveryState::Accepted(_))) => Ok(()),
        other => Err(format!("a message was not accepted: {other:?}")),
    }
}

async fn receive(options: Options) -> Result<Report, Box<dyn Error>> {
    let port = options.port;
    let (done, report) = mpsc::channel::<Result<Report, String>>();
    let server = ntex::server::Server::builder()
        .workers(1)
        .disable_signals()
        .bind(
            "amqp",
            ("127.0.0.1", port),
            SharedCfg::new("bench-recv"),
            async move |()| {
                let inbox = Rc::new(Inbox::new(options.clone()));
                let (at_attach, at_end, done) = (inbox.clone(), inbox, done.clone());
                server::Server::builder(async move |handshake: server::Handshake| match handshake {
                    server::Handshake::Amqp(handshake) => match handshake.open().await {
                        Ok(opened) => Ok(opened.ack(())),
                        Err(_) => Err(()),
                    },
                    server::Handshake::Sasl(_) => Err(()),
                })
                .control(move |frame: ControlFrame| {
                    if let ControlFrameKind::Disconnected(_) | ControlFrameKind::Closed =
                        frame.kind()
                    {
                        // invariant: the receiving end outlives the server
                        let _ = done.send(at_end.report());
                    }
                    async { Ok::<_, ()>(()) }
                })
                .build(
                    server::Router::<()>::builder()
                        .service("bench", async move |link: &types::Link<()>| {
                            Ok::<Service, LinkError>(at_attach.clone().serve(link))
                        })
                        .build(),
                )
            },
        )?
        .run();
    announce_listening();
    let report = rt::spawn_blocking(move || report.recv()).await??;
    server.stop(false).await;
    Ok(report?)
}

/// What the router service counts.
struct Inbox {
    options: Options,
    received: Cell<u64>,
    spent: Cell<u32>,
    clock: RefCell<Option<Stopwatch>>,
}

impl Inbox {
    fn new(options: Options) -> Self {
        Self {
            options,
            received: Cell::new(0),
            spent: Cell::new(0),
            clock: RefCell::new(None),
        }
    }

    fn serve(self: Rc<Self>, link: &types::Link<()>) -> Service {
        let receiver = link.receiver().clone();
        receiver.set_link_credit(self.options.credit);
        boxed::service(fn_service(async move |transfer: types::Transfer| {
            let Ok(message) = transfer.load_message::<Message>() else {
                return Ok(types::Outcome::Reject);
            };
            if message.body().data().map(Bytes::len) != Some(self.options.size) {
                return Ok(types::Outcome::Reject);
            }
            self.count();
            if self.options.mode == Mode::PreSettled && self.received.get() == self.options.count {
                let connection = receiver.session().connection().clone();
                rt::spawn(async move { connection.close().await });
            }
            self.spent.set(self.spent.get() + 1);
            if self.spent.get() >= (self.options.credit / 2).max(1) {
                receiver.set_link_credit(self.spent.replace(0));
            }
            Ok(types::Outcome::Accept)
        }))
    }

    fn count(&self) {
        let received = self.received.get() + 1;
        self.received.set(received);
        if received == 1 {
            *self.clock.borrow_mut() = Some(Stopwatch::start());
        }
        if received == self.options.count
            && let Some(clock) = self.clock.borrow_mut().as_mut()
        {
            clock.stop();
        }
    }

    fn report(&self) -> Result<Report, String> {
        let received = self.received.get();
        match self.clock.borrow_mut().take() {
            Some(clock) if received == self.options.count => Ok(clock.report(Role::Recv, received)),
            _ => Err(format!("the connection ended after {received} messages")),
        }
    }
}
