-- Copies of ours that got their name and are not verified yet, as the server described them right after the
-- naming: what a wrong copy is known by before it may be removed.
CREATE TABLE named_copy (
  record_id INTEGER PRIMARY KEY REFERENCES backup_record (id) ON DELETE CASCADE,
  key TEXT NOT NULL,
  size INTEGER NOT NULL CHECK (size >= 0),
  tag TEXT NOT NULL CHECK (tag <> '' AND length(tag) <= 1024),
  named_ms INTEGER NOT NULL
) STRICT;
