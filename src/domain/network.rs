//! What the person says of the way to servers: how fast to send, through which proxy, and which
//! certificate authorities to trust besides the system's own. Never a secret.

/// The lowest limit, in bytes a second: below it a single photo takes hours and servers hang up.
pub const UPLOAD_LIMIT_MIN: u64 = 10_000;
/// The highest limit, in bytes a second; faster means no limit.
pub const UPLOAD_LIMIT_MAX: u64 = 10_000_000_000;
/// The longest address of a proxy, in bytes.
const PROXY_BYTES_MAX: usize = 1024;
/// The longest path of a file of authorities, in bytes.
const PATH_BYTES_MAX: usize = 8 * 1024;

/// Which proxy stands between this computer and servers. This computer itself is always reached
/// directly.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Proxy {
    /// The one that the environment names, if it names one.
    #[default]
    System,
    /// No proxy.
    None,
    /// This one.
    Address(ProxyAddress),
}

/// A proxy's address: `http://[USER@]HOST[:PORT]` or with `https`, without a password.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProxyAddress(String);

impl ProxyAddress {
    /// Reads an address.
    ///
    /// # Errors
    /// A sentence.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        if !matches!(scheme, "http" | "https") {
            return Err("A proxy's address begins with http:// or https://");
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let is_plain = |text: &str| text.bytes().all(|b| b.is_ascii_graphic());
        if rest.len() > PROXY_BYTES_MAX || !is_plain(rest) || rest.contains(['/', '?', '#', '\\']) {
            return Err("A proxy's address is a host and a port, as http://proxy.example:3128");
        }
        let (user, host) = match rest.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, rest),
        };
        if user.is_some_and(|user| user.contains(':')) {
            return Err("Leave the password out of the proxy's address: it is kept in the keyring");
        }
        // The port is behind the bracket of an IPv6 address.
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.contains(']') => (name, Some(port)),
            _ => (host, None),
        };
        let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        if name.is_empty() || user == Some("") || !is_port {
            return Err("A proxy's address is a host and a port, as http://proxy.example:3128");
        }
        Ok(Self(format!("{scheme}://{rest}")))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Who signs in, as it is written in the address.
    pub fn user(&self) -> Option<&str> {
        Some(self.0.split_once("://")?.1.rsplit_once('@')?.0)
    }

    /// The address without whoever signs in.
    pub fn without_user(&self) -> String {
        match self.user() {
            Some(user) => self.0.replacen(&format!("{user}@"), "", 1),
            None => self.0.clone(),
        }
    }
}

/// What the person says of the network.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NetworkRules {
    upload_limit: Option<u64>,
    /// Which proxy.
    pub proxy: Proxy,
    ca_file: Option<Vec<u8>>,
}

impl NetworkRules {
    /// Rules that make sense.
    ///
    /// # Errors
    /// A sentence.
    pub fn new(
        upload_limit: Option<u64>,
        proxy: Proxy,
        ca_file: Option<Vec<u8>>,
    ) -> Result<Self, &'static str> {
        if upload_limit.is_some_and(|limit| !(UPLOAD_LIMIT_MIN..=UPLOAD_LIMIT_MAX).contains(&limit)) {
            return Err("The upload limit is between 0.01 and 10 000 MB a second");
        }
        let is_path =
            |path: &Vec<u8>| path.starts_with(b"/") && path.len() <= PATH_BYTES_MAX && !path.contains(&0);
        if ca_file.as_ref().is_some_and(|path| !is_path(path)) {
            return Err("Enter the full path of the certificate file, starting with /");
        }
        Ok(Self { upload_limit, proxy, ca_file })
    }

    /// The most that is sent to servers, in bytes a second over all of them.
    pub fn upload_limit(&self) -> Option<u64> {
        self.upload_limit
    }

    /// The file of certificate authorities, an absolute path as bytes.
    pub fn ca_file(&self) -> Option<&[u8]> {
        self.ca_file.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_a_host_and_a_port_without_a_password() {
        for (text, kept, user) in [
            ("proxy.example:3128", "http://proxy.example:3128", None),
            (" http://proxy.example:3128/ ", "http://proxy.example:3128", None),
            ("https://ann@10.0.0.1:8080", "https://ann@10.0.0.1:8080", Some("ann")),
            ("http://[fd00::1]:3128", "http://[fd00::1]:3128", None),
            ("http://[fd00::1]", "http://[fd00::1]", None),
        ] {
            let address = ProxyAddress::parse(text).expect(text);
            assert_eq!((address.as_str(), address.user()), (kept, user));
            assert!(!address.without_user().contains('@'));
        }
        for bad in [
            "",
            "http://",
            "socks5://h:1",
            "http://h:0",
            "http://h:port",
            "http://h/path",
            "http://h?x",
            "http://@h",
            "http://a b",
            "http://ann:planted@h:1",
        ] {
            let why = ProxyAddress::parse(bad).expect_err(bad);
            assert!(!why.contains("planted"));
        }
    }

    #[test]
    fn limits_and_files_that_make_no_sense_are_refused() {
        let limit = |limit| NetworkRules::new(Some(limit), Proxy::System, None);
        assert_eq!(limit(UPLOAD_LIMIT_MIN).map(|rules| rules.upload_limit()), Ok(Some(10_000)));
        assert!(limit(UPLOAD_LIMIT_MIN - 1).is_err() && limit(UPLOAD_LIMIT_MAX + 1).is_err());
        let file = |path: &[u8]| NetworkRules::new(None, Proxy::None, Some(path.to_vec()));
        assert!(file(b"/etc/ca.pem").is_ok());
        assert!(file(b"ca.pem").is_err() && file(b"/a\0b").is_err());
    }
}
