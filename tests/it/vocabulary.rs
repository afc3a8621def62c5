//! One word for one thing: names that are not used any more, as *Words* in `src/ARCHITECTURE.md` says.

use crate::support::rust_files;
use crate::support::rust_source::{Token, tokens};

/// Names that were retired, each with the name in its place. A name is looked for as a whole
/// identifier, wherever code may have one.
const RETIRED: &[(&str, &str)] = &[
    ("Abilities", "Capabilities"),
    ("Badges", "SnapshotPublisher"),
    ("Beginning", "Startup"),
    ("Brought", "UploadOutcome"),
    ("Came", "RestoreOutcome"),
    ("CheckFindings", "CheckReport"),
    ("Claim", "WindowClaim"),
    ("DataDisk", "StoreOutage"),
    ("Dawdling", "SlowPort"),
    ("Desk", "CommandContext"),
    ("Doom", "PlannedDeath"),
    ("Fate", "ExpectedState"),
    ("HangUp", "ConnectionCloser"),
    ("Hinted", "HintedPaths"),
    ("Joined", "Connection"),
    ("Knock", "AttachError"),
    ("Manner", "ExtensionBehavior"),
    ("NoWatch", "NoWatcher"),
    ("Outlook", "SourceSummary"),
    ("Panicked", "PanicError"),
    ("Places", "TestConnect"),
    ("Played", "ScriptedExtension"),
    ("ReadingKind", "OperationKind"),
    ("RootLook", "RootState"),
    ("SecretTrouble", "SecretError"),
    ("SimWatch", "SimWatcher"),
    ("SourceLook", "SourceStatus"),
    ("StartAt", "WalkStart"),
    ("Stillness", "StallDetector"),
    ("Story", "ReadStats"),
    ("Surroundings", "Outside"),
    ("SystemWatch", "SystemWatcher"),
    ("SystemWatching", "SystemWatchHandle"),
    ("TalkError", "ConversationError"),
    ("Teller", "ProgressPrinter"),
    ("TestWatch", "TestWatcher"),
    ("Transferring", "TransferState"),
    ("Turn", "RequestNumber"),
    ("Unplaced", "RestoreError"),
    ("Walking", "RunningWalk"),
    ("WatchFailed", "WatchError"),
    ("WindowSeat", "WindowGuard"),
    ("Wrong", "WrongCopies"),
    ("ask_parent", "recheck_parent"),
    ("deaf", "watch_lost"),
    ("desk", "context"),
    ("doom", "planned_death"),
    ("fate", "expected_state"),
    ("gone_if_closed", "classify_greeting_error"),
    ("is_news_at_a_glance", "mount_changed"),
    ("look_at_root", "inspect_root"),
    ("look_of", "source_status"),
    ("look_through", "scan_all"),
    ("next_glance", "next_root_check"),
    ("note_closed", "schedule_unreadable_retry"),
    ("pass_on", "send_outgoing"),
    ("shown_by", "preview_subject"),
    ("take_call", "handle_call"),
    ("take_capabilities", "apply_capabilities"),
    ("take_end", "handle_task_end"),
    ("take_new_findings", "refresh_capabilities"),
    ("try_closed", "retry_unreadable_dirs"),
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
