-- How long a clip runs, where that is known; and which release's facts these are
-- (domain::asset::FACTS_VERSION): what was read before durations were is 0.
ALTER TABLE resource ADD COLUMN duration_ms INTEGER CHECK (duration_ms >= 0);
ALTER TABLE resource ADD COLUMN facts_version INTEGER NOT NULL DEFAULT 0;
