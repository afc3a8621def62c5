-- What the person has set beyond the toggle, by name, as JSON.
CREATE TABLE setting (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL CHECK (length(value) <= 65536)
) STRICT, WITHOUT ROWID;
