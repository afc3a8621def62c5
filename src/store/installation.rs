//! The one row about this installation: the main toggle and pause; and what the person has set.

use rusqlite::{OptionalExtension as _, params};

use super::row::StoreError;
use super::writer::{Read, Write};
use crate::api::{NetworkText, Rules};
use crate::domain::gate::GateRules;
use crate::domain::network::NetworkRules;
use crate::domain::time::UnixMillis;

/// The setting that holds when backup may work.
const RULES: &str = "rules";
/// The setting that holds how servers are reached.
const NETWORK: &str = "network";

/// The installation's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// Names this installation in manifests.
    pub uuid: String,
    /// The main toggle.
    pub is_on: bool,
    /// Stopped for a while.
    pub is_paused: bool,
    /// When it goes on by itself.
    pub paused_until: Option<UnixMillis>,
    /// What `config.json` said was taken over when the database was new, or there was none.
    pub is_restored: bool,
}

impl Read<'_> {
    /// The installation's state.
    pub fn installation(&self) -> Result<Installation, StoreError> {
        let sql = "SELECT uuid, backup_on, paused, paused_until_ms, restored FROM installation";
        let row = self.conn.prepare_cached(sql)?.query_row([], |row| {
            Ok(Installation {
                uuid: row.get(0)?,
                is_on: row.get(1)?,
                is_paused: row.get(2)?,
                paused_until: row.get::<_, Option<i64>>(3)?.map(UnixMillis),
                is_restored: row.get(4)?,
            })
        })?;
        Ok(row)
    }

    /// When backup may work. Rules that cannot be read are as if none had been set.
    pub fn rules(&self) -> Result<GateRules, StoreError> {
        let rules = self.setting::<Rules>(RULES)?;
        Ok(rules.and_then(|rules| GateRules::try_from(rules).ok()).unwrap_or_default())
    }

    /// How servers are reached. What cannot be read is as if nothing had been set.
    pub fn network(&self) -> Result<NetworkRules, StoreError> {
        let network = self.setting::<NetworkText>(NETWORK)?;
        Ok(network.and_then(|network| NetworkRules::try_from(network).ok()).unwrap_or_default())
    }

    fn setting<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        let mut query = self.conn.prepare_cached("SELECT value FROM setting WHERE name = ?1")?;
        let text: Option<String> = query.query_row([name], |row| row.get(0)).optional()?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }
}

impl Write<'_> {
    /// The main toggle. Write it durably.
    pub fn set_backup_on(&self, is_on: bool) -> Result<(), StoreError> {
        self.conn.execute("UPDATE installation SET backup_on = ?1", [is_on])?;
        Ok(())
    }

    /// Pauses, until a time or for good, or goes on.
    pub fn set_paused(&self, is_paused: bool, until: Option<UnixMillis>) -> Result<(), StoreError> {
        let until = until.filter(|_| is_paused).map(|t| t.0);
        let sql = "UPDATE installation SET paused = ?1, paused_until_ms = ?2";
        self.conn.execute(sql, params![is_paused, until])?;
        Ok(())
    }

    /// Says when backup may work.
    pub fn set_rules(&self, rules: GateRules) -> Result<(), StoreError> {
        self.set_setting(RULES, &Rules::from(rules))
    }

    /// Says how servers are reached.
    pub fn set_network(&self, network: &NetworkRules) -> Result<(), StoreError> {
        self.set_setting(NETWORK, &NetworkText::from(network))
    }

    fn set_setting(&self, name: &str, value: &impl serde::Serialize) -> Result<(), StoreError> {
        let text = serde_json::to_string(value).map_err(|e| StoreError::Refused(e.to_string()))?;
        let sql = "INSERT INTO setting (name, value) VALUES (?1, ?2)
            ON CONFLICT DO UPDATE SET value = excluded.value";
        self.conn.prepare_cached(sql)?.execute(params![name, text])?;
        Ok(())
    }

    /// Notes that nothing is left to be taken over from `config.json`.
    pub fn set_restored(&self) -> Result<(), StoreError> {
        self.conn.execute("UPDATE installation SET restored = 1", [])?;
        Ok(())
    }

    /// Takes over the identity of an installation whose database was lost.
    pub fn set_installation_uuid(&self, uuid: &str) -> Result<(), StoreError> {
        self.conn.execute("UPDATE installation SET uuid = ?1", [uuid])?;
        Ok(())
    }
}
