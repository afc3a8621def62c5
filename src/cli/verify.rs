//! `verify`.

use super::CommandContext;
use super::args::VerifyArgs;
use super::exit::{CliError, Exit};
use super::progress::call_with_progress;
use super::resolve::saved_destination;
use crate::api::{Operation, OperationKind, Reply};
use crate::client::conversation::unexpected;
use crate::domain::format::{files, number};

/// Reads copies back and compares them.
///
/// # Errors
/// `Destination` when it cannot be reached.
pub fn run(context: &mut CommandContext, args: &VerifyArgs) -> Result<Exit, CliError> {
    let destination = match &args.to {
        Some(dest) => Some(saved_destination(dest, &*context.talk.snapshot()?)?.id),
        None => None,
    };
    let request = Operation::Verify { destination, deep: args.deep };
    let reply = call_with_progress(context, OperationKind::Verify, request)?;
    let Reply::Verified { checked, failed, unproven, reasons } = reply else {
        return Err(unexpected(&reply).into());
    };
    if context.out.style.is_json {
        context.out.json(&serde_json::json!({
            "checked": checked, "failed": failed, "unproven": unproven, "reasons": reasons,
        }));
    } else if checked + unproven == 0 {
        context.out.line("Nothing is due to be verified. To verify every copy: safelight verify --deep");
    } else if checked > 0 {
        let problems = match failed {
            0 => "no problems".to_owned(),
            n => format!("{} with problems", number(n)),
        };
        context.out.line(&format!("{} verified, {problems}", files(checked)));
    }
    if failed > 0 {
        context.out.error(
            &CliError::new(Exit::Attention, format!("{} damaged or missing", files(failed)))
                .advise("They no longer count as safe and will be backed up again. Check the destination"),
        );
    }
    if unproven > 0 {
        let message = format!("{} could not be verified", files(unproven));
        context.out.error(&CliError::new(Exit::Attention, message).explain(reasons));
    }
    Ok(if failed + unproven == 0 { Exit::Fine } else { Exit::Attention })
}
