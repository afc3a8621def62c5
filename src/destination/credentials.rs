//! Who signs in, and with what: secrets from the environment or the keyring, fetched when they are
//! needed, kept in memory, and never anywhere else.

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::base::secret::{Secret, SecretError, SecretStore};
use crate::domain::cause::Cause;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::target::{DestinationKind, SecretRules};

/// Reads a variable of the environment; passed in, so that tests have their own.
pub type Environment = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// The variable of an access key's id.
const KEY_ID_VARIABLE: &str = "AWS_ACCESS_KEY_ID";
/// The variable that temporary credentials have beside those of the key.
const SESSION_VARIABLE: &str = "AWS_SESSION_TOKEN";

/// Where secrets are looked for.
#[derive(Clone)]
pub struct SecretSources {
    /// The keyring.
    pub store: Arc<dyn SecretStore>,
    /// The environment of this process.
    pub environment: Environment,
}

/// A user, where the kind knows one, and the secret that goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// A user's name, or an access key's id.
    pub user: Option<String>,
    /// The password, key or token.
    pub secret: Secret,
    /// What temporary credentials have besides.
    pub session: Option<Secret>,
}

/// The credentials of one destination.
pub struct Credentials {
    secret_sources: SecretSources,
    kind: DestinationKind,
    /// The destination's address as it is kept: its entry in the keyring.
    account: String,
    /// The destination's name, where it has one.
    name: Option<String>,
    user: Option<String>,
    known: Mutex<Option<Login>>,
}

/// `SAFELIGHT_PASSWORD_<NAME>`: the name in capitals, with an underscore for whatever is no ASCII letter
/// or digit.
pub fn variable_of_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("SAFELIGHT_PASSWORD_{}", name.chars().map(plain).collect::<String>())
}

impl Credentials {
    /// Credentials that are fetched when first asked for. `given` are those that the person has just
    /// entered: they come before all others.
    pub fn new(
        secret_sources: SecretSources,
        kind: DestinationKind,
        account: String,
        name: Option<String>,
        user: Option<String>,
        given: Option<Secret>,
    ) -> Self {
        let rules = kind.secret_rules(user.is_some());
        let known = given.map(|secret| split(rules, user.clone(), secret));
        Self { secret_sources, kind, account, name, user, known: Mutex::new(known) }
    }

    /// The login; `None` if the kind needs none and there is none.
    ///
    /// # Errors
    /// `credentials` when there is none and the kind needs one, with where to put it.
    pub async fn login(&self) -> Result<Option<Login>, Failure> {
        let mut known = self.known.lock().await;
        if known.is_none() {
            *known = self.find().await?;
        }
        Ok(known.clone())
    }

    /// Forgets what is known, after it was refused: the person may have changed it meanwhile.
    pub async fn forget(&self) {
        *self.known.lock().await = None;
    }

    async fn find(&self) -> Result<Option<Login>, Failure> {
        let named = self.name.as_deref().map(variable_of_name);
        let read = |variable: &str| {
            let value = (self.secret_sources.environment)(variable).filter(|value| !value.is_empty());
            value.map(Secret::new)
        };
        if let Some(secret) = named.as_deref().and_then(read) {
            return Ok(Some(split(self.rules(), self.user.clone(), secret)));
        }
        let rules = self.rules();
        if rules.is_variable_read
            && let Some(secret) = read(rules.variable)
        {
            if !rules.is_key_pair {
                return Ok(Some(Login { user: self.user.clone(), secret, session: None }));
            }
            // Half a pair is of no use; the keyring may have both.
            let id = (self.secret_sources.environment)(KEY_ID_VARIABLE).filter(|id| !id.is_empty());
            if id.is_some() {
                return Ok(Some(Login { user: id, secret, session: read(SESSION_VARIABLE) }));
            }
        }
        match self.secret_sources.store.get(&self.account).await {
            Ok(Some(secret)) => Ok(Some(split(rules, self.user.clone(), secret))),
            Ok(None) | Err(_) if rules.is_optional => Ok(None),
            Ok(None) => Err(self.missing("no password is saved for it", None)),
            Err(error) => Err(self.missing(&error.to_string(), Some(error))),
        }
    }

    fn rules(&self) -> SecretRules {
        self.kind.secret_rules(self.user.is_some())
    }

    fn missing(&self, why: &str, error: Option<SecretError>) -> Failure {
        let variable = variable_for(self.kind, self.name.as_deref(), self.user.as_deref());
        let details =
            format!("{why}; enter it again, or set {variable} in the environment that Safelight starts in");
        let cause = error.map_or(Cause::PasswordMissing, |error| Cause::of_keyring(error.is_missing()));
        Failure::destination(FailureKind::Credentials, details).with_cause(cause)
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({})", self.kind.as_str())
    }
}

/// An S3 secret is kept as `ID:SECRET`; an id has no colon.
fn split(rules: SecretRules, user: Option<String>, secret: Secret) -> Login {
    if rules.is_key_pair
        && let Some((id, key)) = secret.expose().split_once(':')
    {
        return Login { user: Some(id.to_owned()), secret: Secret::new(key.to_owned()), session: None };
    }
    Login { user, secret, session: None }
}

/// The environment variable to name to the person: that of the destination where it has a name, else
/// that of its kind.
fn variable_for(kind: DestinationKind, name: Option<&str>, user: Option<&str>) -> String {
    name.map_or_else(|| kind.secret_rules(user.is_some()).variable.to_owned(), variable_of_name)
}

