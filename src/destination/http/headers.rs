//! Header fields: names without regard to case, secrets marked.

use crate::base::secret::Secret;

/// The most header fields of one message.
const FIELDS_MAX: usize = 128;

#[derive(Debug, Clone)]
enum Value {
    Plain(String),
    Secret(Secret),
}

/// A message's header fields, in order. What is secret is never printed.
#[derive(Debug, Clone, Default)]
pub struct Headers(Vec<(String, Value)>);

impl Headers {
    /// The value of the first field of this name, if it is not a secret.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find_map(|(known, value)| match value {
            Value::Plain(text) if known.eq_ignore_ascii_case(name) => Some(text.as_str()),
            _ => None,
        })
    }

    /// Sets a field, in place of what had that name.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.put(name.into(), Value::Plain(value.into()));
    }

    /// Takes out all fields of this name.
    pub(super) fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _value)| !known.eq_ignore_ascii_case(name));
    }

    /// Adds a field behind those that have the name already.
    pub(super) fn add(&mut self, name: String, value: String) {
        if self.0.len() < FIELDS_MAX {
            self.0.push((name, Value::Plain(value)));
        }
    }

    /// Sets a field whose value no one may see.
    pub fn set_secret(&mut self, name: impl Into<String>, value: Secret) {
        self.put(name.into(), Value::Secret(value));
    }

    /// Sets `Authorization: Basic` (RFC 7617).
    pub fn set_basic(&mut self, user: &str, password: &Secret) {
        use base64::Engine as _;
        let pair = Secret::new(format!("{user}:{}", password.expose()));
        let code = Secret::new(base64::engine::general_purpose::STANDARD.encode(pair.expose()));
        self.set_secret("authorization", Secret::new(format!("Basic {}", code.expose())));
    }

    /// Sets `Authorization: Bearer` (RFC 6750).
    pub fn set_bearer(&mut self, token: &Secret) {
        self.set_secret("authorization", Secret::new(format!("Bearer {}", token.expose())));
    }

    /// Sets all of `others`.
    pub fn extend(&mut self, others: &Self) {
        for (name, value) in &others.0 {
            self.put(name.clone(), value.clone());
        }
    }

    /// All fields: name, value, and whether the value is secret.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, bool)> {
        self.0.iter().map(|(name, value)| match value {
            Value::Plain(text) => (name.as_str(), text.as_str(), false),
            Value::Secret(secret) => (name.as_str(), secret.expose(), true),
        })
    }

    fn put(&mut self, name: String, value: Value) {
        self.0.retain(|(known, _value)| !known.eq_ignore_ascii_case(&name));
        if self.0.len() < FIELDS_MAX {
            self.0.push((name, value));
        }
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Headers {
    fn from(fields: [(&str, &str); N]) -> Self {
        let mut headers = Self::default();
        for (name, value) in fields {
            headers.set(name, value);
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_ignore_case_and_secrets_are_not_shown() {
        let mut headers = Headers::from([("ETag", "\"1\"")]);
        headers.set_basic("ann", &Secret::new("planted".to_owned()));
        headers.set("etag", "\"2\"");
        assert_eq!((headers.get("ETAG"), headers.get("authorization")), (Some("\"2\""), None));
        let sent: Vec<_> = headers.iter().collect();
        assert!(sent.contains(&("authorization", "Basic YW5uOnBsYW50ZWQ=", true)));
        let shown = format!("{headers:?}");
        assert!(!shown.contains("planted") && !shown.contains("YW5u"), "{shown}");
    }
}
