//! Running a container with a handler: on a runtime of its own, or on the user's.
//!
//! Decides which thread calls back. Connections are tasks of a runtime; callbacks have a thread to
//! themselves, where they may take their time.

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::callbacks::MessagingHandler;
use super::container::ActiveContainer;
use super::dispatch::Dispatcher;
use super::registry::{Shared, Work};
use crate::error::{Error, ErrorKind, ErrorScope, Initiator};
use crate::handles::{Background, Container};

impl Container {
    /// Runs a handler on this thread, with a runtime of its own, until nothing can happen any more: all
    /// connections and listeners are closed, no task is scheduled, and no injector is left. Gives the
    /// handler back.
    ///
    /// # Errors
    /// Configuration in a runtime's context, where [`start`](Self::start) is the one to use; what a
    /// callback failed with that belongs to no connection.
    pub fn run<H: MessagingHandler>(&self, handler: H) -> Result<H, Error> {
        if Handle::try_current().is_ok() {
            return Err(Error::configuration(
                "run would block a runtime: use start, or a thread of its own",
            ));
        }
        let runtime = Background::start()?;
        let (_, dispatcher) = prepare(self, runtime.handle().clone(), handler);
        let _context = runtime.handle().enter();
        dispatcher.run()
    }

    /// Runs a handler on a thread of its own, and its connections on the current runtime.
    ///
    /// # Errors
    /// Configuration outside of a runtime's context, I/O when no thread can be had.
    pub fn start<H: MessagingHandler>(&self, handler: H) -> Result<Running<H>, Error> {
        let runtime = Handle::try_current()
            .map_err(|_| Error::configuration("start needs a runtime: use run without one"))?;
        let (container, dispatcher) = prepare(self, runtime.clone(), handler);
        let (done, result) = oneshot::channel();
        std::thread::Builder::new()
            .name("amqp-handler".to_owned())
            .spawn(move || {
                let _context = runtime.enter();
                // Whoever started it may not want to know.
                let _ = done.send(dispatcher.run());
            })
            .map_err(|error| Error::io("thread", error))?;
        Ok(Running { container, result })
    }
}

fn prepare<H: MessagingHandler>(
    container: &Container,
    runtime: Handle,
    handler: H,
) -> (ActiveContainer, Dispatcher<H>) {
    let (sender, work) = mpsc::unbounded_channel::<Work>();
    let shared = Shared::new(container.clone(), runtime, sender, handler.options());
    let active = ActiveContainer::new(shared.clone());
    (active, Dispatcher::new(shared, handler, work))
}

/// A handler that runs. Dropping this lets it run on.
#[derive(Debug)]
pub struct Running<H> {
    container: ActiveContainer,
    result: oneshot::Receiver<Result<H, Error>>,
}

impl<H> Running<H> {
    /// The container, to stop it, inject events, or open connections from elsewhere.
    pub fn container(&self) -> &ActiveContainer {
        &self.container
    }

    /// Waits until nothing can happen any more; gives the handler back.
    ///
    /// # Errors
    /// As [`Container::run`].
    ///
    /// # Cancel safety
    /// The handler runs on when the future is dropped.
    pub async fn wait(self) -> Result<H, Error> {
        self.result.await.unwrap_or_else(|_| {
            Err(Error::new(
                ErrorKind::Handler,
                ErrorScope::Connection,
                Initiator::Local,
                "the handler's thread is gone",
            ))
        })
    }
}
