//! One word for one thing: names that are not used any more, as *Words* in `src/ARCHITECTURE.md` says.

use crate::support::rust_files;
use crate::support::rust_source::{Token, tokens};

/// Names that were retired, each with the name in its place. A name is looked for as a whole
/// identifier, wherever code may have one.
const RETIRED: &[(&str, &str)] = &[
    ("Abilities", "Capabilities"),
    ("Appended", "AppendAnswer"),
    ("AuditPlace", "AuditCursor"),
    ("Badges", "SnapshotPublisher"),
    ("Beginning", "Startup"),
    ("Believed", "ValidMirror"),
    ("BelievedDestination", "ValidDestination"),
    ("Bend", "Corruption"),
    ("Bent", "CorruptedReader"),
    ("BentFiles", "CorruptedFiles"),
    ("Blocks", "MetadataBlocks"),
    ("Brought", "UploadOutcome"),
    ("BucketMoods", "BucketBehavior"),
    ("Came", "RestoreOutcome"),
    ("CheckFindings", "CheckReport"),
    ("Claim", "WindowClaim"),
    ("CloudMoods", "NextcloudBehavior"),
    ("Collected", "ManifestContents"),
    ("DataDisk", "StoreOutage"),
    ("Dawdling", "SlowPort"),
    ("Desk", "CommandContext"),
    ("Doom", "PlannedDeath"),
    ("Door", "BucketFiles"),
    ("Early", "PreExifFields"),
    ("Fate", "ExpectedState"),
    ("FileLook", "FileInspection"),
    ("ForEver", "NeverReturns"),
    ("Gather", "BulkChange"),
    ("GivesBack", "ReadBackSource"),
    ("HangUp", "ConnectionCloser"),
    ("Heap", "CiffFields"),
    ("Hinted", "HintedPaths"),
    ("InView", "VisibleCell"),
    ("IncomingBody", "ReqwestBody"),
    ("Joined", "Connection"),
    ("KeyOnly", "UngroupedKey"),
    ("Knock", "AttachError"),
    ("Lie", "ReadFault"),
    ("Manner", "ExtensionBehavior"),
    ("Meant", "DestinationsBySource"),
    ("Moment", "DateTags"),
    ("Moods", "Behavior"),
    ("NewestPlace", "NewestFirstCursor"),
    ("NoPicture", "PictureError"),
    ("NoWatch", "NoWatcher"),
    ("Outlook", "SourceSummary"),
    ("Place", "ProxiedServer"),
    ("Places", "TestConnect"),
    ("Played", "ScriptedExtension"),
    ("Proven", "ContentCheck"),
    ("ReadingKind", "OperationKind"),
    ("RealFiles", "OsFiles"),
    ("Reclaim", "Untrash"),
    ("RootLook", "RootState"),
    ("Saver", "CheckpointRecorder"),
    ("Scan", "TextScanner"),
    ("Seat", "WriterState"),
    ("SecretTrouble", "SecretError"),
    ("SentDigest", "AppendDigest"),
    ("SetUp", "CreatedDestination"),
    ("Sha1Tap", "Sha1Observer"),
    ("SharedTap", "SharedByteObserver"),
    ("SimWatch", "SimWatcher"),
    ("Sniffed", "SniffedType"),
    ("SourceLook", "SourceStatus"),
    ("StartAt", "WalkStart"),
    ("Stillness", "StallDetector"),
    ("Story", "ReadStats"),
    ("Surroundings", "Outside"),
    ("Sweep", "CleanUp"),
    ("Swept", "SweepReport"),
    ("SystemWatch", "SystemWatcher"),
    ("SystemWatching", "SystemWatchHandle"),
    ("TalkError", "ConversationError"),
    ("Tap", "ByteObserver"),
    ("Teller", "ProgressPrinter"),
    ("TestWatch", "TestWatcher"),
    ("ToDo", "PendingFiles"),
    ("Transferring", "TransferState"),
    ("Trap", "CheckpointFault"),
    ("Trial", "CapabilityProbe"),
    ("Turn", "RequestNumber"),
    ("Unpark", "ThreadWaker"),
    ("Unplaced", "RestoreError"),
    ("UploadMoods", "UploadBehavior"),
    ("Vault", "SecretSources"),
    ("Walking", "RunningWalk"),
    ("WatchFailed", "WatchError"),
    ("Weed", "SeaweedFs"),
    ("Whereto", "TargetChoice"),
    ("WholeDigest", "ConfirmedDigest"),
    ("WindowSeat", "WindowGuard"),
    ("Wrong", "WrongCopies"),
    ("ask_parent", "recheck_parent"),
    ("behind_pixels", "find_chunks_after_pixels"),
    ("believe_destination", "validate_destination"),
    ("by_maker", "read_by_maker"),
    ("cased", "capitalized"),
    ("deaf", "watch_lost"),
    ("desk", "context"),
    ("direct_works", "is_direct_io_usable"),
    ("doom", "planned_death"),
    ("fate", "expected_state"),
    ("for_good", "until_mended"),
    ("gone_if_closed", "classify_greeting_error"),
    ("in_family", "type_in_family"),
    ("is_given_back", "arrives_whole"),
    ("is_its_turn", "turn_condition_sql"),
    ("is_news_at_a_glance", "mount_changed"),
    ("is_of_the_place", "is_about_destination"),
    ("judge_said", "compare_digests"),
    ("learn_proof", "remember_proof"),
    ("look_at_root", "inspect_root"),
    ("look_of", "source_status"),
    ("look_through", "scan_all"),
    ("may_be_open", "secret_rules"),
    ("moods", "behavior"),
    ("named_or_null", "parse_optional_name"),
    ("next_glance", "next_root_check"),
    ("not_kept", "not_saved"),
    ("note_closed", "schedule_unreadable_retry"),
    ("pass_date_on", "apply_asset_date"),
    ("pass_on", "send_outgoing"),
    ("place_new", "write_new"),
    ("place_nowhere", "detach_sidecar"),
    ("place_of", "scene_of"),
    ("reclaim", "untrash"),
    ("said_more", "with_context"),
    ("segment_places", "segment_positions"),
    ("senseless", "unexpected_answer"),
    ("shown_by", "preview_subject"),
    ("shows_itself", "has_signature"),
    ("standing_at", "status_at"),
    ("take_call", "handle_call"),
    ("take_capabilities", "apply_capabilities"),
    ("take_end", "handle_task_end"),
    ("take_new_findings", "refresh_capabilities"),
    ("tell_unusual_files_apart", "count_unusual_files"),
    ("trapped", "with_fault"),
    ("try_closed", "retry_unreadable_dirs"),
    ("unlose", "retry_unreachable_destinations"),
    ("unopened", "open_failure"),
    ("way_taken", "on_network_applied"),
    ("write_whole", "atomic_file::replace"),
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
