//! Destinations, and the person's consent to what goes where.

use rusqlite::{OptionalExtension as _, params};

use super::capabilities;
use super::row::{StoreError, parse_name, unsigned};
use super::writer::{Read, Write};
use crate::domain::cause::Cause;
use crate::domain::failure::FailureKind;
use crate::domain::ids::{DestinationId, SourceId};
use crate::domain::record::ProofMethod;
use crate::domain::target::DestinationKind;
use crate::domain::time::UnixMillis;
use crate::domain::transfer::Capabilities;

/// The most destinations: each has a bit in a file's safe mask.
pub const SLOTS_MAX: i64 = 62;

/// A destination that cannot be used now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Probes failed since it was last well.
    pub failures: u32,
    /// When it is probed again.
    pub until: UnixMillis,
    /// What is wrong.
    pub kind: FailureKind,
    /// Why exactly, where that is known.
    pub cause: Option<Cause>,
    /// What the outside said.
    pub details: String,
}

/// One destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationRow {
    /// Its id.
    pub id: DestinationId,
    /// The UUID kept at the destination.
    pub uuid: String,
    /// Its name.
    pub name: String,
    /// What it speaks.
    pub kind: DestinationKind,
    /// A folder's absolute path, or a URL without secrets; as bytes.
    pub address: Vec<u8>,
    /// Switched on.
    pub is_enabled: bool,
    /// What the last probe found.
    pub capabilities: Capabilities,
    /// When that was.
    pub probed_at: UnixMillis,
    /// The most unacknowledged jobs.
    pub job_limit: u32,
    /// The extension's place in the change history; none before its first full look.
    pub change_token: Option<i64>,
    /// The number of the next manifest segment.
    pub manifest_next: u64,
    /// Why it cannot be used now.
    pub lost: Option<Lost>,
    /// What its manifests list was taken into the ledger.
    pub is_adopted: bool,
    /// Temp files may be left there that no checkpoint knows of.
    pub needs_clean: bool,
    /// The person lets the server's checksum count as proof.
    pub trusts_checksum: bool,
}

/// What a new destination is made of.
#[derive(Debug, Clone)]
pub struct NewDestination {
    /// Its name.
    pub name: String,
    /// What it speaks.
    pub kind: DestinationKind,
    /// A folder's absolute path, or a URL without secrets; as bytes.
    pub address: Vec<u8>,
    /// What the probe found, its UUID included.
    pub capabilities: Capabilities,
    /// The most unacknowledged jobs.
    pub job_limit: u32,
}

const COLUMNS: &str =
    "id, uuid, name, kind, address, enabled, abilities, job_limit, change_token, manifest_next,
    lost_failures, lost_until_ms, lost_kind, lost_details, adopted, lost_cause, probed_ms, needs_clean,
    trusts_checksum";

fn destination_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<DestinationRow> {
    let lost = match row.get::<_, u32>(10)? {
        0 => None,
        failures => Some(Lost {
            failures,
            until: UnixMillis(row.get(11)?),
            kind: parse_name(row, 12, FailureKind::parse)?,
            cause: row.get::<_, Option<String>>(15)?.as_deref().and_then(Cause::parse),
            details: row.get::<_, Option<String>>(13)?.unwrap_or_default(),
        }),
    };
    let (kind, trusts_checksum) = (parse_name(row, 3, DestinationKind::parse)?, row.get(18)?);
    let mut capabilities = capabilities::parse(&row.get::<_, String>(6)?);
    if kind.has_checksum_choice() && capabilities.proof.is_some() {
        // An earlier release took the checksum for proof without being asked.
        let method = if trusts_checksum { ProofMethod::ServerRecheck } else { ProofMethod::ReadBack };
        capabilities.proof = Some(method);
    }
    Ok(DestinationRow {
        id: DestinationId(row.get(0)?),
        uuid: row.get(1)?,
        name: row.get(2)?,
        kind,
        trusts_checksum,
        address: row.get(4)?,
        is_enabled: row.get(5)?,
        capabilities,
        job_limit: row.get(7)?,
        change_token: row.get(8)?,
        manifest_next: unsigned(row, 9)?,
        lost,
        is_adopted: row.get(14)?,
        probed_at: UnixMillis(row.get(16)?),
        needs_clean: row.get(17)?,
    })
}

