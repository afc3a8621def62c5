//! When backup works and how servers are reached.

use std::sync::Arc;
use std::time::Duration;

use crate::api::{NetworkText, Reply, Rules};
use crate::base::secret::Secret;
use crate::domain::gate::GateRules;
use crate::domain::network::{NetworkRules, Proxy};
use crate::domain::time::UnixMillis;
use crate::engine::conditions::backup_switch::BackupSwitch;
use crate::engine::conditions::gates::Gates;
use crate::engine::conditions::network_config::{NetworkConfig, NetworkTrial, try_rules};
use crate::engine::parts::Parts;
use crate::engine::reply::{Outcome, ReplyTo, internal, refused, usage};
use crate::engine::task_set::TaskEnd;

/// Switches backup on or off. Switching it on ends a pause.
///
/// # Errors
/// When the store fails.
pub(crate) async fn set_backup(parts: &mut Parts<'_>, switch: &mut BackupSwitch, is_on: bool) -> Outcome {
    let written = parts.context.store.write_durably(move |tx| {
        tx.set_backup_on(is_on)?;
        tx.add_event(
            if is_on { "enabled" } else { "disabled" },
            if is_on { "Backup was switched on" } else { "Backup was switched off" },
        )
    });
    written.await.map_err(|e| internal(&e))?;
    switch.set_on(is_on);
    if is_on {
        set_paused(parts, switch, false, None).await;
    }
    parts.context.mirror().await;
    parts.workers.call_all_extensions();
    Ok(Reply::Done)
}

/// Pauses; for ever if no seconds are given.
///
/// # Errors
/// Never: a pause that could not be written down does not begin.
pub(crate) async fn pause(
    parts: &mut Parts<'_>,
    switch: &mut BackupSwitch,
    for_secs: Option<u64>,
) -> Outcome {
    let until = for_secs.map(|secs| parts.context.wall().plus(Duration::from_secs(secs)));
    set_paused(parts, switch, true, until).await;
    Ok(Reply::Done)
}

/// Ends a pause.
///
/// # Errors
/// Never: a pause whose end could not be written down goes on.
pub(crate) async fn resume(parts: &mut Parts<'_>, switch: &mut BackupSwitch) -> Outcome {
    set_paused(parts, switch, false, None).await;
    Ok(Reply::Done)
}

/// Pauses or resumes. Returns whether that could be written down.
pub(crate) async fn set_paused(
    parts: &mut Parts<'_>,
    switch: &mut BackupSwitch,
    is_paused: bool,
    until: Option<UnixMillis>,
) -> bool {
    let written = parts.context.store.write(move |tx| tx.set_paused(is_paused, until)).await;
    let is_written = parts.check_store_result(written).is_some();
    if is_written {
        switch.set_paused(is_paused, until);
        if !is_paused {
            parts.workers.call_all_extensions();
        }
    }
    is_written
}

/// Sets when backup may work.
///
/// # Errors
/// When the rules make no sense, or the store fails.
pub(crate) async fn set_rules(parts: &mut Parts<'_>, gates: &mut Gates, rules: Rules) -> Outcome {
    let rules = GateRules::try_from(rules).map_err(usage)?;
    let written = parts.context.store.write(move |tx| {
        tx.add_event("rules", "When to back up was changed")?;
        tx.set_rules(rules)
    });
    written.await.map_err(|e| internal(&e))?;
    gates.set_rules(rules, &parts.context.read_clocks());
    parts.context.mirror().await;
    Ok(Reply::Done)
}

/// Tries other network settings, which may take a while; [`on_network_applied`] keeps them.
pub(crate) fn spawn_set_network(parts: &mut Parts<'_>, network: NetworkText, reply: ReplyTo) {
    let rules = match NetworkRules::try_from(network) {
        Ok(rules) => rules,
        Err(why) => return drop(reply.send(Err(usage(why)))),
    };
    let connect = Arc::clone(&parts.context.deps.connect);
    parts.tasks.spawn_or(TaskEnd::Lost("other network settings".to_owned()), async move {
        TaskEnd::NetworkApplied(Box::new(try_rules(connect.as_ref(), rules, reply).await))
    });
}

/// Keeps the password of the proxy that is set, and uses it.
pub(crate) fn spawn_set_proxy_secret(
    parts: &mut Parts<'_>,
    network: &NetworkConfig,
    secret: Secret,
    reply: ReplyTo,
) {
    let rules = network.rules().clone();
    let address = match &rules.proxy {
        Proxy::Address(address) if address.user().is_some() => address.clone(),
        _ => {
            let why = "Set a proxy with a user name first, as http://ann@proxy.example:3128";
            return drop(reply.send(Err(usage(why))));
        }
    };
    let connect = Arc::clone(&parts.context.deps.connect);
    parts.tasks.spawn_or(TaskEnd::Lost("a proxy's password".to_owned()), async move {
        if let Err(failure) = connect.keep_proxy_secret(&address, secret).await {
            reply.send(Err(refused(&failure))).ok();
            return TaskEnd::Answered;
        }
        TaskEnd::NetworkApplied(Box::new(try_rules(connect.as_ref(), rules, reply).await))
    });
}

/// Keeps network settings that work.
pub(crate) async fn on_network_applied(
    parts: &mut Parts<'_>,
    network: &mut NetworkConfig,
    trial: NetworkTrial,
) {
    let NetworkTrial { rules, outcome, reply } = trial;
    let outcome = match outcome {
        Ok(()) => keep_network(parts, network, rules).await,
        Err(why) => Err(usage(why)),
    };
    reply.send(outcome).ok();
}

async fn keep_network(parts: &mut Parts<'_>, network: &mut NetworkConfig, rules: NetworkRules) -> Outcome {
    let kept = rules.clone();
    let written = parts.context.store.write(move |tx| {
        tx.add_event("network", "How servers are reached was changed")?;
        tx.set_network(&kept)
    });
    written.await.map_err(|e| internal(&e))?;
    network.set_rules(rules);
    parts.context.mirror().await;
    // What could not be reached may be reached this way.
    parts.workers.retry_unreachable(parts.context.wall(), |worker| !worker.is_folder());
    parts.workers.call_all_extensions();
    Ok(Reply::Done)
}
