//! The SASL exchange, for the side that authenticates and the side that is authenticated.
//!
//! Decides which SASL frame is legal when and what is owed in answer. What a mechanism says, and
//! whether credentials are good, is decided elsewhere: it leaves here as an event and comes back as
//! a verb, so that hashing and look-ups may take their time. Section 5.3.
//!
//! ```text
//! client  AwaitOffer ──▶ Deciding ──▶ AwaitStep ──▶ Verifying ──▶ Done
//!                           ▲─ challenge ─┘
//! server  AwaitInit  ──▶ Deciding ──▶ AwaitResponse ──▶ Deciding ──▶ Done
//! ```

use amqp_types::security::{
    SaslChallenge, SaslCode, SaslFrame, SaslInit, SaslMechanisms, SaslOutcome, SaslResponse,
};
use amqp_types::transport::ErrorCondition;
use amqp_types::{Binary, Symbol};
use bytes::BytesMut;

use super::event::{Event, SaslFailure};
use super::frame::{SASL_FRAME, put_frame};
use super::violation::Violation;

const SECTION: &str = "5.3.2";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClientState {
    /// Nothing has come yet; an init may have gone out with the header. [SASL-10]
    AwaitOffer,
    /// The mechanism's next message is being made.
    Deciding,
    AwaitStep,
    /// The listener said ok; whether it is believed is being decided. [SASL-17]
    Verifying,
    Done,
}

/// The client's state.
#[derive(Debug)]
pub struct SaslClient {
    state: ClientState,
    /// The mechanism of an init that goes out without waiting for the offer.
    early: Option<Symbol>,
    owed: Option<SaslFrame>,
    failure: Option<SaslFailure>,
}

impl SaslClient {
    /// Waits for the offer and chooses then: [`Event::SaslOffer`].
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self {
            state: ClientState::AwaitOffer,
            early: None,
            owed: None,
            failure: None,
        }
    }

    /// Sends this init with the protocol header, in one write. [SASL-10]
    pub fn with_init(init: SaslInit) -> Self {
        Self {
            early: Some(init.mechanism.clone()),
            owed: Some(SaslFrame::SaslInit(init)),
            ..Self::new()
        }
    }

    /// Why authentication failed, once it has.
    pub fn failure(&self) -> Option<&SaslFailure> {
        self.failure.as_ref()
    }

    /// Takes a frame of the listener. [SASL-02] [SASL-11]
    fn on_frame(
        &mut self,
        frame: SaslFrame,
        emit: &mut impl FnMut(Event),
    ) -> Result<SaslProgress, Violation> {
        match (frame, self.state) {
            (SaslFrame::SaslMechanisms(offer), ClientState::AwaitOffer) => {
                let offered = offer.sasl_server_mechanisms;
                match &self.early {
                    // [SASL-08]: a mechanism that was not offered is not gone on with.
                    Some(early) if !offered.contains(early) => {
                        return Ok(self.fail(SaslFailure::NoMechanism(offered), emit));
                    }
                    Some(_) => self.state = ClientState::AwaitStep,
                    None => {
                        self.state = ClientState::Deciding;
                        emit(Event::SaslOffer(offered));
                    }
                }
                Ok(SaslProgress::Open)
            }
            (SaslFrame::SaslChallenge(challenge), ClientState::AwaitStep) => {
                self.state = ClientState::Deciding;
                emit(Event::SaslChallenge(challenge.challenge));
                Ok(SaslProgress::Open)
            }
            (SaslFrame::SaslOutcome(outcome), ClientState::AwaitStep) => {
                if outcome.code != SaslCode::Ok {
                    // [SASL-16]: what comes with a failure is ignored.
                    return Ok(self.fail(SaslFailure::Refused(outcome.code), emit));
                }
                self.state = ClientState::Verifying;
                emit(Event::SaslAccepted(outcome.additional_data));
                Ok(SaslProgress::Paused)
            }
            _ => Err(unexpected()),
        }
    }

    fn fail(&mut self, failure: SaslFailure, emit: &mut impl FnMut(Event)) -> SaslProgress {
        self.state = ClientState::Done;
        self.failure = Some(failure.clone());
        emit(Event::SaslFailed(failure));
        SaslProgress::Failed
    }

    /// Answers the offer. Out of turn it does nothing.
    pub(crate) fn init(&mut self, init: SaslInit) {
        if self.state == ClientState::Deciding {
            self.state = ClientState::AwaitStep;
            self.owed = Some(SaslFrame::SaslInit(init));
        }
    }

    /// Answers a challenge. Out of turn it does nothing. [SASL-12]
    pub(crate) fn respond(&mut self, response: Binary) {
        if self.state == ClientState::Deciding {
            self.state = ClientState::AwaitStep;
            self.owed = Some(SaslFrame::SaslResponse(SaslResponse::new(response)));
        }
    }

    /// Believes the listener's ok.
    pub(crate) fn accept(&mut self) -> SaslProgress {
        if self.state != ClientState::Verifying {
            return SaslProgress::Open;
        }
        self.state = ClientState::Done;
        SaslProgress::Succeeded
    }

    /// Goes no further.
    pub(crate) fn give_up(&mut self, failure: SaslFailure) -> SaslProgress {
        self.state = ClientState::Done;
        self.owed = None;
        self.failure.get_or_insert(failure);
        SaslProgress::Failed
    }
}

