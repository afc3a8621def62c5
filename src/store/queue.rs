//! The queue's rows: every present file at every destination it is meant for, by list.
//!
//! A list is made of segments, read one after the other; each is in the order of an index, so a
//! page costs its rows and not the list. Files that have a record are found by it; those that have
//! none yet are where their status says.

use std::collections::BTreeMap;

use rusqlite::{Row, params};

use super::destinations::DestinationRow;
use super::details::{QueueContext, ShownFile, ShownRecord, wait_reason};
use super::row::{StoreError, parse_name, unsigned};
use super::writer::Read;
use crate::api::{
    FailureGroup, FailureText, PAGE_ROWS_MAX, PathText, QueueList, QueuePage, QueueQuery, QueueRow,
};
use crate::domain::accounting::Bin;
use crate::domain::cause::Cause;
use crate::domain::failure::{FailureKind, Reach};
use crate::domain::file::ExcludeReason;
use crate::domain::ids::{DestinationId, FileId};
use crate::domain::time::UnixMillis;

/// A part of a list that one index gives in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Segment {
    /// Records of a bin, oldest first.
    Records(&'static str),
    /// Records to be sent, newest capture first.
    Wanted,
    /// Records that failed, next due first.
    Failed,
    /// Proved records, newest proof first.
    Proved,
    /// Files of a status, in the order they were found.
    Files(&'static str),
    /// Ready files without a record.
    Unrecorded,
}

fn segments(list: QueueList) -> &'static [Segment] {
    use Segment as S;
    match list {
        QueueList::Uploading => &[S::Records("uploading")],
        QueueList::Waiting => &[
            S::Wanted,
            S::Failed,
            S::Unrecorded,
            S::Files("described"),
            S::Files("found"),
            S::Files("settling"),
        ],
        QueueList::NeedsAttention => &[S::Records("needs_attention"), S::Files("problem")],
        QueueList::Unproven => &[S::Records("unproven")],
        QueueList::Excluded => &[S::Records("excluded"), S::Files("excluded")],
        QueueList::Done => &[S::Proved],
    }
}

fn bin_of(list: QueueList) -> Bin {
    match list {
        QueueList::Uploading => Bin::Uploading,
        QueueList::Waiting => Bin::Waiting,
        QueueList::NeedsAttention => Bin::NeedsAttention,
        QueueList::Unproven => Bin::Unproven,
        QueueList::Excluded => Bin::Excluded,
        QueueList::Done => Bin::Safe,
    }
}

/// A row's place in its segment. Smaller comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct RowPosition {
    first: i64,
    second: i64,
    file: i64,
    destination: i64,
}

impl RowPosition {
    /// Before every row.
    const START: Self = Self { first: -i64::MAX, second: -i64::MAX, file: -1, destination: -1 };
}

/// Where a page ended: the segment and the last row's place.
struct Cursor {
    segment: usize,
    place: RowPosition,
}

impl Cursor {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let segment = parts.next()?.parse().ok()?;
        let mut number = || parts.next()?.parse::<i64>().ok().filter(|n| *n > i64::MIN);
        let place =
            RowPosition { first: number()?, second: number()?, file: number()?, destination: number()? };
        parts.next().is_none().then_some(Self { segment, place })
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let RowPosition { first, second, file, destination } = self.place;
        write!(f, "{}.{first}.{second}.{file}.{destination}", self.segment)
    }
}

/// Records with their files, the segment's order given twice: as the row's place, and for the
/// index. `?2` to `?4` are the place to go on after.
const RECORD_ROWS: &str = "FROM backup_record b CROSS JOIN attachment t ON t.record_id = b.id
    WHERE b.destination_id = ?1 AND b.file_count > 0 AND (?5 IS NULL OR b.failure_kind = ?5
      OR b.failure_kind || '.' || coalesce(b.failure_cause, '') = ?5)";

