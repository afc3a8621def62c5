//! `settings`: how servers are reached, and whether the agent starts at sign-in.

use super::args::SettingsArgs;
use super::exit::{CliError, Exit};
use super::resolve::absolute;
use super::words::path_text;
use super::{CommandContext, secret_input};
use crate::api::{self, NetworkText, ProxyText, Snapshot};
use crate::platform::sign_in::SignInState;

/// Bytes of the unit in which a limit is given.
const UNIT: f64 = 1_000_000.0;

/// Changes what is named, then shows what is set.
///
/// # Errors
/// `Usage` for what makes no sense.
pub fn run(
    context: &mut CommandContext,
    args: &SettingsArgs,
    sign_in: Option<SignInState>,
) -> Result<Exit, CliError> {
    let before = context.talk.snapshot()?.network.clone();
    let wanted = changed(before.clone(), args)?;
    if wanted != before {
        context.done(api::Command::SetNetwork(wanted))?;
    }
    if args.proxy_password_stdin {
        let secret = secret_input::from_stdin()?;
        context.done(api::Command::SetProxySecret { secret })?;
    }
    let snapshot = context.talk.snapshot()?;
    show(context, &snapshot, sign_in);
    Ok(Exit::Fine)
}

fn changed(mut network: NetworkText, args: &SettingsArgs) -> Result<NetworkText, CliError> {
    if let Some(limit) = &args.upload_limit {
        network.upload_limit = match limit.as_str() {
            "off" => None,
            number => Some(bytes(number)?),
        };
    }
    match args.proxy.as_deref() {
        None => {}
        Some("system") => network.proxy = ProxyText::System,
        Some("none") => network.proxy = ProxyText::None,
        Some(address) => network.proxy = ProxyText::Address(address.to_owned()),
    }
    match &args.ca_file {
        None => {}
        Some(none) if none.as_os_str() == "none" => network.ca_file = None,
        Some(path) => network.ca_file = Some(path_text(&absolute(path)?)),
    }
    Ok(network)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked before")]
fn bytes(text: &str) -> Result<u64, CliError> {
    let number = text.parse::<f64>().ok().filter(|n| n.is_finite() && *n > 0.0 && *n < 1e9);
    number.map(|number| (number * UNIT).round() as u64).ok_or_else(|| {
        CliError::new(Exit::Usage, format!("Invalid upload limit: {text}"))
            .advise("Use MB per second, such as 2.5, or off")
    })
}

#[expect(clippy::cast_precision_loss, reason = "a limit has few digits")]
fn show(context: &mut CommandContext, snapshot: &Snapshot, sign_in: Option<SignInState>) {
    let NetworkText { upload_limit, proxy, ca_file } = &snapshot.network;
    let proxy = match proxy {
        ProxyText::System => "system",
        ProxyText::None => "none",
        ProxyText::Address(address) => address,
    };
    if context.out.style.is_json {
        context.out.json(&serde_json::json!({ "network": {
            "upload_limit": upload_limit, "proxy": proxy, "ca_file": ca_file, "note": snapshot.network_note,
        }, "start_at_sign_in": sign_in.map(|state| state == SignInState::On) }));
        return;
    }
    let limit = upload_limit.map_or("off".to_owned(), |limit| format!("{} MB/s", limit as f64 / UNIT));
    context.out.line(&format!("Upload limit           {limit}"));
    context.out.line(&format!("Proxy                  {proxy}"));
    let file = ca_file.as_ref().map_or("none", |path| path.path.as_str());
    context.out.line(&format!("Certificate authority  {file}"));
    if let Some(state) = sign_in {
        let state = if state == SignInState::On { "on" } else { "off" };
        context.out.line(&format!("Start at sign-in       {state}"));
    }
    if let Some(note) = &snapshot.network_note {
        context.out.line(note);
    }
}
