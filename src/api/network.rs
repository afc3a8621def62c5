//! What the person says of the way to servers.

use serde::{Deserialize, Serialize};

use super::wire::PathText;
use crate::domain::network::{NetworkRules, Proxy, ProxyAddress};

/// What the person says of the way to servers. Never a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct NetworkText {
    /// The most that is sent to servers, in bytes a second over all of them; none for no limit.
    #[serde(default)]
    pub upload_limit: Option<u64>,
    /// Which proxy.
    #[serde(default)]
    pub proxy: ProxyText,
    /// A file of certificate authorities that are trusted besides the system's own.
    #[serde(default)]
    pub ca_file: Option<PathText>,
}

/// Which proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum ProxyText {
    /// The one that the environment names, if it names one.
    #[default]
    System,
    /// No proxy.
    None,
    /// The one at this address.
    Address(String),
}

impl From<&NetworkRules> for NetworkText {
    fn from(rules: &NetworkRules) -> Self {
        Self {
            upload_limit: rules.upload_limit(),
            proxy: match &rules.proxy {
                Proxy::System => ProxyText::System,
                Proxy::None => ProxyText::None,
                Proxy::Address(address) => ProxyText::Address(address.as_str().to_owned()),
            },
            ca_file: rules.ca_file().map(PathText::from_bytes),
        }
    }
}

impl TryFrom<NetworkText> for NetworkRules {
    /// A sentence.
    type Error = String;

    fn try_from(text: NetworkText) -> Result<Self, String> {
        let proxy = match &text.proxy {
            ProxyText::System => Proxy::System,
            ProxyText::None => Proxy::None,
            ProxyText::Address(address) => Proxy::Address(ProxyAddress::parse(address)?),
        };
        let path = |path: &PathText| path.to_bytes().ok_or("The path of the certificate file is garbled");
        let ca_file = text.ca_file.as_ref().map(path).transpose()?;
        Ok(Self::new(text.upload_limit, proxy, ca_file)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_survive_the_way_out_and_back() {
        for proxy in [ProxyText::System, ProxyText::None, ProxyText::Address("http://ann@h:1".into())] {
            let ca_file = Some(PathText::from_bytes(b"/caf\xe9.pem"));
            let text = NetworkText { upload_limit: Some(2_500_000), proxy, ca_file };
            let rules = NetworkRules::try_from(text.clone()).expect("sense");
            assert_eq!(NetworkText::from(&rules), text);
        }
        let read: NetworkText = serde_json::from_str("{}").expect("json");
        assert_eq!(read, NetworkText::default());
        let bad = NetworkText { proxy: ProxyText::Address("http://a:planted@h".into()), ..read };
        assert!(NetworkRules::try_from(bad).is_err_and(|why| !why.contains("planted")));
    }
}
