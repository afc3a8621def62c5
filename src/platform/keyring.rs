//! The desktop's keyring (the Secret Service on Linux).
//!
//! It may be missing, locked or waiting for a person who is not there, so it is asked on a thread of
//! its own and for a limited time. Errors carry no text of the keyring's: it may hold what was kept.

use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::base::secret::{Secret, SecretError, SecretFuture, SecretStore};

/// What the keyring's own programs call these entries.
const SERVICE: &str = "safelight";
/// How long a person has to unlock it.
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// Questions that wait for one before them.
const QUEUE_MAX: usize = 16;

type Work = Box<dyn FnOnce() + Send>;

/// The keyring of the person who is signed in.
pub struct Keyring {
    queue: SyncSender<Work>,
}

impl Keyring {
    /// Nothing is asked yet.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn new() -> std::io::Result<Self> {
        let (queue, work) = sync_channel::<Work>(QUEUE_MAX);
        std::thread::Builder::new().name("keyring".to_owned()).spawn(move || {
            while let Ok(piece) = work.recv() {
                // A panic in there costs one answer.
                drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(piece)));
            }
        })?;
        Ok(Self { queue })
    }

    fn ask<T: Send + 'static>(
        &self,
        account: &str,
        question: impl FnOnce(&keyring::Entry) -> keyring::Result<T> + Send + 'static,
    ) -> SecretFuture<'_, T> {
        let (done, answer) = oneshot::channel();
        let account = account.to_owned();
        let work: Work = Box::new(move || {
            let outcome = keyring::Entry::new(SERVICE, &account).and_then(|entry| question(&entry));
            done.send(outcome.map_err(|error| secret_error_of(&error))).ok();
        });
        let sent = self.queue.try_send(work);
        Box::pin(async move {
            match sent {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => return Err(SecretError::Silent),
                Err(TrySendError::Disconnected(_)) => return Err(SecretError::Failed),
            }
            match tokio::time::timeout(ANSWER_MAX, answer).await {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(_panicked)) => Err(SecretError::Failed),
                Err(_late) => Err(SecretError::Silent),
            }
        })
    }
}

fn secret_error_of(error: &keyring::Error) -> SecretError {
    tracing::debug!(kind = kind_of(error), "the keyring refused");
    match error {
        keyring::Error::NoStorageAccess(_) => SecretError::Locked,
        keyring::Error::NoDefaultStore
        | keyring::Error::NotSupportedByStore(_)
        | keyring::Error::PlatformFailure(_) => SecretError::Missing,
        _ => SecretError::Failed,
    }
}

/// What sort of error it is, without its text.
fn kind_of(error: &keyring::Error) -> &'static str {
    match error {
        keyring::Error::NoStorageAccess(_) => "no access",
        keyring::Error::NoDefaultStore => "no store",
        keyring::Error::NotSupportedByStore(_) => "not supported",
        keyring::Error::PlatformFailure(_) => "platform",
        _ => "other",
    }
}

impl SecretStore for Keyring {
    fn get<'a>(&'a self, account: &'a str) -> SecretFuture<'a, Option<Secret>> {
        self.ask(account, |entry| match entry.get_password() {
            Ok(text) => Ok(Some(Secret::new(text))),
            Err(keyring::Error::NoEntry) => Ok(None),
            Err(error) => Err(error),
        })
    }

    fn set<'a>(&'a self, account: &'a str, secret: Secret) -> SecretFuture<'a, ()> {
        self.ask(account, move |entry| entry.set_password(secret.expose()))
    }

    fn remove<'a>(&'a self, account: &'a str) -> SecretFuture<'a, ()> {
        self.ask(account, |entry| match entry.delete_credential() {
            Err(keyring::Error::NoEntry) => Ok(()),
            other => other,
        })
    }
}
