//! Lists, pages and counters over a library with files in every state.

use std::collections::{BTreeMap, BTreeSet};

use super::library_fixture::{NOW, add, content, facts, full_library, look, make_ready, open, stamp};
use super::*;
use crate::api::{Badge, LibraryFilter, QueueList, QueueQuery, QueueRow};
use crate::domain::accounting::Bin;
use crate::domain::file::{ExcludeReason, FileStamp, Problem};
use crate::domain::ids::{AssetId, DestinationId, SourceId};
use crate::domain::time::Day;
use crate::domain::wait::WaitReason;

const LISTS: [(QueueList, Bin); 6] = [
    (QueueList::Uploading, Bin::Uploading),
    (QueueList::Waiting, Bin::Waiting),
    (QueueList::NeedsAttention, Bin::NeedsAttention),
    (QueueList::Unproven, Bin::Unproven),
    (QueueList::Excluded, Bin::Excluded),
    (QueueList::Done, Bin::Safe),
];

fn query(list: QueueList, destination: Option<i64>) -> QueueQuery {
    QueueQuery { list, destination, enabled_only: false, failure_kind: None, after: None, limit: 7 }
}

/// All pages of a list; each says how long the list is.
fn pages(r: &Read<'_>, mut query: QueueQuery, context: &QueueContext) -> Result<Vec<QueueRow>, StoreError> {
    let mut rows = Vec::new();
    loop {
        let page = r.queue_page(&query, context)?;
        assert!(page.rows.len() <= query.limit as usize);
        rows.extend(page.rows);
        match page.next {
            Some(next) => query.after = Some(next),
            None => {
                assert_eq!(page.total, rows.len() as u64, "{query:?}");
                return Ok(rows);
            }
        }
    }
}

#[tokio::test]
async fn every_number_has_its_list() {
    let (_dir, store) = open();
    full_library(&store).await;
    let check = |r: &Read<'_>| {
        let context = QueueContext::at(NOW);
        let mut all = 0;
        for row in r.destinations()? {
            let counts = r.destination_counts(row.id)?;
            assert_eq!(counts.bins().found(), counts.found);
            for (list, bin) in LISTS {
                let rows = pages(r, query(list, Some(row.id.0)), &context)?;
                assert_eq!(rows.len() as u64, counts.bins().get(bin), "{list:?} at {}", row.name);
                assert!(rows.iter().all(|file| file.state == bin.as_str() && file.destination == row.name));
                let paths: BTreeSet<&str> = rows.iter().map(|file| file.path.path.as_str()).collect();
                assert_eq!(paths.len(), rows.len(), "{list:?} names each file once");
                assert!(paths.iter().all(|path| path.starts_with("/one/d")
                    || path.starts_with("/one/l")
                    || path.starts_with("/two/d")
                    || path.starts_with("/two/l")));
                all += rows.len();
            }
        }
        let lists = LISTS.map(|(list, _)| pages(r, query(list, None), &context).expect("pages").len());
        assert_eq!(lists.iter().sum::<usize>(), all);
        assert!(lists.iter().all(|len| *len > 0), "{lists:?}");
        Ok(())
    };
    store.read(check).await.expect("read");
}

