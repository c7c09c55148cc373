//! The application behind the engine, as the scripts assume it: accepts every link and every message.

use amqp_client::proto::{Connection, Event, LinkConfig, LinkKey};
use amqp_client::types::messaging::{
    Accepted, DeliveryState, Source, SourceArchetype, Target, TargetArchetype,
};
use amqp_client::types::security::{SaslCode, SaslInit};
use amqp_client::types::transport::{
    Attach, Error, ErrorCondition, Handle, ReceiverSettleMode, Role, SequenceNo,
};
use amqp_client::types::{Binary, Body, Decode, Decoder, Message, Value};
use bytes::Bytes;

/// What the application does by itself, and what it has seen.
#[derive(Debug)]
pub(crate) struct App {
    /// The credit that every incoming link gets and keeps; `None` leaves it to the test.
    pub(crate) credit: Option<u32>,
    /// Credit that is granted once and not renewed.
    pub(crate) fixed_credit: Option<u32>,
    /// Links to this address are refused.
    pub(crate) refused: Option<&'static str>,
    /// Answers attaches; otherwise they wait for the test.
    pub(crate) answers: bool,
    /// Takes and settles every delivery; otherwise they wait for the test.
    pub(crate) accepts: bool,
    /// Decides on a client's authentication at once; otherwise the test does.
    pub(crate) decides: bool,
    /// The verdict on every client's authentication.
    pub(crate) verdict: SaslCode,
    pub(crate) max_message_size: Option<u64>,
    pub(crate) initial_delivery_count: u32,
    /// Every event, in words; what a test looks at is looked for in here.
    pub(crate) events: Vec<Event>,
    /// The messages that reached the application: link name and text.
    pub(crate) messages: Vec<String>,
    /// Links in the order in which they came up.
    pub(crate) links: Vec<LinkKey>,
}

impl Default for App {
    fn default() -> Self {
        Self {
            credit: Some(10),
            fixed_credit: None,
            refused: None,
            answers: true,
            accepts: true,
            decides: true,
            verdict: SaslCode::Ok,
            max_message_size: None,
            initial_delivery_count: 0,
            events: Vec::new(),
            messages: Vec::new(),
            links: Vec::new(),
        }
    }
}

impl App {
    /// Reacts to one event and keeps it.
    pub(crate) fn on_event(&mut self, engine: &mut Connection, event: Event) {
        match &event {
            Event::SaslInit { .. } if self.decides => engine.sasl_outcome(self.verdict, None),
            Event::SaslOffer(offered) => {
                let mut init = SaslInit::new(offered[0].clone());
                init.initial_response = Some(Binary::from(b"\0user\0pass".to_vec()));
                engine.sasl_init(init);
            }
            Event::SaslAccepted(_) => engine.sasl_accept(),
            Event::LinkIncoming { link, attach } => {
                self.links.push(*link);
                if self.answers {
                    self.answer(engine, *link, attach);
                }
            }
            Event::Delivery { link, delivery } => {
                self.messages.push(text(&delivery.payload));
                if self.accepts {
                    engine.taken(*link, delivery.load());
                    if !delivery.settled {
                        let accepted = DeliveryState::from(Accepted::default());
                        let first = delivery.mode == ReceiverSettleMode::First;
                        engine.settle(link.session, delivery.id, Some(accepted), first);
                    }
                    if delivery.settled {
                        engine.consumed(*link, 1);
                    }
                }
            }
            _ => {}
        }
        self.events.push(event);
    }

    fn answer(&self, engine: &mut Connection, link: LinkKey, attach: &Attach) {
        let address = match (&attach.source, &attach.target) {
            (
                _,
                Some(TargetArchetype::Target(Target {
                    address: Some(a), ..
                })),
            ) => a.0.as_ref(),
            (
                Some(SourceArchetype::Source(Source {
                    address: Some(a), ..
                })),
                _,
            ) => a.0.as_ref(),
            _ => "",
        };
        let mut answer = answer_to(attach);
        answer.max_message_size = self.max_message_size;
        if answer.role == Role::Sender {
            answer.initial_delivery_count = Some(SequenceNo(self.initial_delivery_count));
        }
        if self.refused == Some(address) && !address.is_empty() {
            let error = Box::new(Error::new(ErrorCondition::NotFound));
            return engine.refuse_link(link, Box::new(answer), error);
        }
        let role = answer.role;
        let config = LinkConfig {
            credit: self.credit.filter(|_| role == Role::Receiver),
            ..LinkConfig::default()
        };
        engine.accept_link(link, Box::new(answer), config);
        if let Some(credit) = self.fixed_credit
            && role == Role::Receiver
        {
            engine.set_credit(link, credit);
        }
    }
}

/// The attach that answers another as it stands.
pub(crate) fn answer_to(attach: &Attach) -> Attach {
    let role = match attach.role {
        Role::Sender => Role::Receiver,
        Role::Receiver => Role::Sender,
    };
    let mut answer = Attach::new(attach.name.clone(), Handle(0), role);
    answer.snd_settle_mode = attach.snd_settle_mode;
    answer.rcv_settle_mode = attach.rcv_settle_mode;
    answer.source = attach.source.clone();
    answer.target = attach.target.clone();
    answer
}

/// A message's body in words.
pub(crate) fn text(payload: &Bytes) -> String {
    let mut decoder = Decoder::new(payload);
    match Message::decode(&mut decoder) {
        Ok(Message {
            body: Body::Value(Value::String(text)),
            ..
        }) => text.to_string(),
        _ => format!("{payload:?}"),
    }
}
