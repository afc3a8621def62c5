//! `verify` and `restore`.

use super::Desk;
use super::args::{RestoreArgs, RestoreLayoutArg, VerifyArgs};
use super::exit::{Exit, Trouble};
use super::progress::{self, Teller};
use super::resolve::{absolute, saved_destination};
use super::words::{count, files, path_text};
use crate::api::{
    ReadingKind, Reply, Request, RestoreLayout, RestoreOrder, RestoreResult, RestoreScope, RestoreTarget,
};
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
    let request = Request::Verify { destination, deep: args.deep };
    let reply = ask_telling(desk, ReadingKind::Verify, request)?;
    let Reply::Verified { checked, failed, unproven, reasons } = reply else {
        return Err(unexpected(&reply).into());
    };
    if desk.out.style.is_json {
        desk.out.json(&serde_json::json!({
            "checked": checked, "failed": failed, "unproven": unproven, "reasons": reasons,
        }));
    } else if checked + unproven == 0 {
        desk.out.line("No copy is due to be verified; --deep verifies all");
    } else if checked > 0 {
        let problems = match failed {
            0 => "no problems".to_owned(),
            n => format!("{} with problems", count(n)),
        };
        desk.out.line(&format!("{} verified, {problems}", files(checked)));
    }
    if failed > 0 {
        desk.out.trouble(
            &Trouble::new(Exit::Attention, format!("{} damaged or missing", files(failed)))
                .advise("They no longer count as safe and are backed up again; check the destination"),
        );
    }
    if unproven > 0 {
        let message = format!("{} could not be verified", files(unproven));
        desk.out.trouble(&Trouble::new(Exit::Attention, message).explain(reasons));
    }
    Ok(if failed + unproven == 0 { Exit::Fine } else { Exit::Attention })
}

/// Asks, and tells how far it is until the answer comes.
fn ask_telling(desk: &mut Desk, kind: ReadingKind, request: Request) -> Result<Reply, Trouble> {
    let what = match kind {
        ReadingKind::Verify => "Compared",
        ReadingKind::Restore => "Restored",
    };
    let Desk { talk, out, elapsed, .. } = desk;
    let mut teller = Teller::default();
    let reply = talk.call_watched(request, &mut |snapshot| {
        let reading = snapshot.reading.iter().find(|reading| reading.kind == kind);
        if let Some(reading) = reading.filter(|_| !out.style.is_json) {
            // What is not due yet is told with a later snapshot.
            teller.tell(out, progress::line(what, &reading.progress), elapsed());
        }
    });
    Ok(reply?)
}

/// Copies files back.
///
/// # Errors
/// `Destination` when it cannot be reached.
pub fn restore(desk: &mut Desk, args: &RestoreArgs) -> Result<Exit, Trouble> {
    let snapshot = desk.talk.snapshot()?;
    let destination = saved_destination(&args.from, &snapshot)?.id;
    let into = absolute(&args.into)?;
    let layout = match args.layout {
        RestoreLayoutArg::Dates => RestoreLayout::Dates,
        RestoreLayoutArg::Folders => RestoreLayout::Folders,
    };
    let scope = args.only.clone().map_or(RestoreScope::All, RestoreScope::Glob);
    let target = RestoreTarget::Folder(path_text(&into));
    let request = Request::Restore(RestoreOrder { destination, scope, target, layout });
    let reply = ask_telling(desk, ReadingKind::Restore, request)?;
    let Reply::Restored { result, stopped } = reply else {
        return Err(unexpected(&reply).into());
    };
    let RestoreResult { restored, present, failed, sentences } = result;
    let out = &mut desk.out;
    if out.style.is_json {
        out.json(&serde_json::json!({
            "restored": restored,
            "present": present,
            "failed": sentences,
            "failed_count": failed,
            "stopped": stopped.as_ref().map(|error| &error.message),
        }));
    } else {
        out.line(&format!("{} restored into {} and verified", files(restored), into.display()));
        if present > 0 {
            let verb = if present == 1 { "was" } else { "were" };
            out.line(&format!("{} {verb} already there", files(present)));
        }
    }
    for sentence in &sentences {
        out.trouble(&Trouble::new(Exit::Attention, sentence.clone()));
    }
    let untold = failed.saturating_sub(sentences.len() as u64);
    if untold > 0 {
        let more = format!("{} more could not be restored", files(untold));
        out.trouble(&Trouble::new(Exit::Attention, more));
    }
    if let Some(error) = stopped {
        let trouble = Trouble::from(error);
        out.trouble(&trouble);
        out.note("Not everything was restored; run the same command again to resume");
        return Ok(trouble.exit);
    }
    Ok(if failed == 0 { Exit::Fine } else { Exit::Attention })
}