fn record_sql(segment: Segment) -> Option<String> {
    Some(match segment {
        Segment::Records(bin) => format!(
            "SELECT b.id, 0, t.file_id {RECORD_ROWS} AND b.bin = '{bin}' AND b.bin <> 'safe'
               AND ?3 = ?3 AND b.id >= ?2 AND (b.id > ?2 OR t.file_id > ?4)
             ORDER BY b.id, t.file_id LIMIT ?6"
        ),
        Segment::Wanted => format!(
            "SELECT -b.captured_ms, -b.id, t.file_id {RECORD_ROWS} AND b.state = 'wanted' AND b.bin = 'waiting'
               AND b.captured_ms <= -?2
               AND (b.captured_ms < -?2 OR b.id < -?3 OR (b.id = -?3 AND t.file_id > ?4))
             ORDER BY b.captured_ms DESC, b.id DESC, t.file_id LIMIT ?6"
        ),
        Segment::Failed => format!(
            "SELECT b.next_eligible_ms, b.id, t.file_id {RECORD_ROWS} AND b.next_eligible_ms IS NOT NULL
               AND b.state IN ('failed', 'needs_attention') AND b.bin = 'waiting'
               AND b.next_eligible_ms >= ?2
               AND (b.next_eligible_ms > ?2 OR b.id > ?3 OR (b.id = ?3 AND t.file_id > ?4))
             ORDER BY b.next_eligible_ms, b.id, t.file_id LIMIT ?6"
        ),
        Segment::Proved => format!(
            "SELECT -b.verified_ms, -b.id, t.file_id {RECORD_ROWS} AND b.state = 'verified'
               AND b.verified_ms <= -?2
               AND (b.verified_ms < -?2 OR b.id < -?3 OR (b.id = -?3 AND t.file_id > ?4))
             ORDER BY b.verified_ms DESC, b.id DESC, t.file_id LIMIT ?6"
        ),
        Segment::Files(_) | Segment::Unrecorded => return None,
    })
}

fn file_sql(segment: Segment) -> Option<String> {
    // The plus keeps the search on the status or the id, in whose order the rows are wanted.
    let meant = "+f.source_id IN (SELECT source_id FROM consent WHERE destination_id = ?1)
        AND (?3 IS NULL OR f.reason = ?3 OR f.reason || '.' = ?3) AND f.id >= ?2 ORDER BY f.id LIMIT ?4";
    Some(match segment {
        Segment::Files(status) => {
            format!("SELECT f.id FROM file f WHERE f.status = '{status}' AND {meant}")
        }
        Segment::Unrecorded => format!(
            "SELECT f.id FROM file f WHERE f.status = 'ready' AND NOT EXISTS (SELECT 1 FROM attachment t
               WHERE t.destination_id = ?1 AND t.file_id = f.id) AND {meant}"
        ),
        Segment::Records(_) | Segment::Wanted | Segment::Failed | Segment::Proved => return None,
    })
}