/// The failure that tells that a secret could not be saved.
pub fn not_saved(
    error: &SecretError,
    kind: DestinationKind,
    name: Option<&str>,
    user: Option<&str>,
) -> Failure {
    let variable = variable_for(kind, name, user);
    let details = format!(
        "{error}; Safelight keeps passwords nowhere else: set {variable} in the environment that it starts in"
    );
    let cause = Cause::of_keyring(error.is_missing());
    Failure::destination(FailureKind::Credentials, details).with_cause(cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::memory_secrets::MemorySecrets;

    fn secret_sources(
        variables: &'static [(&'static str, &'static str)],
        store: Arc<MemorySecrets>,
    ) -> SecretSources {
        let environment = move |name: &str| {
            variables.iter().find(|(known, _value)| *known == name).map(|(_name, value)| (*value).to_owned())
        };
        SecretSources { store, environment: Arc::new(environment) }
    }

    async fn login(
        secret_sources: SecretSources,
        kind: DestinationKind,
        name: Option<&str>,
        user: Option<&str>,
    ) -> Result<Option<(Option<String>, String)>, Failure> {
        let (name, user) = (name.map(str::to_owned), user.map(str::to_owned));
        let login = Credentials::new(secret_sources, kind, "at".to_owned(), name, user, None).login().await?;
        let session = login.as_ref().and_then(|login| login.session.as_ref());
        let is_temporary =
            kind == DestinationKind::S3 && login.as_ref().is_some_and(|l| l.secret.expose() == "key");
        assert_eq!(
            session.map(Secret::expose),
            is_temporary.then_some("session"),
            "of the pair it came with"
        );
        Ok(login.map(|login| (login.user, login.secret.expose().to_owned())))
    }

    #[tokio::test]
    async fn the_nearest_secret_wins() {
        use DestinationKind::{Immich, S3, Tus, WebDav};
        let full = Arc::new(MemorySecrets::default());
        full.set("at", Secret::new("kept:it".to_owned())).await.expect("kept");
        let some = |user: Option<&str>, secret: &str| Ok(Some((user.map(str::to_owned), secret.to_owned())));
        const ALL: &[(&str, &str)] = &[
            ("SAFELIGHT_PASSWORD", "any"),
            ("SAFELIGHT_PASSWORD_MY_NAS", "named"),
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "key"),
            ("AWS_SESSION_TOKEN", "session"),
            ("IMMICH_API_KEY", "immich"),
            ("SAFELIGHT_TOKEN", "token"),
        ];
        let all = || secret_sources(ALL, Arc::clone(&full));
        assert_eq!(login(all(), WebDav, Some("my-nas"), Some("ann")).await, some(Some("ann"), "named"));
        assert_eq!(login(all(), WebDav, Some("other"), Some("ann")).await, some(Some("ann"), "any"));
        assert_eq!(login(all(), S3, None, None).await, some(Some("id"), "key"));
        assert_eq!(login(all(), WebDav, Some("other"), None).await, some(None, "kept:it"));
        assert_eq!(login(all(), Immich, None, None).await, some(None, "immich"));
        assert_eq!(login(all(), Tus, None, None).await, some(None, "token"));
        assert_eq!(login(all(), Tus, None, Some("ann")).await, some(Some("ann"), "any"));
        let none = || {
            secret_sources(
                &[("AWS_SECRET_ACCESS_KEY", "half"), ("AWS_SESSION_TOKEN", "s"), ("SAFELIGHT_PASSWORD", "")],
                Arc::clone(&full),
            )
        };
        assert_eq!(login(none(), WebDav, None, Some("ann")).await, some(Some("ann"), "kept:it"));
        assert_eq!(login(none(), S3, None, None).await, some(Some("kept"), "it"));
        let empty = || secret_sources(&[], Arc::default());
        assert_eq!(login(empty(), Tus, None, None).await, Ok(None));
        assert!(login(empty(), Tus, None, Some("ann")).await.is_err());
        assert_eq!(login(empty(), WebDav, None, None).await, Ok(None));
        let missing = login(empty(), WebDav, Some("my-nas"), Some("ann")).await.expect_err("none");
        assert_eq!(missing.kind, FailureKind::Credentials);
        assert!(missing.details.contains("SAFELIGHT_PASSWORD_MY_NAS"), "{missing}");
    }

    #[tokio::test]
    async fn what_was_refused_is_asked_for_again() {
        let store = Arc::new(MemorySecrets::default());
        let given = Some(Secret::new("entered".to_owned()));
        let (kind, user) = (DestinationKind::WebDav, Some("ann".to_owned()));
        let credentials = Credentials::new(
            secret_sources(&[], Arc::clone(&store)),
            kind,
            "at".to_owned(),
            None,
            user,
            given,
        );
        let secret =
            async || credentials.login().await.map(|login| login.map(|l| l.secret.expose().to_owned()));
        assert_eq!(secret().await, Ok(Some("entered".to_owned())));
        store.set("at", Secret::new("changed".to_owned())).await.expect("kept");
        assert_eq!(secret().await, Ok(Some("entered".to_owned())));
        credentials.forget().await;
        assert_eq!(secret().await, Ok(Some("changed".to_owned())));
        store.refuse(SecretError::Locked);
        credentials.forget().await;
        let locked = secret().await.expect_err("locked");
        assert!(
            locked.details.contains("locked") && locked.details.contains("SAFELIGHT_PASSWORD"),
            "{locked}"
        );
    }
}
