//! The SASL exchange, for the side that authenticates and the side that is authenticated.
//!
//! Decides which SASL frame is legal when and what is owed in answer. The arithmetic of a mechanism
//! sits behind [`Mechanism`]; checking credentials is left to the listener's user. Section 5.3.

use amqp_types::security::{
    SaslChallenge, SaslCode, SaslFrame, SaslInit, SaslMechanisms, SaslOutcome, SaslResponse,
};
use amqp_types::transport::ErrorCondition;
use amqp_types::{Binary, Str, Symbol};
use bytes::BytesMut;

use super::event::Event;
use super::frame::{SASL_FRAME, put_frame};
use super::violation::Violation;

const SECTION: &str = "5.3.2";

/// The client's half of one SASL mechanism.
pub trait Mechanism: Send + std::fmt::Debug {
    /// The registered name, for example `PLAIN`.
    fn name(&self) -> Symbol;
    /// The initial response, for mechanisms in which the client speaks first.
    fn initial_response(&mut self) -> Option<Binary>;
    /// The answer to a challenge, or `None` to give up.
    fn respond(&mut self, challenge: &[u8]) -> Option<Binary>;
    /// Judges what came with a successful outcome; `false` refuses the server.
    fn verify(&mut self, additional: Option<&[u8]>) -> bool {
        let _ = additional;
        true
    }
}

/// Why authentication did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SaslFailure {
    /// The listener offered none of the mechanisms that may be used; these it offered. [SASL-09]
    NoMechanism(Vec<Symbol>),
    /// The listener refused with this code. Section 5.3.3.6.
    Refused(SaslCode),
    /// The mechanism gave up or did not believe the server.
    Mechanism,
}

/// The client's state.
#[derive(Debug)]
pub struct SaslClient {
    mechanisms: Vec<Box<dyn Mechanism>>,
    hostname: Option<Str>,
    chosen: Option<usize>,
    owed: Option<SaslFrame>,
    failure: Option<SaslFailure>,
}

impl SaslClient {
    /// Mechanisms in the order of preference.
    pub fn new(mechanisms: Vec<Box<dyn Mechanism>>, hostname: Option<Str>) -> Self {
        Self {
            mechanisms,
            hostname,
            chosen: None,
            owed: None,
            failure: None,
        }
    }

    /// Why authentication failed, once it has.
    pub fn failure(&self) -> Option<&SaslFailure> {
        self.failure.as_ref()
    }

    /// Takes a frame of the listener; answers with the outcome once there is one. [SASL-02]
    fn on_frame(&mut self, frame: SaslFrame) -> Result<Option<SaslCode>, Violation> {
        match (frame, self.chosen) {
            (SaslFrame::SaslMechanisms(offer), None) => {
                let offered = offer.sasl_server_mechanisms;
                let chosen = self
                    .mechanisms
                    .iter()
                    .position(|mechanism| offered.contains(&mechanism.name()));
                let Some(chosen) = chosen else {
                    self.failure = Some(SaslFailure::NoMechanism(offered));
                    return Ok(Some(SaslCode::Sys));
                };
                self.chosen = Some(chosen);
                let mechanism = &mut self.mechanisms[chosen];
                let mut init = SaslInit::new(mechanism.name());
                init.initial_response = mechanism.initial_response();
                init.hostname = self.hostname.clone();
                self.owed = Some(SaslFrame::SaslInit(init));
                Ok(None)
            }
            (SaslFrame::SaslChallenge(challenge), Some(chosen)) => {
                match self.mechanisms[chosen].respond(&challenge.challenge) {
                    Some(response) => {
                        self.owed = Some(SaslFrame::SaslResponse(SaslResponse::new(response)));
                        Ok(None)
                    }
                    None => {
                        self.failure = Some(SaslFailure::Mechanism);
                        Ok(Some(SaslCode::Auth))
                    }
                }
            }
            (SaslFrame::SaslOutcome(outcome), Some(chosen)) => {
                if outcome.code != SaslCode::Ok {
                    self.failure = Some(SaslFailure::Refused(outcome.code));
                } else if !self.mechanisms[chosen].verify(outcome.additional_data.as_deref()) {
                    self.failure = Some(SaslFailure::Mechanism);
                    return Ok(Some(SaslCode::Auth));
                }
                Ok(Some(outcome.code))
            }
            _ => Err(unexpected()),
        }
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
    /// Offers these mechanisms; there has to be one at least. [TYP-37]
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

    pub(crate) fn outcome(&mut self, code: SaslCode, additional_data: Option<Binary>) {
        if matches!(self.state, ServerState::Done(_)) {
            return;
        }
        let mut outcome = SaslOutcome::new(code);
        outcome.additional_data = additional_data;
        self.state = ServerState::Done(code);
        self.owed.push(SaslFrame::SaslOutcome(outcome));
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
    Succeeded,
    Failed(SaslCode),
}

impl Sasl {
    /// Takes one frame of the partner.
    pub(crate) fn on_frame(
        &mut self,
        frame: SaslFrame,
        emit: &mut impl FnMut(Event),
    ) -> Result<SaslProgress, Violation> {
        match self {
            Self::Client(client) => Ok(match client.on_frame(frame)? {
                None => SaslProgress::Open,
                Some(code) => {
                    emit(Event::SaslOutcome(code));
                    match code {
                        SaslCode::Ok => SaslProgress::Succeeded,
                        code => SaslProgress::Failed(code),
                    }
                }
            }),
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

impl SaslServer {
    pub(crate) fn progress(&self) -> SaslProgress {
        match self.state {
            ServerState::Done(SaslCode::Ok) => SaslProgress::Succeeded,
            ServerState::Done(code) => SaslProgress::Failed(code),
            _ => SaslProgress::Open,
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