#[tokio::test]
async fn the_queue_is_in_order_and_says_why() {
    let (_dir, store) = open();
    full_library(&store).await;
    let check = |r: &Read<'_>| {
        let context = QueueContext::at(NOW);
        let done = pages(r, query(QueueList::Done, None), &context)?;
        let proved: Vec<_> = done.iter().map(|row| row.proved_at.clone().expect("proved")).collect();
        assert!(proved.is_sorted_by(|a, b| a >= b));

        let waiting = pages(r, query(QueueList::Waiting, Some(1)), &context)?;
        let why = |row: &QueueRow| row.wait_reason.as_ref().expect("waits").kind.clone();
        let mut order: Vec<String> = waiting.iter().map(why).collect();
        order.dedup();
        assert_eq!(order, ["queued", "back_off", "queued", "indexing", "settling"]);
        let kinds: BTreeSet<(String, bool)> =
            waiting.iter().map(|row| (why(row), row.id.starts_with('f'))).collect();
        assert!(kinds.contains(&("back_off".to_owned(), false)));
        assert!(kinds.contains(&("settling".to_owned(), true)));

        let off = pages(r, query(QueueList::Waiting, Some(3)), &context)?;
        assert!(off.iter().any(|row| why(row) == "off"));
        let mut paused = context.clone();
        paused.app_wait = Some(WaitReason::Paused { until: None });
        let held = pages(r, query(QueueList::Waiting, Some(1)), &paused)?;
        assert!(held.iter().all(|row| ["paused", "indexing", "settling"].contains(&why(row).as_str())));
        let mut full = context.clone();
        full.destination_wait.insert(DestinationId(1), WaitReason::NoSpace { until: NOW });
        let held = pages(r, query(QueueList::Waiting, Some(1)), &full)?;
        assert!(held.iter().all(|row| ["no_space", "indexing", "settling"].contains(&why(row).as_str())));

        let excluded = pages(r, query(QueueList::Excluded, Some(1)), &context)?;
        let because: BTreeSet<_> = excluded.iter().filter_map(|row| row.excluded_because.clone()).collect();
        assert_eq!(because.into_iter().collect::<Vec<_>>(), ["Not a photo or video", "You left it out"]);
        assert!(excluded.iter().all(|row| row.excluded_because.is_some()));
        Ok(())
    };
    store.read(check).await.expect("read");
    let gone = |tx: &Write<'_>| tx.set_source_condition(SourceId(1), SourceCondition::Unavailable);
    store.write(gone).await.expect("gone");
    let check = |r: &Read<'_>| {
        let rows = pages(r, query(QueueList::Waiting, Some(2)), &QueueContext::at(NOW))?;
        let kinds: BTreeSet<_> =
            rows.iter().filter_map(|row| Some(row.wait_reason.as_ref()?.kind.clone())).collect();
        assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["settling", "source_unavailable"]);
        Ok(())
    };
    store.read(check).await.expect("read");
}

#[tokio::test]
async fn failures_are_grouped_and_filtered_by_cause() {
    let (_dir, store) = open();
    full_library(&store).await;
    // A destination that is switched off is in no group.
    let attention = || QueueQuery { enabled_only: true, ..query(QueueList::NeedsAttention, None) };
    let check = move |r: &Read<'_>| {
        let context = QueueContext::at(NOW);
        let groups = r.failure_groups()?;
        let kinds: BTreeSet<&str> = groups.iter().map(|group| group.failure.kind.as_str()).collect();
        assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["server", "unreadable"]);
        let classes: BTreeSet<&str> = groups.iter().map(|group| group.failure.class.as_str()).collect();
        assert_eq!(classes.into_iter().collect::<Vec<_>>(), ["server.", "server.clock", "unreadable."]);
        assert!(groups.is_sorted_by(|a, b| a.files >= b.files));
        let mut sum = 0;
        for group in &groups {
            let mut one = attention();
            one.failure_kind = Some(group.failure.class.clone());
            let rows = pages(r, one, &context)?;
            assert_eq!(rows.len() as u64, group.copies);
            let files: BTreeSet<_> = rows.iter().map(|row| row.path.clone().to_bytes()).collect();
            assert_eq!(files.len() as u64, group.files, "a file at two destinations is one file");
            let names: BTreeSet<&String> = rows.iter().map(|row| &row.destination).collect();
            assert_eq!(names, group.destinations.iter().collect());
            assert!(
                rows.iter().all(|row| row.failure.as_ref().is_some_and(|f| f.class == group.failure.class))
            );
            sum += rows.len();
        }
        assert_eq!(sum, pages(r, attention(), &context)?.len());
        let unreadable = groups.iter().find(|group| group.failure.kind == "unreadable").expect("group");
        assert_eq!(
            (unreadable.failure.details.as_str(), unreadable.failure.reach.as_str()),
            ("denied", "resource")
        );
        let mut of_kind = attention();
        of_kind.failure_kind = Some("server".to_owned());
        let of_classes = groups.iter().filter(|group| group.failure.kind == "server");
        let copies: u64 = of_classes.map(|group| group.copies).sum();
        assert_eq!(pages(r, of_kind, &context)?.len() as u64, copies);
        Ok(())
    };
    store.read(check).await.expect("read");
    let left = async |class: &'static str| {
        store.write(move |tx| tx.exclude_all(Some(class))).await.expect("written");
        let groups = store.read(|r| r.failure_groups()).await.expect("read");
        groups.into_iter().map(|group| group.failure.class).collect::<BTreeSet<_>>()
    };
    assert_eq!(left("server.clock").await, BTreeSet::from(["server.".into(), "unreadable.".into()]));
    assert_eq!(left("unreadable.").await, BTreeSet::from(["server.".into()]));
    assert_eq!(left("server").await, BTreeSet::new());
}

