//! A link on which the peer sends: messages go into a queue, or each to the queue that it names.
//!
//! Decides what is taken and what is refused, and with which condition. Sections 2.6, 3.4.3 and the
//! anonymous terminus.

use std::sync::Arc;

use amqp_types::transport::{Error, ErrorCondition, Fields};
use amqp_types::{Binary, Symbol};

use super::nodes::{Nodes, Use};
use super::queue::Deleted;
use super::stored::{Stored, fault};
use crate::driver::SessionShared;
use crate::handles::{Delivery, Receiver};

/// How many deliveries are taken at a time.
const BATCH: usize = 256;

/// The broker's end of a link that fills queues.
pub(super) struct Ingress {
    pub(super) receiver: Receiver,
    pub(super) nodes: Arc<Nodes>,
    /// The node of the link; `None` goes by the messages' `to`.
    pub(super) node: Option<Use>,
    pub(super) may_reject: bool,
    /// The session of the link.
    pub(super) session: Arc<SessionShared>,
}

impl Ingress {
    /// Serves the link until it is over.
    pub(super) async fn run(self) {
        self.serve().await;
        if let Some(node) = self.node {
            node.end(self.receiver.error(), &self.session).await;
        }
    }

    async fn serve(&self) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut messages = Vec::with_capacity(BATCH);
        // The node of the last `to`: neighbours often go the same way.
        let mut last: Option<Use> = None;
        while let Ok(delivery) = self.next().await {
            batch.push(delivery);
            while batch.len() < BATCH
                && let Ok(Some(delivery)) = self.receiver.try_recv()
            {
                batch.push(delivery);
            }
            let result = match &self.node {
                Some(node) => self.take(&mut batch, &mut messages, node),
                None => batch
                    .iter()
                    .try_for_each(|delivery| self.relay(delivery, &mut last)),
            };
            if let Err(error) = result {
                // What is left in the batch is let go behind the detach: it gets no outcome, where
                // the peer knows none that would fit. [OUT-13]
                // The peer's own end of the link is of no interest any more.
                let _ = self.receiver.close_with_error(error).await;
                return;
            }
            batch.clear();
        }
    }

    async fn next(&self) -> Result<Delivery, crate::error::Error> {
        let Some(node) = &self.node else {
            return self.receiver.recv().await;
        };
        tokio::select! {
            delivery = self.receiver.recv() => delivery,
            () = node.queue().wait_deleted() => {
                self.receiver.close_with_error(Deleted.into()).await?;
                self.receiver.recv().await
            }
        }
    }

    /// Puts a batch into one queue, under one lock.
    fn take(
        &self,
        batch: &mut Vec<Delivery>,
        messages: &mut Vec<Stored>,
        node: &Use,
    ) -> Result<(), Error> {
        let keep_durable = self.nodes.settings().keep_durable;
        let mut refused = Ok(());
        let mut unreadable = Vec::new();
        while let Some(delivery) = batch.get(messages.len()) {
            match Stored::read(delivery, keep_durable) {
                Ok(message) => messages.push(message),
                Err(error) => {
                    refused = refused.and(self.refuse(delivery, error));
                    unreadable.push(batch.remove(messages.len()));
                }
            }
        }
        let readable = batch.len();
        batch.append(&mut unreadable);
        let put = node.queue().put(messages);
        messages.clear();
        let fits = put?;
        batch[..fits].iter().for_each(Delivery::accept);
        for delivery in &batch[fits..readable] {
            self.refuse(delivery, full())?;
        }
        refused
    }

    /// Puts one message where its `to` says. [ANON-03] [ANON-04]
    fn relay(&self, delivery: &Delivery, last: &mut Option<Use>) -> Result<(), Error> {
        match self.route(delivery, last) {
            Ok(()) => {
                delivery.accept();
                Ok(())
            }
            Err(error) => self.refuse(delivery, error),
        }
    }

    fn route(&self, delivery: &Delivery, last: &mut Option<Use>) -> Result<(), Error> {
        let message = Stored::read(delivery, self.nodes.settings().keep_durable)?;
        let to = message
            .properties()?
            .and_then(|properties| properties.to)
            .ok_or_else(|| {
                fault(
                    ErrorCondition::PreconditionFailed,
                    "the message has no `to`",
                )
            })?;
        let node = match last {
            Some(node) if *node.queue().address() == to.0 => node,
            _ => last.insert(self.nodes.open(&to)?),
        };
        match node.queue().put(&mut vec![message]) {
            Ok(0) => Err(full()),
            Ok(_) => Ok(()),
            Err(Deleted) => {
                *last = None;
                Err(Deleted.into())
            }
        }
    }

    /// Rejects a delivery; where that can not be, the link is closed with the error. [ANON-05] [ANON-06]
    fn refuse(&self, delivery: &Delivery, mut error: Error) -> Result<(), Error> {
        if self.may_reject && !delivery.is_settled() {
            delivery.reject(error);
            return Ok(());
        }
        error.info.get_or_insert_with(Fields::default).insert(
            Symbol::from_static("delivery-tag"),
            Binary::copy_from_slice(delivery.tag()),
        );
        Err(error)
    }
}

fn full() -> Error {
    fault(ErrorCondition::ResourceLimitExceeded, "the queue is full")
}