impl Read<'_> {
    /// All destinations, in the order they were added.
    pub fn destinations(&self) -> Result<Vec<DestinationRow>, StoreError> {
        let mut query =
            self.conn.prepare_cached(&format!("SELECT {COLUMNS} FROM destination ORDER BY id"))?;
        let rows = query.query_map([], destination_row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// One destination.
    pub fn destination(&self, id: DestinationId) -> Result<Option<DestinationRow>, StoreError> {
        let mut query =
            self.conn.prepare_cached(&format!("SELECT {COLUMNS} FROM destination WHERE id = ?1"))?;
        Ok(query.query_row([id.0], destination_row).optional()?)
    }

    /// All consented pairs, sorted.
    pub fn consents(&self) -> Result<Vec<(SourceId, DestinationId)>, StoreError> {
        let sql = "SELECT source_id, destination_id FROM consent ORDER BY destination_id, source_id";
        let mut query = self.conn.prepare_cached(sql)?;
        let rows = query.query_map([], |row| Ok((SourceId(row.get(0)?), DestinationId(row.get(1)?))))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Write<'_> {
    /// Adds a destination, switched on: adding one is done by the person.
    pub fn add_destination(&self, new: &NewDestination) -> Result<DestinationId, StoreError> {
        let slot: Option<i64> = self.conn.query_row(
            "WITH RECURSIVE n(s) AS (SELECT 0 UNION ALL SELECT s + 1 FROM n WHERE s + 1 < ?1)
                 SELECT min(s) FROM n WHERE s NOT IN (SELECT slot FROM destination)",
            [SLOTS_MAX],
            |row| row.get(0),
        )?;
        let Some(slot) = slot else {
            return Err(StoreError::Refused(format!("there can be no more than {SLOTS_MAX} destinations")));
        };
        let capabilities = capabilities::text(&new.capabilities)?;
        self.conn.execute(
            "INSERT INTO destination (slot, uuid, name, kind, address, enabled, created_ms, abilities, job_limit, probed_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?8, ?6)",
            params![
                slot,
                new.capabilities.uuid,
                new.name,
                new.kind.as_str(),
                new.address,
                self.now.0,
                capabilities,
                new.job_limit
            ],
        )?;
        Ok(DestinationId(self.conn.last_insert_rowid()))
    }

    /// Remembers whether the person lets the server's checksum count as proof. Write it durably.
    pub fn set_checksum_trust(&self, id: DestinationId, is_trusted: bool) -> Result<(), StoreError> {
        let sql = "UPDATE destination SET trusts_checksum = ?2 WHERE id = ?1";
        self.conn.execute(sql, params![id.0, is_trusted])?;
        Ok(())
    }

    /// Remembers what a new probe found.
    pub fn set_capabilities(&self, id: DestinationId, capabilities: &Capabilities) -> Result<(), StoreError> {
        let text = capabilities::text(capabilities)?;
        let sql = "UPDATE destination SET abilities = ?2, probed_ms = ?3 WHERE id = ?1";
        self.conn.execute(sql, params![id.0, text, self.now.0])?;
        Ok(())
    }

    /// Remembers what a destination has found out by itself, without a probe.
    pub fn set_found(&self, id: DestinationId, capabilities: &Capabilities) -> Result<(), StoreError> {
        let text = capabilities::text(capabilities)?;
        self.conn.execute("UPDATE destination SET abilities = ?2 WHERE id = ?1", params![id.0, text])?;
        Ok(())
    }

    /// Forgets a destination with its jobs and records. What it holds stays there.
    pub fn remove_destination(&self, id: DestinationId) -> Result<(), StoreError> {
        for sql in [
            "DELETE FROM upload_job WHERE destination_id = ?1",
            "DELETE FROM attachment WHERE destination_id = ?1",
            "DELETE FROM backup_record WHERE destination_id = ?1",
            "DELETE FROM name_group WHERE destination_id = ?1",
            "DELETE FROM bin_count WHERE destination_id = ?1",
            "DELETE FROM restore_run WHERE destination_id = ?1",
            "DELETE FROM destination WHERE id = ?1",
        ] {
            self.conn.execute(sql, [id.0])?;
        }
        Ok(())
    }

    /// Renames a destination. Write it durably.
    pub fn rename_destination(&self, id: DestinationId, name: &str) -> Result<(), StoreError> {
        self.conn.execute("UPDATE destination SET name = ?2 WHERE id = ?1", params![id.0, name])?;
        Ok(())
    }

    /// Switches a destination on. Write it durably.
    pub fn enable_destination(&self, id: DestinationId) -> Result<(), StoreError> {
        self.conn.execute("UPDATE destination SET enabled = 1 WHERE id = ?1", [id.0])?;
        self.clear_lost(id)
    }

    /// Switches a destination off: its jobs go, its records and checkpoints stay, so that switching
    /// on again sends nothing twice. Write it durably.
    pub fn disable_destination(&self, id: DestinationId) -> Result<(), StoreError> {
        self.conn.execute("UPDATE destination SET enabled = 0 WHERE id = ?1", [id.0])?;
        self.conn.execute("DELETE FROM upload_job WHERE destination_id = ?1", [id.0])?;
        self.settle_bins(id)
    }

    /// Puts the records of jobs that have just gone back where their state says.
    pub(super) fn settle_bins(&self, id: DestinationId) -> Result<(), StoreError> {
        self.conn.execute(
            "UPDATE backup_record SET bin = CASE state
                WHEN 'accepted' THEN 'unproven' WHEN 'verified' THEN 'safe'
                WHEN 'needs_attention' THEN state WHEN 'excluded' THEN state ELSE 'waiting' END
             WHERE destination_id = ?1 AND bin = 'uploading'
               AND NOT EXISTS (SELECT 1 FROM upload_job j WHERE j.record_id = backup_record.id AND j.state = 'pending')",
            [id.0],
        )?;
        Ok(())
    }

    /// Records the person's consent for one pair. Says whether it is new. Write it durably.
    pub fn add_consent(&self, source: SourceId, destination: DestinationId) -> Result<bool, StoreError> {
        let sql = "INSERT OR IGNORE INTO consent VALUES (?1, ?2, ?3)";
        let added = self.conn.execute(sql, params![source.0, destination.0, self.now.0])?;
        if added > 0 {
            // The files were there before the consent: only a full look finds them.
            self.conn.execute("UPDATE destination SET change_token = NULL WHERE id = ?1", [destination.0])?;
        }
        Ok(added > 0)
    }

    /// The extension's place in the history; none asks for a full look.
    pub fn set_change_token(&self, id: DestinationId, token: Option<i64>) -> Result<(), StoreError> {
        let sql = "UPDATE destination SET change_token = ?2 WHERE id = ?1";
        self.conn.prepare_cached(sql)?.execute(params![id.0, token])?;
        Ok(())
    }

    /// Notes that a destination cannot be used until later.
    pub fn set_lost(&self, id: DestinationId, lost: &Lost) -> Result<(), StoreError> {
        let sql =
            "UPDATE destination SET lost_failures = ?2, lost_until_ms = ?3, lost_kind = ?4, lost_details = ?5,
              lost_cause = ?6
            WHERE id = ?1";
        self.conn.prepare_cached(sql)?.execute(params![
            id.0,
            lost.failures.max(1),
            lost.until.0,
            lost.kind.as_str(),
            lost.details,
            lost.cause.map(Cause::as_str)
        ])?;
        Ok(())
    }

    /// Notes that a destination can be used.
    pub fn clear_lost(&self, id: DestinationId) -> Result<(), StoreError> {
        let sql = "UPDATE destination SET lost_failures = 0, lost_until_ms = NULL, lost_kind = NULL, lost_details = NULL,
              lost_cause = NULL
            WHERE id = ?1 AND lost_failures > 0";
        self.conn.prepare_cached(sql)?.execute([id.0])?;
        Ok(())
    }

    /// Notes that all that the manifests list is in the ledger.
    pub fn set_adopted(&self, id: DestinationId) -> Result<(), StoreError> {
        self.conn.execute("UPDATE destination SET adopted = 1 WHERE id = ?1", [id.0])?;
        Ok(())
    }

    /// Notes whether temp files may be left there that no checkpoint knows of.
    pub fn set_needs_clean(&self, id: DestinationId, needs_clean: bool) -> Result<(), StoreError> {
        let sql = "UPDATE destination SET needs_clean = ?2 WHERE id = ?1 AND needs_clean <> ?2";
        self.conn.prepare_cached(sql)?.execute(params![id.0, needs_clean])?;
        Ok(())
    }

    /// Notes the end of an audit.
    pub fn set_audited(&self, id: DestinationId) -> Result<(), StoreError> {
        self.conn
            .execute("UPDATE destination SET audited_ms = ?2 WHERE id = ?1", params![id.0, self.now.0])?;
        Ok(())
    }
}
