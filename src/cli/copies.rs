//! `verify` and `restore`.

use super::Desk;
use super::args::{RestoreArgs, VerifyArgs};
use super::exit::{Exit, Trouble};
use super::resolve::{absolute, saved_destination};
use super::words::{count, files, path_text};
use crate::api::{Reply, Request};
use crate::client::conversation::unexpected;

/// Reads copies back and compares them.
///
/// # Errors
/// `Destination` when it cannot be reached.
pub fn verify(desk: &mut Desk, args: &VerifyArgs) -> Result<Exit, Trouble> {
    let destination = match &args.to {
        Some(dest) => Some(saved_destination(dest, &*desk.talk.snapshot()?)?.id),
        None => None,
    };
    let reply = desk.talk.call(Request::Verify { destination, deep: args.deep })?;
    let Reply::Verified { checked, failed } = reply else { return Err(unexpected(&reply).into()) };
    if desk.out.style.is_json {
        desk.out.json(&serde_json::json!({ "checked": checked, "failed": failed }));
    } else if checked == 0 {
        desk.out.line("No copy is due to be compared; --deep compares all");
    } else {
        desk.out.line(&format!(
            "{} compared, {} as they should be",
            files(checked),
            count(checked - failed.min(checked))
        ));
    }
    if failed == 0 {
        return Ok(Exit::Fine);
    }
    desk.out.trouble(
        &Trouble::new(Exit::Attention, format!("{} not as they should be", files(failed)))
            .advise("They are no longer counted as safe and are copied again; check the destination"),
    );
    Ok(Exit::Attention)
}

/// Copies files back.
///
/// # Errors
/// `Destination` when it cannot be reached.
pub fn restore(desk: &mut Desk, args: &RestoreArgs) -> Result<Exit, Trouble> {
    let snapshot = desk.talk.snapshot()?;
    let destination = saved_destination(&args.from, &snapshot)?.id;
    let into = absolute(&args.into)?;
    let request = Request::Restore { destination, into: path_text(&into), only: args.only.clone() };
    let reply = desk.talk.call(request)?;
    let Reply::Restored { restored, present, failed } = reply else {
        return Err(unexpected(&reply).into());
    };
    if desk.out.style.is_json {
        desk.out.json(&serde_json::json!({
            "restored": restored, "present": present, "failed": failed,
        }));
    } else {
        let text = format!("{} restored into {}, each one compared", files(restored), into.display());
        desk.out.line(&text);
        if present > 0 {
            desk.out.line(&format!("{} were there already", files(present)));
        }
    }
    if failed.is_empty() {
        return Ok(Exit::Fine);
    }
    for sentence in &failed {
        desk.out.trouble(&Trouble::new(Exit::Attention, sentence.clone()));
    }
    Ok(Exit::Attention)
}