#[tokio::test]
async fn sections_pages_and_badges_agree() {
    let (_dir, store) = open();
    full_library(&store).await;
    let check = |r: &Read<'_>| {
        let mut rows = BTreeMap::new();
        for filter in [
            LibraryFilter::All,
            LibraryFilter::Photos,
            LibraryFilter::Videos,
            LibraryFilter::NotSafe,
            LibraryFilter::Attention,
            LibraryFilter::DoubtfulDate,
        ] {
            let sections = r.sections(filter)?;
            assert!(sections.is_sorted_by(|a, b| a.day > b.day));
            let mut of_filter = Vec::new();
            for section in sections {
                let mut day = Vec::new();
                while day.len() < section.assets as usize {
                    let page =
                        r.assets(Day(section.day), u32::try_from(day.len()).expect("small"), 2, filter)?;
                    assert!(!page.is_empty(), "{filter:?} {section:?}");
                    day.extend(page);
                }
                assert!(r.assets(Day(section.day), section.assets, 2, filter)?.is_empty());
                assert!(day.is_sorted_by(|a, b| (a.captured_wall_ms, a.id) > (b.captured_wall_ms, b.id)));
                of_filter.extend(day);
            }
            rows.insert(format!("{filter:?}"), of_filter);
        }
        let all = &rows["All"];
        let with = |wanted: &[Badge]| all.iter().filter(|row| wanted.contains(&row.badge)).count();
        assert_eq!(with(&[Badge::Attention]), rows["Attention"].len());
        let not_safe = [Badge::Attention, Badge::Uploading, Badge::Waiting, Badge::Unproven];
        assert_eq!(with(&not_safe), rows["NotSafe"].len());
        assert_eq!(rows["Photos"].len() + rows["Videos"].len(), all.len());
        for badge in [Badge::Safe, Badge::Excluded] {
            assert!(with(&[badge]) > 0, "{badge:?}");
        }
        let live: Vec<_> = all.iter().filter(|row| row.is_live).collect();
        assert_eq!(live.len(), 2);
        for row in live {
            assert!(row.has_raw && !row.is_video && row.media_type == "heic");
            // The sidecar still waits.
            assert_eq!(row.badge, Badge::Waiting);
            // Turned on its side.
            assert_eq!(row.dimensions, Some((300, 400)));
        }
        Ok(())
    };
    store.read(check).await.expect("read");
}

