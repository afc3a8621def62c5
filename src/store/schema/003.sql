-- The last that was decided about a record, for the queue and support. Bounded: see store::decisions.
CREATE TABLE decision (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  record_id INTEGER NOT NULL REFERENCES backup_record (id) ON DELETE CASCADE,
  at_ms INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('failed', 'put_back', 'retry', 'renamed', 'asked')),
  text TEXT NOT NULL CHECK (length(text) <= 1024)
) STRICT;
CREATE INDEX decision_record ON decision (record_id, id);
