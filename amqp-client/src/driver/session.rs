//! What the handles of a session and the driver share.
//!
//! Decides how handles learn that a session is over; the protocol of sessions is the engine's.

use std::sync::{Arc, Mutex, PoisonError};

use amqp_types::transport::Begin;
use tokio::sync::Notify;

use super::command::ConnectionShared;
use crate::error::{Error, ErrorScope};
use crate::proto::Key;

/// One session of a connection.
#[derive(Debug)]
pub(crate) struct SessionShared {
    pub(crate) connection: Arc<ConnectionShared>,
    state: Mutex<State>,
    /// Woken when the session is over.
    ended: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Whether somebody has asked for it to be begun.
    claimed: bool,
    key: Option<Key>,
    remote: Option<Arc<Begin>>,
    over: Option<Error>,
}

impl SessionShared {
    pub(crate) fn new(connection: Arc<ConnectionShared>) -> Arc<Self> {
        Arc::new(Self {
            connection,
            state: Mutex::default(),
            ended: Notify::new(),
        })
    }

    /// The engine's key, once the session has been begun and until it is over.
    pub(crate) fn key(&self) -> Option<Key> {
        self.lock().key
    }

    /// Whether it is up to the caller to have the session begun: answers `true` once.
    pub(crate) fn claim_begin(&self) -> bool {
        !std::mem::replace(&mut self.lock().claimed, true)
    }

    pub(crate) fn set_key(&self, key: Key) {
        self.lock().key = Some(key);
    }

    /// The peer's begin has come.
    pub(crate) fn begun(&self, remote: Box<Begin>) {
        self.lock().remote = Some(Arc::from(remote));
    }

    /// The peer's begin.
    pub(crate) fn remote(&self) -> Option<Arc<Begin>> {
        self.lock().remote.clone()
    }

    pub(crate) fn finish(&self, error: Error) {
        {
            let mut state = self.lock();
            state.key = None;
            state.over.get_or_insert(error);
        }
        self.ended.notify_waiters();
    }

    /// Waits until the session is over; answers why.
    pub(crate) async fn wait_over(&self) -> Error {
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            if let Some(error) = self.lock().over.clone() {
                return error;
            }
            ended.await;
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.lock().over.is_some()
    }

    /// Why the session is over, as far as it is.
    pub(crate) fn over_error(&self) -> Error {
        let over = self.lock().over.clone();
        over.or_else(|| self.connection.over().flatten())
            .unwrap_or_else(|| Error::closed_locally(ErrorScope::Session))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