#[tokio::test]
async fn an_asset_tells_everything() {
    let (_dir, store) = open();
    full_library(&store).await;
    let check = |r: &Read<'_>| {
        let context = QueueContext::at(NOW);
        let sql = "SELECT a.id FROM asset a JOIN file f ON f.id = a.primary_file_id
            WHERE f.name = ?1 AND f.source_id = 1";
        let live: i64 = r.conn.query_row(sql, [&b"x.heic"[..]], |row| row.get(0))?;
        let details = r.asset_details(AssetId(live), &context)?.expect("there");
        assert_eq!((details.captured_from.as_str(), details.offset_minutes), ("metadata", Some(120)));
        assert_eq!(details.camera.as_deref(), Some("Box camera"));
        let parts: Vec<_> =
            details.resources.iter().map(|part| (part.path.file_name(), part.kind.as_str())).collect();
        let expected = [
            ("x.heic", "photo"),
            ("x.dng", "alternate_photo"),
            ("x.mov", "paired_video"),
            ("x.xmp", "sidecar"),
        ];
        assert_eq!(parts, expected);
        for part in &details.resources {
            assert_eq!(
                part.copies.iter().map(|copy| copy.destination.as_str()).collect::<Vec<_>>(),
                ["a", "b"]
            );
            assert!(part.blake3.is_some());
        }
        let proved = &details.resources[0].copies[0];
        assert_eq!(
            (proved.bin.as_str(), proved.proof.as_deref()),
            ("safe", Some("read back from the disk itself"))
        );
        assert!(proved.proved_at.is_some() && proved.key.is_some() && proved.wait_reason.is_none());
        let waiting = &details.resources[0].copies[1];
        assert_eq!((waiting.bin.as_str(), waiting.id.starts_with('f')), ("waiting", true));
        assert_eq!(waiting.wait_reason.as_ref().expect("waits").kind, "queued");
        assert_eq!(r.asset_details(AssetId(12_345), &context)?, None);
        Ok(())
    };
    store.read(check).await.expect("read");
}

#[tokio::test]
async fn a_thumbnail_survives_hashing_and_not_an_edit() {
    let (_dir, store) = open();
    let run = |tx: &Write<'_>| {
        let source = tx.add_source(b"/one", "fs")?;
        let file = add(tx, source, &["a.jpg"])?[0];
        look(tx, file, facts("a.jpg", 3))?;
        let key = |tx: &Write<'_>| {
            let rows = tx.assets(Day(19_700_104), 0, 10, LibraryFilter::All)?;
            assert_eq!(rows.len(), 1);
            assert_eq!(rows[0].badge, Badge::None);
            Ok::<_, StoreError>(rows[0].cache_key.clone())
        };
        let described = key(tx)?;
        look(tx, file, content(1, 1))?;
        assert_eq!(key(tx)?, described);
        let edited =
            NewVersion { file, stamp: FileStamp { mtime_ns: 6, ..stamp(1) }, start: InitialStatus::Found };
        tx.change_files(&[edited])?;
        assert_ne!(key(tx)?, described);
        Ok(())
    };
    store.write(run).await.expect("ran");
}

#[tokio::test]
async fn cursors_that_no_page_gave_are_refused() {
    let (_dir, store) = open();
    full_library(&store).await;
    let check = |r: &Read<'_>| {
        for bad in ["", "1", "1.2.3", "a.b.c.d.e", "0.1.2.3.4.5", "0.-9223372036854775808.0.0.0", "9.0.0.0.0"]
        {
            let mut one = query(QueueList::Waiting, None);
            one.after = Some(bad.to_owned());
            match r.queue_page(&one, &QueueContext::at(NOW)) {
                Err(StoreError::Refused(_)) => {}
                Ok(page) => assert!(bad == "9.0.0.0.0" && page.rows.is_empty(), "{bad}"),
                Err(other) => panic!("{bad}: {other}"),
            }
        }
        Ok(())
    };
    store.read(check).await.expect("read");
}

#[tokio::test]
async fn lists_are_read_in_the_order_of_an_index() {
    let (_dir, store) = open();
    full_library(&store).await;
    let check = |r: &Read<'_>| {
        let mut read: Vec<String> = queue::every_sql();
        read.extend(files::every_sql());
        read.extend(dates::every_sql());
        read.extend(jobs::every_sql());
        read.extend(records::every_sql());
        read.extend(copies::every_sql());
        read.extend(companions::every_sql());
        read.extend(name_groups::every_sql().map(str::to_owned));
        for sql in read {
            let mut explain = r.conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
            let mut rows = explain.raw_query();
            while let Some(row) = rows.next()? {
                let step: String = row.get(3)?;
                let is_sorted = step.ends_with("TEMP B-TREE FOR ORDER BY");
                // The table of consents is a handful of rows.
                let is_small = ["SCAN consent", "SCAN CONSTANT ROW"].contains(&step.as_str());
                let is_scan = step.starts_with("SCAN") && !step.contains("INDEX") && !is_small;
                assert!(!is_sorted && !is_scan, "{step}\n{sql}");
            }
        }
        Ok(())
    };
    store.read(check).await.expect("read");
}

