//! What nobody may see: passwords, keys and tokens, and the seam to where they are kept.

use std::future::Future;
use std::pin::Pin;

use zeroize::Zeroize as _;

/// A secret text. It is not printed, and its memory is cleared when it goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret over.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself, for the one place that must send it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why the keyring did not answer as it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// There is none.
    #[error("this computer offers no keyring")]
    Missing,
    /// It is locked, or the person refused.
    #[error("the keyring is locked")]
    Locked,
    /// It does not answer in time.
    #[error("the keyring does not answer")]
    Silent,
    /// It failed.
    #[error("the keyring failed")]
    Failed,
}

impl SecretError {
    /// There is no keyring at all, or none that works: unlocking would not help.
    pub fn is_missing(self) -> bool {
        matches!(self, Self::Missing | Self::Failed)
    }
}

/// A keyring's answer, to come.
pub type SecretFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, SecretError>> + Send + 'a>>;

/// Where secrets are kept: the desktop's keyring, or a test's own. It keeps them encrypted or not at
/// all.
pub trait SecretStore: Send + Sync {
    /// The secret of an account; `None` if none is kept.
    fn get<'a>(&'a self, account: &'a str) -> SecretFuture<'a, Option<Secret>>;
    /// Keeps a secret, in place of the one there was.
    fn set<'a>(&'a self, account: &'a str, secret: Secret) -> SecretFuture<'a, ()>;
    /// Removes a secret; none to remove is fine.
    fn remove<'a>(&'a self, account: &'a str) -> SecretFuture<'a, ()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        let secret = Secret::new("planted".to_owned());
        assert!(!format!("{secret:?} {:?}", Some(&secret)).contains("planted"));
        assert_eq!(secret.expose(), "planted");
    }
}
