-- Folders below a source that could not be looked into when it was last looked through. Their files are
-- not known, or are what they were. At most store::UNREADABLE_DIRS_MAX for each source.
CREATE TABLE unreadable_dir (
  source_id INTEGER NOT NULL REFERENCES source (id) ON DELETE CASCADE,
  dir BLOB NOT NULL,
  problem TEXT NOT NULL,
  details TEXT NOT NULL CHECK (length(details) <= 1024),
  PRIMARY KEY (source_id, dir)
) STRICT, WITHOUT ROWID;