#[tokio::test]
async fn a_look_at_an_old_version_counts_for_nothing() {
    let (_dir, store) = open();
    let run = |tx: &Write<'_>| {
        let source = tx.add_source(b"/one", "fs")?;
        let file = add(tx, source, &["a.jpg"])?[0];
        let stale = FileInspection { file, stamp: stamp(77), found: facts("a.jpg", 1) };
        assert_eq!(tx.record_looks(std::slice::from_ref(&stale))?, 0);
        // Not described yet, so not ready to have a content.
        let early = FileInspection { file, stamp: stamp(1), found: content(1, 1) };
        assert_eq!(tx.record_looks(&[early])?, 0);
        look(tx, file, facts("a.jpg", 1))?;
        let other_size = FileInspection { file, stamp: stamp(1), found: content(1, 2) };
        assert_eq!(tx.record_looks(&[other_size])?, 0);
        look(tx, file, content(1, 1))?;
        assert_eq!(tx.record_looks(&[stale])?, 0);
        assert_eq!(tx.newest_token()?, 1);
        Ok(())
    };
    store.write(run).await.expect("ran");
}

#[tokio::test]
async fn the_history_is_pruned_and_tokens_expire() {
    let (_dir, store) = open();
    let run = |tx: &Write<'_>| {
        let source = tx.add_source(b"/one", "fs")?;
        assert_eq!(
            tx.changes_since(0, 10)?,
            Changes::Since { list: Vec::new(), next_token: 0, is_end: true }
        );
        assert_eq!(tx.changes_since(1, 10)?, Changes::Expired);
        let files = add(tx, source, &["a.jpg", "b.jpg", "c.jpg"])?;
        for round in 0..4 {
            for (file, name) in files.iter().zip(["a.jpg", "b.jpg", "c.jpg"]) {
                tx.change_files(&[NewVersion { file: *file, stamp: stamp(1), start: InitialStatus::Found }])?;
                make_ready(tx, *file, name, 1, round + 1)?;
            }
        }
        let Changes::Since { list, next_token, is_end } = tx.changes_since(0, 8)? else { panic!("expired") };
        // The last of each file, in the order they happened.
        assert_eq!(list.iter().map(|change| change.file).collect::<Vec<_>>(), [files[2], files[0], files[1]]);
        assert_eq!((next_token, is_end), (8, false));
        tx.prune_changes_to(4)?;
        assert_eq!(tx.newest_token()?, 12);
        assert_eq!(tx.changes_since(7, 100)?, Changes::Expired);
        assert!(matches!(tx.changes_since(8, 100)?, Changes::Since { is_end: true, next_token: 12, .. }));
        tx.prune_changes_to(0)?;
        assert_eq!(tx.newest_token()?, 12);
        assert_eq!(tx.changes_since(11, 100)?, Changes::Expired);
        assert!(matches!(tx.changes_since(12, 100)?, Changes::Since { is_end: true, .. }));
        assert_eq!(tx.ready_files(source, files[0], 10)?, [files[1], files[2]]);
        Ok(())
    };
    store.write(run).await.expect("ran");
}

#[test]
fn the_schema_knows_every_name() {
    let schema = include_str!("schema/001.sql");
    for reason in ExcludeReason::ALL.iter().map(|r| r.as_str()).chain(Problem::ALL.iter().map(|p| p.as_str()))
    {
        assert!(schema.contains(&format!("'{reason}'")), "{reason}");
    }
    for status in crate::domain::file::FileStatus::ALL {
        assert!(schema.contains(&format!("'{}'", status.as_str())), "{}", status.as_str());
    }
}
