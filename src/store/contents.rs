//! Contents: the identity of bytes, and their other digests as they become known.

use rusqlite::{OptionalExtension as _, params};

use super::row::{DIGESTS, StoreError, digests, signed};
use super::writer::{Read, Write};
use crate::domain::hash::{ContentHash, Digests, Hashed};

impl Read<'_> {
    /// What is known of a content's other digests; nothing of one that is not known.
    pub fn digests(&self, content: ContentHash) -> Result<Digests, StoreError> {
        let sql = format!("SELECT {DIGESTS} FROM content c WHERE blake3 = ?1 AND size = ?2");
        let mut query = self.conn.prepare_cached(&sql)?;
        let found = query.query_row(params![content.blake3.0, signed(content.size)], |row| digests(row, 0));
        Ok(found.optional()?.unwrap_or_default())
    }
}

impl Write<'_> {
    /// Adds a content if it is new. Digests that were not known are kept.
    pub fn add_content(&self, hashed: Hashed) -> Result<(), StoreError> {
        let Hashed { content, digests } = hashed;
        let (size, blake3) = (signed(content.size), &content.blake3.0[..]);
        let sql = "INSERT INTO content (blake3, size) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        self.conn.prepare_cached(sql)?.execute(params![blake3, size])?;
        if digests.known().is_empty() {
            return Ok(());
        }
        let sql = "UPDATE content SET sha1 = coalesce(?3, sha1), sha256 = coalesce(?4, sha256),
              md5 = coalesce(?5, md5), crc64nvme = coalesce(?6, crc64nvme) WHERE blake3 = ?1 AND size = ?2";
        self.conn.prepare_cached(sql)?.execute(params![
            blake3,
            size,
            digests.sha1,
            digests.sha256,
            digests.md5,
            digests.crc64nvme.map(u64::to_be_bytes)
        ])?;
        Ok(())
    }
}
