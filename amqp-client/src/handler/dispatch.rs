//! The thread that calls back: it takes one piece of work after another and knows whose handler hears
//! of it.
//!
//! Decides what a callback that fails or panics ends: its own connection, or the run where there is
//! none. What each thing that happens means is decided in `on_connection`, `on_link` and `accept`.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};

use amqp_types::transport::{self, ErrorCondition};
use tokio::sync::mpsc;

use super::callbacks::{HandlerError, HandlerOptions, HandlerResult, MessagingHandler};
use super::connection::Connection;
use super::container::{ActiveContainer, ApplicationEvent, Task};
use super::event::{ConnectionEvent, InjectedEvent, StartEvent, TimerEvent};
use super::registry::{Shared, SharedHandler, Work};
use crate::error::{Error, ErrorScope, Initiator};

/// Everything that the thread needs.
pub(super) struct Dispatcher<H> {
    pub(super) shared: Arc<Shared>,
    pub(super) container: ActiveContainer,
    main: H,
    work: mpsc::UnboundedReceiver<Work>,
    /// Why the run ends early.
    failure: Option<Error>,
    stopped: bool,
}

impl<H: MessagingHandler> Dispatcher<H> {
    pub(super) fn new(shared: Arc<Shared>, main: H, work: mpsc::UnboundedReceiver<Work>) -> Self {
        Self {
            container: ActiveContainer::new(shared.clone()),
            shared,
            main,
            work,
            failure: None,
            stopped: false,
        }
    }

    /// Calls back until nothing can happen any more; gives the handler back.
    pub(super) fn run(mut self) -> Result<H, Error> {
        self.plain(|handler, event| handler.on_start(event));
        while !(self.work.is_empty() && self.shared.registry().is_idle()) {
            if self.work.is_empty() {
                self.plain(|handler, event| handler.on_quiescent(event));
            }
            match self.work.blocking_recv() {
                Some(work) => self.take(work),
                None => break,
            }
        }
        self.plain(|handler, event| handler.on_stop(event));
        match self.failure {
            Some(error) => Err(error),
            None => Ok(self.main),
        }
    }

