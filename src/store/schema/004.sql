-- What a new database is filled with from elsewhere is noted when it is done, not guessed from the
-- database's being new: a kill in between would skip it.

-- The list of folders and destinations was taken over from config.json, or there was none.
ALTER TABLE installation ADD COLUMN restored INTEGER NOT NULL DEFAULT 0 CHECK (restored IN (0, 1));
UPDATE installation SET restored = 1;

-- What the destination's manifests list was taken into the ledger.
ALTER TABLE destination ADD COLUMN adopted INTEGER NOT NULL DEFAULT 0 CHECK (adopted IN (0, 1));
UPDATE destination SET adopted = 1;
