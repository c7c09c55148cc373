//! A client's claim is judged: a task beside the driver.
//!
//! Decides nothing by itself: it runs the mechanism that the client chose and carries its messages
//! to the engine as commands. Section 5.3.

use std::sync::Arc;

use amqp_types::Symbol;
use amqp_types::security::SaslCode;
use tokio::sync::mpsc;

use crate::driver::{Command, ConnectionShared, SaslAnswer, SaslStep};
use crate::sasl::{ServerContext, ServerExchange, ServerMechanism, ServerStep};
use crate::secret::wiped;
use crate::transport::Security;

/// The listener's half of one connection's authentication.
pub(super) struct Judge {
    mechanisms: Vec<Arc<dyn ServerMechanism>>,
    offered: Vec<Symbol>,
    security: Security,
    exchange: Option<Box<dyn ServerExchange>>,
}

impl Judge {
    /// Finds out what can be offered on such a connection.
    pub(super) fn new(mechanisms: &[Arc<dyn ServerMechanism>], security: Security) -> Self {
        let context = ServerContext {
            security: &security,
            offered: &[],
            hostname: None,
        };
        let mechanisms: Vec<_> = mechanisms
            .iter()
            .filter(|mechanism| mechanism.is_offered(&context))
            .cloned()
            .collect();
        Self {
            offered: mechanisms
                .iter()
                .map(|mechanism| mechanism.name())
                .collect(),
            mechanisms,
            security,
            exchange: None,
        }
    }

    /// What is offered, in the order of preference. [SASL-07]
    pub(super) fn offered(&self) -> Vec<Symbol> {
        self.offered.clone()
    }

    /// Runs until the driver has no more to say.
    pub(super) async fn run(
        mut self,
        mut steps: mpsc::UnboundedReceiver<SaslStep>,
        shared: Arc<ConnectionShared>,
    ) {
        while let Some(step) = steps.recv().await {
            let answer = tokio::select! {
                answer = self.step(step) => answer,
                _ = shared.wait_over() => return,
            };
            shared.push(Command::Sasl(answer));
        }
    }

    async fn step(&mut self, step: SaslStep) -> SaslAnswer {
        let said = match step {
            SaslStep::Init {
                mechanism,
                initial_response,
                hostname,
            } => {
                let found = self.mechanisms.iter().find(|m| m.name() == mechanism);
                let Some(found) = found else {
                    return refuse(SaslCode::Auth);
                };
                let exchange = found.start(&ServerContext {
                    security: &self.security,
                    offered: &self.offered,
                    hostname: hostname.as_deref(),
                });
                let exchange = self.exchange.insert(exchange);
                exchange.step(initial_response.as_deref()).await
            }
            SaslStep::Response(response) => match &mut self.exchange {
                Some(exchange) => exchange.step(Some(&response)).await,
                None => return refuse(SaslCode::Sys),
            },
            // What only a client is asked.
            _ => return refuse(SaslCode::Sys),
        };
        match said {
            ServerStep::Challenge(challenge) => SaslAnswer::Challenge(wiped(challenge)),
            ServerStep::Accept {
                identity,
                additional_data,
            } => SaslAnswer::Outcome {
                code: SaslCode::Ok,
                additional_data: additional_data.map(wiped),
                identity,
            },
            ServerStep::Refuse(SaslCode::Ok) => refuse(SaslCode::Sys),
            ServerStep::Refuse(code) => refuse(code),
        }
    }
}

fn refuse(code: SaslCode) -> SaslAnswer {
    SaslAnswer::Outcome {
        code,
        additional_data: None,
        identity: None,
    }
}