    fn take(&mut self, work: Work) {
        match work {
            Work::Notice(number, notice, unheard) => {
                self.notice(number, notice);
                drop(unheard);
            }
            Work::Connected(number, handle) => self.connected(number, handle),
            Work::ConnectFailed(number, error) => self.connect_failed(number, error),
            Work::Accepted(accepted) => self.accepted(*accepted),
            Work::Timer(number) => self.timer(number),
            Work::Inject(event) => self.injected(event),
            Work::Call(call) => {
                let result =
                    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| panicked(&*panic));
                self.judge(None, result);
            }
            Work::Wake(number) => self.wake(number),
            Work::Look => {}
            Work::Stop => self.stop(),
        }
    }

    fn stop(&mut self) {
        if std::mem::replace(&mut self.stopped, true) {
            return;
        }
        let (connections, timers, acceptors) = {
            let mut registry = self.shared.registry();
            registry.stopping = true;
            let connections: Vec<Connection> = registry
                .connections
                .values()
                .map(|entry| entry.connection.clone())
                .collect();
            (
                connections,
                std::mem::take(&mut registry.timers),
                std::mem::take(&mut registry.acceptors),
            )
        };
        for entry in timers.into_values() {
            entry.task.abort();
        }
        for entry in acceptors.into_values() {
            entry.task.abort();
        }
        for connection in connections {
            connection.close();
        }
    }

    fn timer(&mut self, number: u64) {
        let Some(entry) = self.remove_timer(number) else {
            return;
        };
        let event = TimerEvent {
            container: self.container.clone(),
            task: Task::new(self.shared.clone(), number),
        };
        self.call(None, entry.handler.as_ref(), |handler| {
            handler.on_timer_task(&event)
        });
    }

    fn remove_timer(&self, number: u64) -> Option<super::registry::TimerEntry> {
        self.shared.registry().timers.remove(&number)
    }

    fn injected(&mut self, event: ApplicationEvent) {
        let event = InjectedEvent {
            container: self.container.clone(),
            event,
        };
        self.call(None, None, |handler| handler.on_application_event(&event));
    }

    fn wake(&mut self, number: u64) {
        let connection = {
            let mut registry = self.shared.registry();
            let entry = registry.connections.get_mut(&number);
            entry.map(|entry| {
                entry.woken = false;
                entry.connection.clone()
            })
        };
        if let Some(connection) = connection {
            self.tell_connection(&connection, None, |handler, event| {
                handler.on_connection_wake(event)
            });
        }
    }

    // ---- calling -----------------------------------------------------------------------------

    fn plain(&mut self, f: impl FnOnce(&mut dyn MessagingHandler, &StartEvent) -> HandlerResult) {
        let event = StartEvent {
            container: self.container.clone(),
        };
        self.call(None, None, |handler| f(handler, &event));
    }

    /// Calls back for a connection.
    pub(super) fn tell_connection(
        &mut self,
        connection: &Connection,
        error: Option<Error>,
        f: impl FnOnce(&mut dyn MessagingHandler, &ConnectionEvent) -> HandlerResult,
    ) {
        let handler = self
            .shared
            .registry()
            .connection_handler(connection.number());
        let event = ConnectionEvent {
            connection: connection.clone(),
            error,
        };
        self.call(Some(connection), handler.as_ref(), |handler| {
            f(handler, &event)
        });
    }

    /// Calls back, and judges what comes of it.
    pub(super) fn call(
        &mut self,
        connection: Option<&Connection>,
        handler: Option<&SharedHandler>,
        f: impl FnOnce(&mut dyn MessagingHandler) -> HandlerResult,
    ) {
        let result = self.attempt(handler, f);
        self.judge(connection, result);
    }

    /// Calls back; a panic is an error like others.
    pub(super) fn attempt(
        &mut self,
        handler: Option<&SharedHandler>,
        f: impl FnOnce(&mut dyn MessagingHandler) -> HandlerResult,
    ) -> HandlerResult {
        let main = &mut self.main;
        let result = catch_unwind(AssertUnwindSafe(|| match handler {
            Some(slot) => {
                let mut handler = slot.handler.lock().unwrap_or_else(PoisonError::into_inner);
                f(&mut **handler)
            }
            None => f(main),
        }));
        result.unwrap_or_else(|panic| Err(panicked(&*panic)))
    }

    /// A handler that failed ends its connection, or the run where there is none.
    pub(super) fn judge(&mut self, connection: Option<&Connection>, result: HandlerResult) {
        let what = match result {
            Ok(()) => return,
            Err(HandlerError::Failed(error)) => error.to_string(),
            Err(HandlerError::Reject(_) | HandlerError::Release) => {
                "only on_message can reject or release".to_owned()
            }
        };
        match connection {
            Some(connection) => {
                tracing::error!(target: "amqp_client::handler", error = what, "a handler failed; its connection is closed");
                connection.set_failed();
                let mut error = transport::Error::new(ErrorCondition::InternalError);
                error.description = Some(format!("the handler failed: {what}").into());
                connection.close_with_error(error);
            }
            None => {
                self.failure.get_or_insert_with(|| {
                    Error::new(
                        crate::error::ErrorKind::Handler,
                        ErrorScope::Connection,
                        Initiator::Local,
                        format!("the handler failed: {what}"),
                    )
                });
                self.stop();
            }
        }
    }

    /// What happens by itself for a handler.
    pub(super) fn options_of(&self, handler: Option<&SharedHandler>) -> HandlerOptions {
        handler.map_or(self.shared.options, |slot| slot.options)
    }
}

/// What a panic said.
fn panicked(panic: &(dyn Any + Send)) -> HandlerError {
    let text = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text.as_str(),
        _ => "no message",
    };
    HandlerError::Failed(format!("panic: {text}").into())
}
