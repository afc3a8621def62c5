//! What a test of a destination found, in a person's words.

use crate::api::TestReport;
use crate::destination::Capabilities;
use crate::domain::failure::Failure;
use crate::domain::record::ProofNeed;

/// A test's outcome in a person's words.
pub(crate) fn report(tested: Result<(Capabilities, Option<u64>), Failure>) -> TestReport {
    match tested {
        Ok((capabilities, free_bytes)) => TestReport {
            is_usable: true,
            summary: "Ready to use".to_owned(),
            details: describe(&capabilities),
            free_bytes,
            warnings: Vec::new(),
        },
        Err(failure) => {
            let message = crate::domain::messages::describe_failure(&failure);
            TestReport {
                is_usable: false,
                summary: message.summary.to_owned(),
                details: vec![message.advice.to_owned(), failure.details],
                free_bytes: None,
                warnings: Vec::new(),
            }
        }
    }
}

pub(crate) fn describe(capabilities: &Capabilities) -> Vec<String> {
    let proof = match capabilities.proof {
        Some(method) => format!("Copies are {}", method.sentence()),
        None => match capabilities.proof_need {
            Some(ProofNeed::Reconnect) => {
                "Copies can be verified after the disk is unplugged and plugged in again"
            }
            Some(ProofNeed::Restart) => "Copies can be verified after the computer is restarted",
            Some(ProofNeed::Never) => {
                "Copies cannot be verified here, because the drive's program keeps a cache"
            }
            None => "Copies cannot be verified here until they can be read back",
        }
        .to_owned(),
    };
    let resume = if capabilities.can_resume {
        "An interrupted upload resumes"
    } else {
        "An interrupted upload starts over"
    };
    let replace = if capabilities.no_replace {
        "Existing files are never overwritten"
    } else {
        "Names include part of the checksum, so that nothing is overwritten"
    };
    let mut lines = vec![proof, resume.to_owned(), replace.to_owned()];
    if !capabilities.refused_chars.is_empty() {
        lines.push(
            "Some characters in names are stored as codes; restored files get their own names back"
                .to_owned(),
        );
    }
    if !capabilities.note.is_empty() {
        lines.push(capabilities.note.clone());
    }
    lines
}
