//! Between the engine's SASL exchange and the mechanism that runs beside the driver.
//!
//! Decides only who is told what; hashing, tokens and look-ups never hold the connection's task up.
//! Section 5.3.

use std::time::Instant;

use amqp_types::security::SaslCode;

use super::{Driver, Phase, SaslAnswer, SaslStep};
use crate::error::Error;
use crate::proto::SaslFailure;

impl Driver {
    /// Hands a step to the mechanism.
    pub(super) fn sasl_step(&mut self, step: SaslStep) {
        let handed = self
            .sasl
            .as_ref()
            .is_some_and(|sasl| sasl.send(step).is_ok());
        if !handed {
            // Nobody is there to decide: whichever half this is, it ends here.
            self.set_failure_reason(Error::sasl(&SaslFailure::GivenUp));
            self.engine.sasl_give_up(SaslFailure::GivenUp);
            self.engine.sasl_outcome(SaslCode::Sys, None);
        }
    }

    /// Hands the mechanism's answer to the engine.
    pub(super) fn sasl_answered(&mut self, answer: SaslAnswer) {
        match answer {
            SaslAnswer::Init(init) => self.engine.sasl_init(init),
            SaslAnswer::Respond(response) => self.engine.sasl_respond(response),
            SaslAnswer::Challenge(challenge) => self.engine.sasl_challenge(challenge),
            SaslAnswer::GiveUp(failure, error) => {
                self.set_failure_reason(*error);
                self.engine.sasl_give_up(failure);
            }
            SaslAnswer::Accept => {
                self.engine.sasl_accept();
                self.phase.send_replace(Phase::Open);
                self.take_what_was_read(tokio::time::Instant::now().into_std());
            }
            SaslAnswer::Outcome {
                code,
                additional_data,
                identity,
            } => {
                self.engine.sasl_outcome(code, additional_data);
                if code == SaslCode::Ok {
                    self.identity = identity;
                    self.phase.send_replace(Phase::Open);
                    self.take_what_was_read(tokio::time::Instant::now().into_std());
                }
            }
        }
    }

    /// What the peer sent behind its outcome, or before ours, belongs to the next layer. [SASL-21]
    fn take_what_was_read(&mut self, now: Instant) {
        if !self.wire.input.is_empty() {
            // A violation has been answered already; what is left to do is to write it.
            let _ = self.engine.handle_input(now, &mut self.wire.input);
        }
    }
}
