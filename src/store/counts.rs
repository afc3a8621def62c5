//! Counters, read from the tables that the triggers keep.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension as _, params};

use super::row::{StoreError, parse_name, unsigned};
use super::writer::Read;
use crate::api::{FileCounts, LibraryCounts};
use crate::domain::accounting::{Bin, Bins};
use crate::domain::file::FileStatus;
use crate::domain::ids::{DestinationId, SourceId};
use crate::domain::time::UnixMillis;

/// The most copies that are left out, unproven or in need of attention whose files are told apart for
/// one snapshot.
const UNUSUAL_COPIES_MAX: u64 = 20_000;

/// One destination's side of the accounting identity.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DestinationCounts {
    /// Where the present files of the consented sources are, source by source.
    pub pairs: BTreeMap<SourceId, Bins>,
    /// Present files of the consented sources, counted by themselves and not as the bins' sum.
    pub found: u64,
    /// Bytes of the safe files.
    pub bytes_safe: u64,
    /// Bytes of the files to be sent or being sent.
    pub bytes_waiting: u64,
    /// The oldest verification among the safe files.
    pub oldest_proof: Option<UnixMillis>,
    /// When the last audit ended.
    pub last_audit: Option<UnixMillis>,
}

impl DestinationCounts {
    /// The bins over all sources.
    pub fn bins(&self) -> Bins {
        let mut all = Bins::default();
        for bins in self.pairs.values() {
            for bin in Bin::ALL {
                *all.get_mut(bin) += bins.get(bin);
            }
        }
        all
    }
}

