-- A run that was killed, or a manifest that was not written, may have left temp files at a destination
-- that no checkpoint knows of. That is remembered until they are removed.
ALTER TABLE destination ADD COLUMN needs_clean INTEGER NOT NULL DEFAULT 0;