/// The listener's state.
#[derive(Debug)]
pub struct SaslServer {
    offer: Vec<Symbol>,
    owed: Vec<SaslFrame>,
    state: ServerState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ServerState {
    AwaitInit,
    Deciding,
    AwaitResponse,
    Done(SaslCode),
}

impl SaslServer {
    /// Offers these mechanisms; there has to be one at least. [TYP-37] [SASL-07]
    pub fn new(offer: Vec<Symbol>) -> Self {
        Self {
            owed: vec![SaslFrame::SaslMechanisms(SaslMechanisms::new(
                offer.clone(),
            ))],
            offer,
            state: ServerState::AwaitInit,
        }
    }

    fn on_frame(&mut self, frame: SaslFrame) -> Result<Option<Event>, Violation> {
        match (frame, self.state) {
            (SaslFrame::SaslInit(init), ServerState::AwaitInit) => {
                if !self.offer.contains(&init.mechanism) {
                    // [SASL-09]
                    self.outcome(SaslCode::Auth, None);
                    return Ok(None);
                }
                self.state = ServerState::Deciding;
                Ok(Some(Event::SaslInit {
                    mechanism: init.mechanism,
                    initial_response: init.initial_response,
                    hostname: init.hostname,
                }))
            }
            // [SASL-11]: a response answers a challenge.
            (SaslFrame::SaslResponse(response), ServerState::AwaitResponse) => {
                self.state = ServerState::Deciding;
                Ok(Some(Event::SaslResponse(response.response)))
            }
            _ => Err(unexpected()),
        }
    }

    pub(crate) fn challenge(&mut self, challenge: Binary) {
        if self.state == ServerState::Deciding {
            self.state = ServerState::AwaitResponse;
            self.owed
                .push(SaslFrame::SaslChallenge(SaslChallenge::new(challenge)));
        }
    }

    /// [SASL-13] [SASL-16]
    pub(crate) fn outcome(&mut self, code: SaslCode, additional_data: Option<Binary>) {
        if matches!(self.state, ServerState::Done(_)) {
            return;
        }
        let mut outcome = SaslOutcome::new(code);
        outcome.additional_data = additional_data.filter(|_| code == SaslCode::Ok);
        self.state = ServerState::Done(code);
        self.owed.push(SaslFrame::SaslOutcome(outcome));
    }

    pub(crate) fn progress(&self) -> SaslProgress {
        match self.state {
            ServerState::Done(SaslCode::Ok) => SaslProgress::Succeeded,
            ServerState::Done(_) => SaslProgress::Failed,
            _ => SaslProgress::Open,
        }
    }
}

/// Either half.
#[derive(Debug)]
pub(crate) enum Sasl {
    Client(SaslClient),
    Server(SaslServer),
}

/// Where a SASL layer stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SaslProgress {
    Open,
    /// Nothing may be read until it is decided whether the listener is believed. [SASL-21]
    Paused,
    Succeeded,
    Failed,
}

impl Sasl {
    /// Takes one frame of the partner.
    pub(crate) fn on_frame(
        &mut self,
        frame: SaslFrame,
        emit: &mut impl FnMut(Event),
    ) -> Result<SaslProgress, Violation> {
        match self {
            Self::Client(client) => client.on_frame(frame, emit),
            Self::Server(server) => {
                if let Some(event) = server.on_frame(frame)? {
                    emit(event);
                }
                Ok(server.progress())
            }
        }
    }

    /// Whether a listener has not decided yet on what the client said. What the client has sent
    /// meanwhile may belong to the next layer already. [SASL-21] [CON-24]
    pub(crate) fn is_deciding(&self) -> bool {
        matches!(self, Self::Server(server) if server.state == ServerState::Deciding)
    }

    /// Writes what is owed. [SASL-03]
    pub(crate) fn transmit(&mut self, out: &mut BytesMut) {
        match self {
            Self::Client(client) => {
                if let Some(frame) = client.owed.take() {
                    put_frame(out, SASL_FRAME, 0, &frame);
                }
            }
            Self::Server(server) => {
                for frame in server.owed.drain(..) {
                    put_frame(out, SASL_FRAME, 0, &frame);
                }
            }
        }
    }
}

fn unexpected() -> Violation {
    Violation::connection(
        ErrorCondition::NotAllowed,
        SECTION,
        "a SASL frame that is not due",
    )
}
