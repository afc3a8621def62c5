//! One word for one thing: names that are not used any more, as *Words* in `src/ARCHITECTURE.md` says.

use crate::support::rust_files;
use crate::support::rust_source::{Token, tokens};

/// Names that were retired, each with the name in its place. A name is looked for as a whole
/// identifier, wherever code may have one.
const RETIRED: &[(&str, &str)] = &[
    ("Abilities", "Capabilities"),
    ("Badges", "SnapshotPublisher"),
    ("Brought", "UploadOutcome"),
    ("Came", "RestoreOutcome"),
    ("Claim", "WindowClaim"),
    ("DataDisk", "StoreOutage"),
    ("Desk", "CommandContext"),
    ("Joined", "Connection"),
    ("Knock", "AttachError"),
    ("Outlook", "SourceSummary"),
    ("SecretTrouble", "SecretError"),
    ("Stillness", "StallDetector"),
    ("Story", "ReadStats"),
    ("TalkError", "ConversationError"),
    ("Teller", "ProgressPrinter"),
    ("Unplaced", "RestoreError"),
    ("WindowSeat", "WindowGuard"),
    ("deaf", "watch_lost"),
    ("desk", "context"),
    ("is_news_at_a_glance", "mount_changed"),
    ("take_call", "handle_call"),
    ("take_end", "handle_task_end"),
    ("unlose", "retry_unreachable_destinations"),
    ("way_taken", "on_network_applied"),
];
/// Files that may use a retired name, each with the reason.
const ALLOWED: &[(&str, &str)] = &[];

fn faults(file: &str, text: &str) -> Vec<String> {
    let words = tokens(text).into_iter().filter_map(|placed| match placed.token {
        Token::Word(word) => Some((placed.line, word)),
        Token::Text(_) | Token::Mark(_) => None,
    });
    let retired = words.filter_map(|(line, word)| {
        let (_, now) = RETIRED.iter().find(|(old, _)| *old == word)?;
        Some(format!("{file}:{line}: {word} is called {now}"))
    });
    retired.collect()
}

#[test]
fn retired_names_are_not_used() {
    let files = ["src", "tests", "benches", "examples"].into_iter().flat_map(rust_files);
    let files = files.filter(|(file, _)| !ALLOWED.iter().any(|(allowed, _)| file.as_str() == *allowed));
    let found: Vec<String> = files.flat_map(|(file, text)| faults(&file, &text)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_retired_name_is_seen_in_code_and_nowhere_else() {
    let text = "// a desk\nfn f(desk: &mut Desk) { say(\"Desk\"); let deafness = 1; }";
    let found = faults("x.rs", text);
    assert_eq!(found, ["x.rs:2: desk is called context", "x.rs:2: Desk is called CommandContext"]);
}
