-- Restores that go on by themselves, and how they ended.
CREATE TABLE restore_run (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  -- What was asked for, as JSON.
  restore_order TEXT NOT NULL,
  destination_id INTEGER NOT NULL REFERENCES destination (id),
  started_ms INTEGER NOT NULL,
  ended_ms INTEGER,
  -- Why it ended before every file was looked at.
  stopped TEXT,
  -- What came of it, as JSON.
  result TEXT NOT NULL
) STRICT;
CREATE INDEX restore_run_destination ON restore_run (destination_id);
