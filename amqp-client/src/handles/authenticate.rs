//! A client's authentication: a task beside the driver.
//!
//! Decides nothing by itself: it runs the mechanism that the policy chose and carries its messages
//! to the engine as commands. Section 5.3.

use std::sync::Arc;

use amqp_types::security::{SaslCode, SaslInit};
use amqp_types::{Str, Symbol};
use tokio::sync::mpsc;

use crate::driver::{Command, ConnectionShared, SaslAnswer, SaslStep};
use crate::error::Error;
use crate::proto::{SaslClient, SaslFailure};
use crate::sasl::{ClientContext, ClientExchange, ClientMechanism, Policy, Start};
use crate::secret::wiped;
use crate::transport::Security;

/// A client that is about to authenticate.
pub(crate) struct Authenticator {
    policy: Policy,
    security: Security,
    host: Option<String>,
    port: Option<u16>,
    hostname: Option<Str>,
    /// The exchange that was begun already, with its mechanism's name.
    begun: Option<(Symbol, Box<dyn ClientExchange>)>,
}

impl Authenticator {
    pub(crate) fn new(
        policy: Policy,
        security: Security,
        host: Option<String>,
        port: Option<u16>,
        hostname: Option<Str>,
    ) -> Self {
        Self {
            policy,
            security,
            host,
            port,
            hostname,
            begun: None,
        }
    }

    /// The engine's half: with an init in the first write when the mechanism is certain. [SASL-10]
    pub(crate) async fn engine(&mut self) -> Result<SaslClient, Error> {
        let start = self.policy.start(&self.context(&[]))?;
        let Start::Fixed(mechanism) = start else {
            return Ok(SaslClient::new());
        };
        let init = self.begin(&*mechanism, &[]).await?;
        Ok(SaslClient::with_init(init))
    }

    fn context<'a>(&'a self, offered: &'a [Symbol]) -> ClientContext<'a> {
        ClientContext {
            host: self.host.as_deref(),
            port: self.port,
            security: &self.security,
            offered,
        }
    }

    async fn begin(
        &mut self,
        mechanism: &dyn ClientMechanism,
        offered: &[Symbol],
    ) -> Result<SaslInit, Error> {
        let name = mechanism.name();
        let mut exchange = mechanism.start(&self.context(offered));
        let mut init = SaslInit::new(name.clone());
        init.initial_response = exchange.initial().await?.map(wiped);
        init.hostname = self.hostname.clone();
        self.begun = Some((name, exchange));
        Ok(init)
    }

    /// Runs until the driver has no more to say.
    pub(crate) async fn run(
        mut self,
        mut steps: mpsc::UnboundedReceiver<SaslStep>,
        shared: Arc<ConnectionShared>,
    ) {
        if let Some((name, _)) = &self.begun {
            tracing::debug!(target: "amqp_client::connection", mechanism = name.as_str(), "authenticating");
        }
        while let Some(step) = steps.recv().await {
            // A connection that is over waits for no token.
            let answer = tokio::select! {
                answer = self.step(step) => answer,
                _ = shared.wait_over() => return,
            };
            let answer = answer
                .unwrap_or_else(|error| SaslAnswer::GiveUp(SaslFailure::GivenUp, Box::new(error)));
            shared.push(Command::Sasl(answer));
        }
    }

    async fn step(&mut self, step: SaslStep) -> Result<SaslAnswer, Error> {
        match step {
            SaslStep::Offer(offered) => {
                let mechanism = self.policy.choose(&self.context(&offered))?;
                tracing::debug!(target: "amqp_client::connection", mechanism = mechanism.name().as_str(), "authenticating");
                let init = self.begin(&*mechanism, &offered).await?;
                Ok(SaslAnswer::Init(init))
            }
            SaslStep::Challenge(challenge) => {
                let (_, exchange) = self.begun.as_mut().ok_or_else(out_of_turn)?;
                let response = exchange.respond(&challenge).await?;
                Ok(SaslAnswer::Respond(wiped(response)))
            }
            SaslStep::Accepted(additional) => {
                let (_, exchange) = self.begun.as_mut().ok_or_else(out_of_turn)?;
                exchange.verify(additional.as_deref())?;
                Ok(SaslAnswer::Accept)
            }
            // What only a listener is asked.
            SaslStep::Init { .. } | SaslStep::Response(_) => Err(out_of_turn()),
        }
    }
}

fn out_of_turn() -> Error {
    Error::sasl(&SaslFailure::Refused(SaslCode::Sys))
}
