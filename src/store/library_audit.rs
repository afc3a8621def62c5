//! The library's rows counted and checked again, for tests: what triggers and grouping keep must be
//! what comes out here.

use super::row::StoreError;
use super::writer::Read;

/// A file as a test wants to see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditedFile {
    /// The row's id.
    pub id: i64,
    /// Below the source.
    pub path: String,
    /// Bytes.
    pub size: i64,
    /// The status's name.
    pub status: String,
    /// Why it is left out or a problem.
    pub reason: Option<String>,
    /// The part it plays.
    pub kind: Option<String>,
    /// The path of its asset's primary.
    pub primary: Option<String>,
    /// Its asset.
    pub asset: Option<i64>,
}

impl Read<'_> {
    /// All files, by path.
    pub fn audited_files(&self) -> Result<Vec<AuditedFile>, StoreError> {
        let sql = "SELECT f.id, f.dir, f.name, f.size, f.status, f.reason, r.kind, p.dir, p.name, r.asset_id
            FROM file f LEFT JOIN resource r ON r.file_id = f.id LEFT JOIN asset a ON a.id = r.asset_id
            LEFT JOIN file p ON p.id = a.primary_file_id ORDER BY f.source_id, f.dir, f.name";
        let mut query = self.conn.prepare(sql)?;
        let path = |dir: Vec<u8>, name: Vec<u8>| {
            String::from_utf8_lossy(&crate::domain::path::join(&dir, &name)).into_owned()
        };
        let rows = query.query_map([], |row| {
            let primary: Option<Vec<u8>> = row.get(7)?;
            let primary = match primary {
                Some(dir) => Some(path(dir, row.get(8)?)),
                None => None,
            };
            Ok(AuditedFile {
                id: row.get(0)?,
                path: path(row.get(1)?, row.get(2)?),
                size: row.get(3)?,
                status: row.get(4)?,
                reason: row.get(5)?,
                kind: row.get(6)?,
                primary,
                asset: row.get(9)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Rows that contradict each other; `None` if all is well.
    pub fn audit_library(&self) -> Result<Vec<String>, StoreError> {
        let checks = [
            (
                "file_count is not the count of the files",
                "WITH anew AS (SELECT source_id, status, safe_mask, count(*) AS files, sum(size) AS bytes
                   FROM file GROUP BY 1, 2, 3)
                 SELECT coalesce(a.source_id, c.source_id) || ' ' || coalesce(a.status, c.status)
                 FROM anew a FULL JOIN (SELECT * FROM file_count WHERE files > 0) c
                   ON c.source_id = a.source_id AND c.status = a.status AND c.safe_mask = a.safe_mask
                 WHERE a.files IS NOT c.files OR a.bytes IS NOT c.bytes",
            ),
            (
                "an empty count that is not empty",
                "SELECT status FROM file_count WHERE files = 0 AND bytes <> 0",
            ),
            (
                "an asset whose primary is not in it",
                "SELECT a.id FROM asset a LEFT JOIN resource r ON r.file_id = a.primary_file_id
                 WHERE r.asset_id IS NOT a.id",
            ),
            (
                "an asset dated otherwise than its primary or a sidecar of it",
                "SELECT a.id FROM asset a WHERE NOT EXISTS (
                   SELECT 1 FROM resource r WHERE r.asset_id = a.id AND r.captured_ms = a.captured_ms
                     AND CASE a.date_source WHEN 'sidecar' THEN r.kind = 'sidecar'
                       ELSE r.file_id = a.primary_file_id END)",
            ),
            (
                "a file on its way to a backup without an asset",
                "SELECT f.id FROM file f LEFT JOIN resource r ON r.file_id = f.id
                 WHERE f.status IN ('described', 'ready') AND (r.asset_id IS NULL OR r.kind IS NULL)",
            ),
            (
                "a resource with half a part",
                "SELECT file_id FROM resource WHERE (asset_id IS NULL) <> (kind IS NULL)",
            ),
            (
                "a described file without its place in the order",
                "SELECT f.id FROM file f LEFT JOIN asset a ON a.primary_file_id = f.id
                 WHERE f.status = 'described'
                   AND (f.captured_ms IS NULL OR f.captured_ms <> a.captured_ms)",
            ),
        ];
        let mut wrong = Vec::new();
        for (what, sql) in checks {
            let mut query = self.conn.prepare(sql)?;
            let mut rows = query.query([])?;
            while let Some(row) = rows.next()? {
                let value: rusqlite::types::Value = row.get(0)?;
                wrong.push(format!("{what}: {value:?}"));
            }
        }
        Ok(wrong)
    }
}
