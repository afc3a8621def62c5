//! How servers are reached: what the person set, kept and handed to the connections.

use std::time::Duration;

use crate::destination::connect::Connect;
use crate::domain::network::NetworkRules;
use crate::engine::reply::ReplyTo;

/// How long a start waits for the settings to be applied; it begins without what is missing then.
const START_MAX: Duration = Duration::from_secs(15);

/// What is set, and what is wrong with it.
#[derive(Debug, Default)]
pub(crate) struct NetworkConfig {
    rules: NetworkRules,
    note: Option<String>,
}

impl NetworkConfig {
    /// What the person set.
    pub fn rules(&self) -> &NetworkRules {
        &self.rules
    }

    /// A sentence on what could not be used of it.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// Other rules hold, all of which can be used.
    pub fn set_rules(&mut self, rules: NetworkRules) {
        *self = Self { rules, note: None };
    }
}

/// Other network settings were tried.
pub(crate) struct NetworkTrial {
    pub rules: NetworkRules,
    /// A sentence if they cannot be used.
    pub outcome: Result<(), String>,
    pub reply: ReplyTo,
}

/// Hands the rules that were kept to the connections. What cannot be used is left out and said.
pub(crate) async fn apply_stored(rules: NetworkRules, connect: &dyn Connect) -> NetworkConfig {
    let note = match tokio::time::timeout(START_MAX, connect.set_network_config(&rules)).await {
        Ok(Ok(())) => None,
        Ok(Err(why)) => Some(why),
        Err(_late) => Some("The network's settings could not be read in time".to_owned()),
    };
    if let Some(why) = &note {
        tracing::warn!("a setting of the network is left out: {why}");
        // A limit and a proxy are kept to whatever became of the certificates.
        let without = NetworkRules::new(rules.upload_limit(), rules.proxy.clone(), None);
        if let Ok(without) = without {
            connect.set_network_config(&without).await.ok();
        }
    }
    NetworkConfig { rules, note }
}

/// Tries other rules, which may take a while. Those that work are in use from then on.
pub(crate) async fn try_rules(connect: &dyn Connect, rules: NetworkRules, reply: ReplyTo) -> NetworkTrial {
    let outcome = connect.set_network_config(&rules).await;
    NetworkTrial { rules, outcome, reply }
}