impl Read<'_> {
    /// Present files below a source.
    pub fn source_found(&self, source: SourceId) -> Result<u64, StoreError> {
        let sql = "SELECT coalesce(sum(files), 0) FROM file_count WHERE source_id = ?1";
        Ok(self.conn.prepare_cached(sql)?.query_row([source.0], |row| unsigned(row, 0))?)
    }

    /// One destination's counters.
    pub fn destination_counts(&self, id: DestinationId) -> Result<DestinationCounts, StoreError> {
        let mut counts = DestinationCounts::default();
        let mut attached: BTreeMap<SourceId, (u64, u64)> = BTreeMap::new();
        let sql = "SELECT source_id, bin, files, bytes FROM bin_count WHERE destination_id = ?1";
        let mut query = self.conn.prepare_cached(sql)?;
        let mut rows = query.query([id.0])?;
        while let Some(row) = rows.next()? {
            let (source, bin) = (SourceId(row.get(0)?), parse_name(row, 1, Bin::parse)?);
            let (files, bytes) = (unsigned(row, 2)?, unsigned(row, 3)?);
            *counts.pairs.entry(source).or_default().get_mut(bin) += files;
            let sum = attached.entry(source).or_default();
            *sum = (sum.0 + files, sum.1 + bytes);
            match bin {
                Bin::Safe => counts.bytes_safe += bytes,
                Bin::Waiting | Bin::Uploading => counts.bytes_waiting += bytes,
                Bin::Unproven | Bin::NeedsAttention | Bin::Excluded => {}
            }
        }
        // Files that have no record yet are where their status says.
        let sql = "SELECT source_id, status, sum(files), sum(bytes) FROM file_count
            JOIN consent USING (source_id) WHERE destination_id = ?1 GROUP BY source_id, status";
        let mut query = self.conn.prepare_cached(sql)?;
        let mut rows = query.query([id.0])?;
        while let Some(row) = rows.next()? {
            let (source, status) = (SourceId(row.get(0)?), parse_name(row, 1, FileStatus::parse)?);
            let (files, bytes) = (unsigned(row, 2)?, unsigned(row, 3)?);
            counts.found += files;
            let bins = counts.pairs.entry(source).or_default();
            match status {
                FileStatus::Found | FileStatus::Settling | FileStatus::Described => {
                    bins.waiting += files;
                    counts.bytes_waiting += bytes;
                }
                FileStatus::Ready => {
                    let (with_record, their_bytes) = attached.get(&source).copied().unwrap_or_default();
                    bins.waiting += files.saturating_sub(with_record);
                    counts.bytes_waiting += bytes.saturating_sub(their_bytes);
                }
                FileStatus::Problem => bins.needs_attention += files,
                FileStatus::Excluded => bins.excluded += files,
            }
        }
        let sql = "SELECT verified_ms FROM backup_record
            WHERE destination_id = ?1 AND state = 'verified' AND file_count > 0 ORDER BY verified_ms LIMIT 1";
        counts.oldest_proof =
            self.conn.prepare_cached(sql)?.query_row([id.0], |row| row.get(0).map(UnixMillis)).optional()?;
        let sql = "SELECT audited_ms FROM destination WHERE id = ?1";
        let audited: Option<Option<i64>> =
            self.conn.prepare_cached(sql)?.query_row([id.0], |row| row.get(0)).optional()?;
        counts.last_audit = audited.flatten().map(UnixMillis);
        Ok(counts)
    }

    /// Counters over all sources. `safe_everywhere` counts a file when every enabled destination
    /// that its source is consented to has it safe, and there is one.
    ///
    /// `assets` is the number of assets where the caller knows that it has not changed.
    pub fn library_counts(&self, assets: Option<u64>) -> Result<LibraryCounts, StoreError> {
        let mut counts = LibraryCounts::default();
        let sql = "SELECT files, safe_mask, (SELECT coalesce(sum(1 << slot), 0) FROM destination d
              JOIN consent c ON c.destination_id = d.id
              WHERE c.source_id = file_count.source_id AND d.enabled = 1)
            FROM file_count";
        let mut query = self.conn.prepare_cached(sql)?;
        let rows = query
            .query_map([], |row| Ok((unsigned(row, 0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)))?;
        for row in rows {
            let (files, safe, meant) = row?;
            counts.found += files;
            counts.safe_somewhere += if safe == 0 { 0 } else { files };
            counts.safe_everywhere += if meant != 0 && safe & meant == meant { files } else { 0 };
        }
        counts.assets = match assets {
            Some(known) => known,
            None => self
                .conn
                .prepare_cached("SELECT count(*) FROM asset")?
                .query_row([], |row| unsigned(row, 0))?,
        };
        counts.files = self.file_counts()?;
        Ok(counts)
    }

    /// The files that go to an enabled destination, each counted once by the worst of its copies.
    fn file_counts(&self) -> Result<Option<FileCounts>, StoreError> {
        let mut counts = self.file_counts_by_status()?;
        let sql = "SELECT bin, sum(files) FROM bin_count
            JOIN destination d ON d.id = destination_id AND d.enabled = 1
            WHERE bin IN ('needs_attention', 'excluded', 'unproven') AND files > 0 GROUP BY bin";
        let mut query = self.conn.prepare_cached(sql)?;
        let copies: Vec<(Bin, u64)> = query
            .query_map([], |row| Ok((parse_name(row, 0, Bin::parse)?, unsigned(row, 1)?)))?
            .collect::<Result<_, _>>()?;
        let unusual: u64 = copies.iter().map(|(_, copies)| copies).sum();
        let sql = "SELECT count(*) FROM destination d WHERE d.enabled = 1
            AND EXISTS (SELECT 1 FROM consent c WHERE c.destination_id = d.id)";
        let destinations = self.conn.prepare_cached(sql)?.query_row([], |row| unsigned(row, 0))?;
        if destinations <= 1 {
            // Every file has one copy.
            for (bin, copies) in copies {
                counts.left = counts.left.saturating_sub(copies);
                match bin {
                    Bin::NeedsAttention => counts.needs_attention += copies,
                    Bin::Unproven => counts.unproven += copies,
                    _ => counts.excluded += copies,
                }
            }
        } else if unusual > UNUSUAL_COPIES_MAX {
            return Ok(None);
        } else if unusual > 0 {
            self.count_unusual_files(&mut counts)?;
        }
        Ok(Some(counts))
    }

    /// As far as the files' own rows tell: a file that is ready is safe everywhere, or left to do.
    fn file_counts_by_status(&self) -> Result<FileCounts, StoreError> {
        let mut counts = FileCounts::default();
        let sql = "SELECT status, files, safe_mask, (SELECT coalesce(sum(1 << slot), 0) FROM destination d
              JOIN consent c ON c.destination_id = d.id
              WHERE c.source_id = file_count.source_id AND d.enabled = 1)
            FROM file_count";
        let mut query = self.conn.prepare_cached(sql)?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let (status, files) = (parse_name(row, 0, FileStatus::parse)?, unsigned(row, 1)?);
            let (safe, meant) = (row.get::<_, i64>(2)?, row.get::<_, i64>(3)?);
            if meant == 0 {
                continue;
            }
            counts.found += files;
            match status {
                FileStatus::Problem => counts.needs_attention += files,
                FileStatus::Excluded => counts.excluded += files,
                FileStatus::Ready if safe & meant == meant => counts.safe += files,
                FileStatus::Ready | FileStatus::Found | FileStatus::Settling | FileStatus::Described => {
                    counts.left += files;
                }
            }
        }
        Ok(counts)
    }

    fn count_unusual_files(&self, counts: &mut FileCounts) -> Result<(), StoreError> {
        let sql = "SELECT u.attention, u.excluded, u.unproven, f.safe_mask,
              (SELECT coalesce(sum(1 << slot), 0) FROM destination d
                JOIN consent c ON c.destination_id = d.id
                WHERE c.source_id = f.source_id AND d.enabled = 1), count(*)
            FROM (SELECT a.file_id,
                sum(CASE WHEN r.bin = 'needs_attention' THEN 1 << d.slot ELSE 0 END) AS attention,
                sum(CASE WHEN r.bin = 'excluded' THEN 1 << d.slot ELSE 0 END) AS excluded,
                sum(CASE WHEN r.bin = 'unproven' THEN 1 << d.slot ELSE 0 END) AS unproven
              FROM destination d
              JOIN backup_record r ON r.destination_id = d.id
                AND r.bin IN ('needs_attention', 'excluded', 'unproven') AND r.bin <> 'safe' AND r.file_count > 0
              JOIN attachment a ON a.record_id = r.id
              WHERE d.enabled = 1 GROUP BY a.file_id) u
            JOIN file f ON f.id = u.file_id AND f.status = 'ready'
            GROUP BY 1, 2, 3, 4, 5";
        let mut query = self.conn.prepare_cached(sql)?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let mask = |at| row.get::<_, i64>(at);
            let (attention, excluded, unproven, safe, meant) =
                (mask(0)?, mask(1)?, mask(2)?, mask(3)?, mask(4)?);
            let files = unsigned(row, 5)?;
            counts.left = counts.left.saturating_sub(files);
            let bin = if attention & meant != 0 {
                &mut counts.needs_attention
            } else if meant & !(safe | excluded | unproven) != 0 {
                &mut counts.left
            } else if unproven & meant != 0 {
                &mut counts.unproven
            } else if safe & meant != 0 {
                &mut counts.safe
            } else {
                &mut counts.excluded
            };
            *bin += files;
        }
        Ok(())
    }

    /// Every bin of one destination counted again from the files themselves, bin by bin and never by
    /// subtraction: what the kept counters must equal.
    pub fn recount(&self, id: DestinationId) -> Result<(u64, Bins), StoreError> {
        let mut bins = Bins::default();
        let sql = "SELECT count(*) FROM file JOIN consent USING (source_id) WHERE destination_id = ?1";
        let found = self.conn.prepare_cached(sql)?.query_row([id.0], |row| unsigned(row, 0))?;
        let sql = "SELECT count(*) FROM file f JOIN consent c ON c.source_id = f.source_id AND c.destination_id = ?1
            LEFT JOIN attachment a ON a.file_id = f.id AND a.destination_id = ?1
            LEFT JOIN backup_record r ON r.id = a.record_id
            LEFT JOIN upload_job j ON j.record_id = r.id
            WHERE CASE
              WHEN f.status = 'problem' THEN 'needs_attention'
              WHEN f.status = 'excluded' THEN 'excluded'
              WHEN f.status <> 'ready' OR r.id IS NULL THEN 'waiting'
              WHEN j.state = 'pending' THEN 'uploading'
              WHEN r.state = 'verified' THEN 'safe'
              WHEN r.state = 'accepted' THEN 'unproven'
              WHEN r.state IN ('needs_attention', 'excluded') THEN r.state
              ELSE 'waiting' END = ?2";
        for bin in Bin::ALL {
            let mut query = self.conn.prepare_cached(sql)?;
            *bins.get_mut(bin) = query.query_row(params![id.0, bin.as_str()], |row| unsigned(row, 0))?;
        }
        Ok((found, bins))
    }
}
