//! How servers are reached: what the person set, kept and handed to the connections.

use std::time::Duration;

use tokio::sync::oneshot;

use crate::api::{ApiError, NetworkText, Reply};
use crate::base::secret::Secret;
use crate::destination::connect::Connect;
use crate::domain::network::{NetworkRules, Proxy};
use crate::engine::requests::{Outcome, internal, refused, usage};
use crate::engine::supervisor::Supervisor;
use crate::engine::tasks::{TaskEnd, spawn};

/// How long a start waits for the way to be found; it begins without what is missing then.
const START_MAX: Duration = Duration::from_secs(15);

/// What is set, and what is wrong with it.
#[derive(Debug, Default)]
pub(crate) struct NetworkConfig {
    pub rules: NetworkRules,
    pub note: Option<String>,
}

/// Another way was tried.
pub(crate) struct NetworkTrial {
    rules: NetworkRules,
    outcome: Result<(), String>,
    reply: oneshot::Sender<Outcome>,
}

/// Hands the rules that were kept to the connections. What cannot be used is left out and said.
pub(crate) async fn apply_stored(rules: NetworkRules, connect: &dyn Connect) -> NetworkConfig {
    let note = match tokio::time::timeout(START_MAX, connect.take_way(&rules)).await {
        Ok(Ok(())) => None,
        Ok(Err(why)) => Some(why),
        Err(_late) => Some("The network's settings could not be read in time".to_owned()),
    };
    if let Some(why) = &note {
        tracing::warn!("a setting of the network is left out: {why}");
        // A limit and a proxy are kept to whatever became of the certificates.
        let without = NetworkRules::new(rules.upload_limit(), rules.proxy.clone(), None);
        if let Ok(without) = without {
            connect.take_way(&without).await.ok();
        }
    }
    NetworkConfig { rules, note }
}

impl Supervisor {
    /// Tries another way to servers, which may take a while; then keeps it.
    pub(crate) fn spawn_apply_network(&mut self, network: NetworkText, reply: oneshot::Sender<Outcome>) {
        let rules = match NetworkRules::try_from(network) {
            Ok(rules) => rules,
            Err(why) => {
                reply.send(Err(usage(why))).ok();
                return;
            }
        };
        let connect = std::sync::Arc::clone(&self.deps.connect);
        let lost = TaskEnd::Lost("another way to servers".to_owned());
        spawn(&mut self.tasks, lost, async move {
            let outcome = connect.take_way(&rules).await;
            TaskEnd::NetworkApplied(Box::new(NetworkTrial { rules, outcome, reply }))
        });
    }

    /// Keeps a way that was found good.
    pub(crate) async fn on_network_applied(&mut self, taken: NetworkTrial) {
        let NetworkTrial { rules, outcome, reply } = taken;
        let outcome = match outcome {
            Ok(()) => self.keep_network(rules).await,
            Err(why) => Err(usage(why)),
        };
        reply.send(outcome).ok();
    }

    async fn keep_network(&mut self, rules: NetworkRules) -> Result<Reply, ApiError> {
        let kept = rules.clone();
        self.store
            .write(move |tx| {
                tx.add_event("network", "How servers are reached was changed")?;
                tx.set_network(&kept)
            })
            .await
            .map_err(|e| internal(&e))?;
        self.network = NetworkConfig { rules, note: None };
        self.mirror().await;
        // What could not be reached may be reached this way.
        self.retry_unreachable_destinations(|worker| {
            worker.row.kind != crate::domain::target::DestinationKind::Folder
        });
        self.call_all_extensions();
        Ok(Reply::Done)
    }

    /// Keeps the password of the proxy that is set, and uses it.
    pub(crate) fn spawn_set_proxy_secret(&mut self, secret: Secret, reply: oneshot::Sender<Outcome>) {
        let rules = self.network.rules.clone();
        let address = match &rules.proxy {
            Proxy::Address(address) if address.user().is_some() => address.clone(),
            _ => {
                let why = "Set a proxy with a user name first, as http://ann@proxy.example:3128";
                reply.send(Err(usage(why))).ok();
                return;
            }
        };
        let connect = std::sync::Arc::clone(&self.deps.connect);
        let lost = TaskEnd::Lost("a proxy's password".to_owned());
        spawn(&mut self.tasks, lost, async move {
            if let Err(failure) = connect.keep_proxy_secret(&address, secret).await {
                reply.send(Err(refused(&failure))).ok();
                return TaskEnd::Answered;
            }
            let outcome = connect.take_way(&rules).await;
            TaskEnd::NetworkApplied(Box::new(NetworkTrial { rules, outcome, reply }))
        });
    }
}
