//! A keyring in memory, for tests.

use std::collections::HashMap;

use parking_lot::Mutex;

use super::secret::{Secret, SecretError, SecretFuture, SecretStore};

/// A keyring in memory.
#[derive(Default)]
pub struct MemorySecrets {
    secrets: Mutex<HashMap<String, Secret>>,
    refusal: Mutex<Option<SecretError>>,
}

impl MemorySecrets {
    /// A keyring that does not exist.
    pub fn missing() -> Self {
        let secrets = Self::default();
        secrets.refuse(SecretError::Missing);
        secrets
    }

    /// Answers everything with this error from now on.
    pub fn refuse(&self, error: SecretError) {
        *self.refusal.lock() = Some(error);
    }

    /// The accounts that have a secret.
    pub fn accounts(&self) -> Vec<String> {
        self.secrets().keys().cloned().collect()
    }

    fn secrets(&self) -> parking_lot::MutexGuard<'_, HashMap<String, Secret>> {
        self.secrets.lock()
    }

    fn answer<T>(&self, work: impl FnOnce(&mut HashMap<String, Secret>) -> T) -> Result<T, SecretError> {
        match *self.refusal.lock() {
            Some(error) => Err(error),
            None => Ok(work(&mut self.secrets())),
        }
    }
}

impl SecretStore for MemorySecrets {
    fn get<'a>(&'a self, account: &'a str) -> SecretFuture<'a, Option<Secret>> {
        Box::pin(std::future::ready(self.answer(|secrets| secrets.get(account).cloned())))
    }

    fn set<'a>(&'a self, account: &'a str, secret: Secret) -> SecretFuture<'a, ()> {
        Box::pin(std::future::ready(self.answer(|secrets| drop(secrets.insert(account.to_owned(), secret)))))
    }

    fn remove<'a>(&'a self, account: &'a str) -> SecretFuture<'a, ()> {
        Box::pin(std::future::ready(self.answer(|secrets| drop(secrets.remove(account)))))
    }
}