impl Read<'_> {
    /// A page of the queue.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a cursor that no page gave.
    pub fn queue_page(&self, query: &QueueQuery, context: &QueueContext) -> Result<QueuePage, StoreError> {
        let start = Cursor { segment: 0, place: RowPosition::START };
        let after = match &query.after {
            None => start,
            Some(text) => Cursor::parse(text)
                .ok_or_else(|| StoreError::Refused("this is not a cursor of the queue".to_owned()))?,
        };
        let mut destinations = self.destinations()?;
        destinations.retain(|row| match query.destination {
            Some(id) => row.id.0 == id,
            None => row.is_enabled || !query.enabled_only,
        });
        let limit = query.limit.clamp(1, PAGE_ROWS_MAX) as usize;
        let kind = query.failure_kind.as_deref();
        let mut page = QueuePage {
            revision: context.revision,
            rows: Vec::with_capacity(limit),
            next: None,
            total: self.queue_total(query.list, kind, &destinations)?,
        };
        for (number, segment) in segments(query.list).iter().enumerate().skip(after.segment) {
            let from = if number == after.segment { after.place } else { RowPosition::START };
            // One more than there is room for tells whether there is a next page.
            let room = limit - page.rows.len() + 1;
            let mut last = from;
            for place in self.segment_positions(*segment, &destinations, from, kind, room)? {
                if page.rows.len() == limit {
                    page.next = Some(Cursor { segment: number, place: last }.to_string());
                    return Ok(page);
                }
                last = place;
                let destination = destinations.iter().find(|row| row.id.0 == place.destination);
                if let Some(destination) = destination {
                    page.rows.extend(self.queue_row(FileId(place.file), destination, context)?);
                }
            }
        }
        Ok(page)
    }

    /// The next rows of a segment over all destinations, in order.
    fn segment_positions(
        &self,
        segment: Segment,
        destinations: &[DestinationRow],
        from: RowPosition,
        kind: Option<&str>,
        limit: usize,
    ) -> Result<Vec<RowPosition>, StoreError> {
        let count = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut places = Vec::new();
        for destination in destinations {
            let id = destination.id.0;
            if let Some(sql) = record_sql(segment) {
                let mut query = self.conn.prepare_cached(&sql)?;
                let place = |row: &Row<'_>| {
                    Ok(RowPosition {
                        first: row.get(0)?,
                        second: row.get(1)?,
                        file: row.get(2)?,
                        destination: id,
                    })
                };
                let values = params![id, from.first, from.second, from.file, kind, count];
                for place in query.query_map(values, place)? {
                    places.push(place?);
                }
            } else if let Some(sql) = file_sql(segment) {
                if segment == Segment::Unrecorded && !self.has_unattached(destination.id)? {
                    continue;
                }
                let least = if id > from.destination { from.file } else { from.file.saturating_add(1) };
                let mut query = self.conn.prepare_cached(&sql)?;
                let place = |row: &Row<'_>| {
                    let file = row.get(0)?;
                    Ok(RowPosition { first: file, second: id, file, destination: id })
                };
                for place in query.query_map(params![id, least, kind, count], place)? {
                    places.push(place?);
                }
            }
        }
        places.sort_unstable();
        places.truncate(limit);
        Ok(places)
    }

    fn queue_total(
        &self,
        list: QueueList,
        kind: Option<&str>,
        destinations: &[DestinationRow],
    ) -> Result<u64, StoreError> {
        let bin = bin_of(list);
        let mut total = 0;
        for destination in destinations {
            total += match kind {
                None => self.destination_counts(destination.id)?.bins().get(bin),
                Some(kind) => self.count_of_kind(bin, kind, destination.id)?,
            };
        }
        Ok(total)
    }

    fn count_of_kind(&self, bin: Bin, kind: &str, id: DestinationId) -> Result<u64, StoreError> {
        // A class is a kind, a dot, and a cause or nothing.
        let (kind_only, cause) =
            kind.split_once('.').map_or((kind, None), |(kind, cause)| (kind, Some(cause)));
        // The bin is spelled out, so that SQLite sees which index holds it.
        let sql = format!(
            "SELECT coalesce(sum(file_count), 0) FROM backup_record
             WHERE destination_id = ?1 AND bin = '{}' AND failure_kind = ?2 AND file_count > 0
               AND (?3 IS NULL OR coalesce(failure_cause, '') = ?3)",
            bin.as_str()
        );
        let values = params![id.0, kind_only, cause];
        let recorded = self.conn.prepare_cached(&sql)?.query_row(values, |row| unsigned(row, 0))?;
        if bin != Bin::NeedsAttention {
            return Ok(recorded);
        }
        let sql = "SELECT count(*) FROM file f JOIN consent c ON c.source_id = f.source_id
            WHERE f.status = 'problem' AND c.destination_id = ?1
              AND (f.reason = ?2 OR f.reason || '.' = ?2)";
        let values = params![id.0, kind];
        let unread: u64 = self.conn.prepare_cached(sql)?.query_row(values, |row| unsigned(row, 0))?;
        Ok(recorded + unread)
    }

    /// One file at one destination.
    fn queue_row(
        &self,
        file: FileId,
        destination: &DestinationRow,
        context: &QueueContext,
    ) -> Result<Option<QueueRow>, StoreError> {
        let Some(file) = self.shown_file(file)? else {
            return Ok(None);
        };
        let record = self.shown_record(file.id, destination.id)?;
        let bin = record.as_ref().map_or_else(|| file.bin(), |record| record.bin);
        let mut row = QueueRow {
            id: file.item(record.as_ref()),
            wait_reason: wait_reason(&file, record.as_ref(), destination, context),
            path: PathText::from_bytes(&file.path),
            destination: destination.name.clone(),
            state: bin.as_str().to_owned(),
            job_state: None,
            attempt: 0,
            bytes_sent: 0,
            bytes_total: file.size,
            failure: file.failure(),
            excluded_because: (bin == Bin::Excluded).then(|| excluded_because(&file, record.as_ref())),
            asset: file.asset.map(|asset| asset.0),
            proved_at: None,
            decisions: Vec::new(),
        };
        if let Some(record) = record {
            row.attempt = record.jobs_tried;
            row.decisions = self.decisions_of(&record)?;
            row.bytes_sent = context.sent.get(&record.id).copied().unwrap_or(record.bytes_sent);
            row.job_state = record.job_state;
            row.failure = record.failure;
            row.proved_at = record.verified_at.map(UnixMillis::rfc3339);
        }
        Ok(Some(row))
    }

    /// What needs attention at destinations that are switched on, grouped by cause; most files first.
    pub fn failure_groups(&self) -> Result<Vec<FailureGroup>, StoreError> {
        let mut groups: BTreeMap<(FailureKind, Reach, Option<Cause>), FailureGroup> = BTreeMap::new();
        let mut add = |row: &Row<'_>| -> Result<(), StoreError> {
            let (kind, reach) = (parse_name(row, 0, FailureKind::parse)?, parse_name(row, 1, Reach::parse)?);
            let details = row.get::<_, Option<String>>(2)?.unwrap_or_default();
            let (files, destination) = (unsigned(row, 3)?, row.get::<_, String>(4)?);
            let cause = row.get::<_, Option<String>>(5)?.as_deref().and_then(Cause::parse);
            let group = groups.entry((kind, reach, cause)).or_insert_with(|| FailureGroup {
                failure: FailureText::with_cause(kind, reach, cause, details),
                files: 0,
                copies: 0,
                destinations: Vec::new(),
            });
            group.copies += files;
            if !group.destinations.contains(&destination) {
                group.destinations.push(destination);
            }
            Ok(())
        };
        // Counted in the index alone; then one record of each group lends its words.
        let recorded = "SELECT g.kind, g.reach, (SELECT b.failure_details FROM backup_record b
              WHERE b.bin = 'needs_attention' AND b.file_count > 0 AND b.failure_kind = g.kind
                AND b.failure_reach = g.reach AND b.failure_cause IS g.cause AND b.destination_id = d.id
              LIMIT 1), g.files, d.name, g.cause
            FROM (SELECT failure_kind AS kind, failure_reach AS reach, failure_cause AS cause, destination_id,
                sum(file_count) AS files
              FROM backup_record WHERE bin = 'needs_attention' AND file_count > 0
              GROUP BY failure_kind, failure_reach, failure_cause, destination_id) g
            JOIN destination d ON d.id = g.destination_id WHERE d.enabled = 1 ORDER BY d.id";
        let unread = "SELECT f.reason, 'resource', min(f.details), count(*), d.name, NULL
            FROM file f JOIN consent c ON c.source_id = f.source_id
            JOIN destination d ON d.id = c.destination_id
            WHERE f.status = 'problem' AND d.enabled = 1 GROUP BY f.reason, d.id ORDER BY d.id";
        for sql in [recorded, unread] {
            let mut query = self.conn.prepare_cached(sql)?;
            let mut rows = query.query([])?;
            while let Some(row) = rows.next()? {
                add(row)?;
            }
        }
        for ((kind, reach, cause), group) in &mut groups {
            group.files = match group.destinations.len() {
                0 | 1 => group.copies,
                _ => self.files_of_group(*kind, *reach, *cause)?,
            };
        }
        let mut groups: Vec<FailureGroup> = groups.into_values().collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.files));
        Ok(groups)
    }

    /// The files that need attention for one reason at any destination, each counted once.
    fn files_of_group(
        &self,
        kind: FailureKind,
        reach: Reach,
        cause: Option<Cause>,
    ) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM (
            SELECT a.file_id FROM backup_record r JOIN attachment a ON a.record_id = r.id
              WHERE r.bin = 'needs_attention' AND r.file_count > 0 AND r.failure_kind = ?1
                AND r.failure_reach = ?2 AND r.failure_cause IS ?3
                AND r.destination_id IN (SELECT id FROM destination WHERE enabled = 1)
            UNION
            SELECT f.id FROM file f JOIN consent c ON c.source_id = f.source_id
              JOIN destination d ON d.id = c.destination_id AND d.enabled = 1
              WHERE f.status = 'problem' AND f.reason = ?1 AND ?2 = 'resource' AND ?3 IS NULL)";
        let mut query = self.conn.prepare_cached(sql)?;
        let named = (kind.as_str(), reach.as_str(), cause.map(Cause::as_str));
        Ok(query.query_row(named, |row| unsigned(row, 0))?)
    }
}

/// A file that could be backed up is left out by the person, or where a destination keeps nothing of its
/// kind.
fn excluded_because(file: &ShownFile, record: Option<&ShownRecord>) -> String {
    let there = record.filter(|record| record.is_left_out_there).and_then(|record| record.failure.as_ref());
    match (file.excluded, there) {
        (None, Some(failure)) => failure.summary.clone(),
        (reason, _) => reason.unwrap_or(ExcludeReason::ByPerson).sentence().to_owned(),
    }
}

#[cfg(test)]
pub(super) fn every_sql() -> Vec<String> {
    let lists = [QueueList::Uploading, QueueList::Waiting, QueueList::NeedsAttention, QueueList::Done];
    let segments = lists.iter().flat_map(|list| segments(*list));
    segments.filter_map(|segment| record_sql(*segment).or_else(|| file_sql(*segment))).collect()
}
