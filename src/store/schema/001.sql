-- The first schema. Illegal rows are impossible: every enum has its CHECK, every state its partner
-- columns. Counts are kept by the triggers at the end, in the transaction that changes the rows.
--
-- Enums are spelled out with OR: for an IN with more than two values SQLite builds a table for every
-- row that it checks.

CREATE TABLE installation (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  uuid TEXT NOT NULL,
  run_epoch INTEGER NOT NULL DEFAULT 0,
  clean_exit INTEGER NOT NULL DEFAULT 1 CHECK (clean_exit IN (0, 1)),
  backup_on INTEGER NOT NULL DEFAULT 0 CHECK (backup_on IN (0, 1)),
  paused INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)),
  paused_until_ms INTEGER,
  CHECK (paused = 1 OR paused_until_ms IS NULL)
) STRICT;

CREATE TABLE source (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  path BLOB NOT NULL UNIQUE,
  file_system TEXT NOT NULL,
  added_ms INTEGER NOT NULL,
  condition TEXT NOT NULL DEFAULT 'present' CHECK (condition = 'present' OR condition = 'unavailable'
    OR condition = 'unreadable'),
  scanned_ms INTEGER
) STRICT;

CREATE TABLE content (
  id INTEGER PRIMARY KEY,
  blake3 BLOB NOT NULL CHECK (length(blake3) = 32),
  size INTEGER NOT NULL CHECK (size > 0),
  -- Known where some destination has wanted them.
  sha1 BLOB CHECK (length(sha1) = 20),
  sha256 BLOB CHECK (length(sha256) = 32),
  md5 BLOB CHECK (length(md5) = 16),
  crc64nvme BLOB CHECK (length(crc64nvme) = 8),
  UNIQUE (blake3, size)
) STRICT;

-- A present file. What has gone from a source that is there has no row; what is below a source
-- that is not there keeps its row.
CREATE TABLE file (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  source_id INTEGER NOT NULL REFERENCES source (id) ON DELETE CASCADE,
  dir BLOB NOT NULL,
  name BLOB NOT NULL CHECK (length(name) > 0),
  size INTEGER NOT NULL CHECK (size >= 0),
  mtime_ns INTEGER NOT NULL,
  ctime_ns INTEGER NOT NULL,
  status TEXT NOT NULL CHECK (status = 'found' OR status = 'settling' OR status = 'described'
    OR status = 'ready' OR status = 'problem' OR status = 'excluded'),
  reason TEXT CHECK (reason = 'empty' OR reason = 'unreadable' OR reason = 'placeholder'
    OR reason = 'hidden' OR reason = 'debris' OR reason = 'not_media' OR reason = 'lone_sidecar'
    OR reason = 'not_regular' OR reason = 'by_person'),
  details TEXT,
  settle_until_ms INTEGER,
  content_id INTEGER REFERENCES content (id),
  -- The resource's capture date, once it was described: the order in which files are hashed.
  captured_ms INTEGER,
  safe_mask INTEGER NOT NULL DEFAULT 0,
  UNIQUE (source_id, dir, name),
  CHECK ((status = 'ready') = (content_id IS NOT NULL)),
  CHECK ((status = 'settling') = (settle_until_ms IS NOT NULL)),
  CHECK ((status IN ('problem', 'excluded')) = (reason IS NOT NULL)),
  CHECK (status <> 'problem' OR reason = 'empty' OR reason = 'unreadable' OR reason = 'placeholder'),
  CHECK (status <> 'excluded' OR reason <> 'empty' AND reason <> 'unreadable' AND reason <> 'placeholder')
) STRICT;
-- Spelled out with OR, as SQLite does not see that an equality implies an IN.
CREATE INDEX file_to_do ON file (status, id)
  WHERE status = 'found' OR status = 'settling' OR status = 'described' OR status = 'problem';
CREATE INDEX file_to_hash ON file (captured_ms DESC, id DESC) WHERE status = 'described';
CREATE INDEX file_settling ON file (settle_until_ms) WHERE status = 'settling';
CREATE INDEX file_content ON file (content_id) WHERE content_id IS NOT NULL;
CREATE INDEX file_left_out ON file (id) WHERE status = 'excluded';

CREATE TABLE asset (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  source_id INTEGER NOT NULL REFERENCES source (id) ON DELETE CASCADE,
  primary_file_id INTEGER NOT NULL UNIQUE REFERENCES file (id) ON DELETE CASCADE,
  class TEXT NOT NULL CHECK (class = 'photo' OR class = 'raw' OR class = 'video'),
  captured_ms INTEGER NOT NULL,
  day INTEGER NOT NULL
) STRICT;
CREATE INDEX asset_day ON asset (day DESC, captured_ms DESC, id DESC, class);

-- What a look at the file's head told, and the part it plays.
CREATE TABLE resource (
  file_id INTEGER PRIMARY KEY REFERENCES file (id) ON DELETE CASCADE,
  asset_id INTEGER REFERENCES asset (id) ON DELETE SET NULL,
  kind TEXT CHECK (kind = 'photo' OR kind = 'video' OR kind = 'paired_video' OR kind = 'alternate_photo'
    OR kind = 'sidecar' OR kind = 'adjusted_photo'),
  media_type TEXT NOT NULL,
  is_mismatch INTEGER NOT NULL CHECK (is_mismatch IN (0, 1)),
  captured_ms INTEGER NOT NULL,
  offset_minutes INTEGER,
  provenance TEXT NOT NULL CHECK (provenance = 'metadata' OR provenance = 'file_name'
    OR provenance = 'modified_time'),
  width INTEGER CHECK (width > 0),
  height INTEGER CHECK (height > 0),
  orientation INTEGER NOT NULL CHECK (orientation BETWEEN 1 AND 8),
  camera TEXT,
  content_identifier TEXT,
  -- A hash of source, folder and group key: files that can share an asset share it.
  group_hash INTEGER NOT NULL,
  CHECK ((width IS NULL) = (height IS NULL))
) STRICT;
CREATE INDEX resource_asset ON resource (asset_id);
CREATE INDEX resource_group ON resource (group_hash);

-- The library's history, pruned from its old end. A change token is a position in it.
CREATE TABLE change (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  file_id INTEGER NOT NULL,
  source_id INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('ready', 'removed'))
) STRICT;

CREATE TABLE destination (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  slot INTEGER NOT NULL UNIQUE CHECK (slot BETWEEN 0 AND 61),
  uuid TEXT NOT NULL,
  name TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL CHECK (kind = 'folder' OR kind = 's3' OR kind = 'webdav' OR kind = 'nextcloud'
    OR kind = 'immich' OR kind = 'tus' OR kind = 'resumable'),
  address BLOB NOT NULL,
  enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
  created_ms INTEGER NOT NULL,
  abilities TEXT NOT NULL,
  job_limit INTEGER NOT NULL CHECK (job_limit > 0),
  change_token INTEGER,
  manifest_next INTEGER NOT NULL DEFAULT 1,
  audited_ms INTEGER,
  lost_failures INTEGER NOT NULL DEFAULT 0,
  lost_until_ms INTEGER,
  lost_kind TEXT,
  lost_details TEXT,
  CHECK ((lost_failures > 0) = (lost_until_ms IS NOT NULL)),
  CHECK ((lost_failures > 0) = (lost_kind IS NOT NULL))
) STRICT;

CREATE TABLE consent (
  source_id INTEGER NOT NULL REFERENCES source (id) ON DELETE CASCADE,
  destination_id INTEGER NOT NULL REFERENCES destination (id) ON DELETE CASCADE,
  given_ms INTEGER NOT NULL,
  PRIMARY KEY (source_id, destination_id)
) STRICT, WITHOUT ROWID;

-- The ledger.
CREATE TABLE backup_record (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  destination_id INTEGER NOT NULL REFERENCES destination (id),
  content_id INTEGER NOT NULL REFERENCES content (id),
  -- A companion's record is bound to its primary's content; 0 for all others.
  beside_id INTEGER NOT NULL DEFAULT 0,
  size INTEGER NOT NULL CHECK (size > 0),
  kind TEXT NOT NULL CHECK (kind = 'photo' OR kind = 'video' OR kind = 'paired_video'
    OR kind = 'alternate_photo' OR kind = 'sidecar' OR kind = 'adjusted_photo'),
  captured_ms INTEGER NOT NULL,
  offset_minutes INTEGER,
  provenance TEXT NOT NULL CHECK (provenance = 'metadata' OR provenance = 'file_name'
    OR provenance = 'modified_time'),
  origin_source TEXT NOT NULL,
  origin_path BLOB NOT NULL,
  origin_mtime_ns INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state = 'wanted' OR state = 'failed' OR state = 'needs_attention'
    OR state = 'excluded' OR state = 'accepted' OR state = 'verified' OR state = 'superseded'),
  bin TEXT NOT NULL CHECK (bin = 'safe' OR bin = 'unproven' OR bin = 'waiting' OR bin = 'uploading'
    OR bin = 'needs_attention' OR bin = 'excluded'),
  key TEXT,
  key_fold TEXT,
  key_attempt INTEGER NOT NULL DEFAULT 0,
  token INTEGER NOT NULL,
  receipt TEXT,
  proof_method TEXT,
  verified_ms INTEGER,
  jobs_tried INTEGER NOT NULL DEFAULT 0,
  jobs_failed INTEGER NOT NULL DEFAULT 0,
  crashes INTEGER NOT NULL DEFAULT 0,
  next_eligible_ms INTEGER,
  failure_kind TEXT,
  failure_reach TEXT,
  failure_details TEXT,
  failed_ms INTEGER,
  file_count INTEGER NOT NULL DEFAULT 0 CHECK (file_count >= 0),
  is_manifested INTEGER NOT NULL DEFAULT 0 CHECK (is_manifested IN (0, 1)),
  CHECK ((key IS NULL) = (key_fold IS NULL)),
  CHECK ((state = 'verified') = (verified_ms IS NOT NULL AND proof_method IS NOT NULL)),
  CHECK ((state IN ('verified', 'accepted')) <= (receipt IS NOT NULL AND key IS NOT NULL)),
  CHECK ((state = 'failed') <= (next_eligible_ms IS NOT NULL AND failure_kind IS NOT NULL)),
  CHECK (state <> 'needs_attention' OR failure_kind IS NOT NULL),
  CHECK ((bin = 'safe') = (state = 'verified')),
  CHECK ((failure_kind IS NULL) = (failure_reach IS NULL))
) STRICT;
CREATE UNIQUE INDEX record_identity ON backup_record (destination_id, content_id, beside_id);
CREATE UNIQUE INDEX record_key ON backup_record (destination_id, key_fold) WHERE key_fold IS NOT NULL;
CREATE INDEX record_draw ON backup_record (destination_id, captured_ms DESC, id DESC)
  WHERE state = 'wanted' AND file_count > 0;
CREATE INDEX record_due ON backup_record (destination_id, next_eligible_ms)
  WHERE next_eligible_ms IS NOT NULL AND state IN ('failed', 'needs_attention');
CREATE INDEX record_bin ON backup_record (bin, destination_id, id) WHERE file_count > 0 AND bin <> 'safe';
CREATE INDEX record_proof ON backup_record (destination_id, verified_ms) WHERE state = 'verified' AND file_count > 0;
CREATE INDEX record_unlisted ON backup_record (destination_id, id)
  WHERE is_manifested = 0 AND state IN ('verified', 'accepted');

-- Which present file a record is for. One content under two names is one record with two rows here.
-- The source is the file's, which never changes: so a record's move is counted without the file.
CREATE TABLE attachment (
  destination_id INTEGER NOT NULL REFERENCES destination (id),
  file_id INTEGER NOT NULL REFERENCES file (id) ON DELETE CASCADE,
  record_id INTEGER NOT NULL REFERENCES backup_record (id),
  source_id INTEGER NOT NULL,
  PRIMARY KEY (destination_id, file_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX attachment_record ON attachment (record_id, source_id);
CREATE INDEX attachment_file ON attachment (file_id);

-- Live jobs only: acknowledged and cancelled ones have no row.
CREATE TABLE upload_job (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  record_id INTEGER NOT NULL UNIQUE REFERENCES backup_record (id),
  destination_id INTEGER NOT NULL REFERENCES destination (id),
  state TEXT NOT NULL CHECK (state = 'registered' OR state = 'pending' OR state = 'succeeded'
    OR state = 'failed'),
  retry_used INTEGER NOT NULL DEFAULT 0 CHECK (retry_used IN (0, 1)),
  is_permanent INTEGER NOT NULL DEFAULT 0 CHECK (is_permanent IN (0, 1)),
  bytes_sent INTEGER NOT NULL DEFAULT 0 CHECK (bytes_sent >= 0),
  run_epoch INTEGER,
  created_ms INTEGER NOT NULL,
  CHECK ((run_epoch IS NOT NULL) = (state = 'pending'))
) STRICT;
CREATE INDEX job_state ON upload_job (destination_id, state, id);

CREATE TABLE transfer_checkpoint (
  record_id INTEGER PRIMARY KEY REFERENCES backup_record (id) ON DELETE CASCADE,
  content_id INTEGER NOT NULL,
  key TEXT NOT NULL,
  phase TEXT NOT NULL CHECK (phase = 'creating' OR phase = 'sending' OR phase = 'committing'
    OR phase = 'proving'),
  state TEXT NOT NULL CHECK (length(state) <= 65536),
  saved_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE event (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at_ms INTEGER NOT NULL,
  kind TEXT NOT NULL,
  text TEXT NOT NULL
) STRICT;

-- Present files by source, status and the set of destinations (slots as bits) where they are safe.
CREATE TABLE file_count (
  source_id INTEGER NOT NULL,
  status TEXT NOT NULL,
  safe_mask INTEGER NOT NULL,
  files INTEGER NOT NULL CHECK (files >= 0),
  bytes INTEGER NOT NULL CHECK (bytes >= 0),
  PRIMARY KEY (source_id, status, safe_mask)
) STRICT, WITHOUT ROWID;

-- Attached files by destination, source and bin.
CREATE TABLE bin_count (
  destination_id INTEGER NOT NULL,
  source_id INTEGER NOT NULL,
  bin TEXT NOT NULL,
  files INTEGER NOT NULL CHECK (files >= 0),
  bytes INTEGER NOT NULL CHECK (bytes >= 0),
  PRIMARY KEY (destination_id, source_id, bin)
) STRICT, WITHOUT ROWID;

-- Live jobs by destination.
CREATE TABLE job_count (
  destination_id INTEGER PRIMARY KEY,
  jobs INTEGER NOT NULL CHECK (jobs >= 0)
) STRICT;

-- The triggers below run for every step of every job, so they leave out what makes SQLite slow:
-- * An UPDATE or DELETE that may find several rows, and a subselect in IN, work on a table made for
--   the moment. What happens for each job finds its one row by its whole key; the rest stands apart.
-- * A statement that may stop in the middle keeps a journal of its own. OR FAIL needs none: every
--   write is undone as a whole anyway. An upsert cannot have it, so rows are there before they count.

CREATE TRIGGER job_added AFTER INSERT ON upload_job BEGIN
  INSERT OR IGNORE INTO job_count VALUES (NEW.destination_id, 0);
  UPDATE OR FAIL job_count SET jobs = jobs + 1 WHERE destination_id = NEW.destination_id;
END;
CREATE TRIGGER job_removed AFTER DELETE ON upload_job BEGIN
  UPDATE OR FAIL job_count SET jobs = jobs - 1 WHERE destination_id = OLD.destination_id;
END;

CREATE TRIGGER file_added AFTER INSERT ON file BEGIN
  INSERT INTO file_count VALUES (NEW.source_id, NEW.status, NEW.safe_mask, 1, NEW.size)
    ON CONFLICT DO UPDATE SET files = files + 1, bytes = bytes + NEW.size;
END;
-- Before, so that the file's attachments are counted out while the file is still there.
CREATE TRIGGER file_leaving BEFORE DELETE ON file BEGIN
  DELETE FROM attachment WHERE file_id = OLD.id;
END;
CREATE TRIGGER file_removed AFTER DELETE ON file BEGIN
  UPDATE file_count SET files = files - 1, bytes = bytes - OLD.size
    WHERE source_id = OLD.source_id AND status = OLD.status AND safe_mask = 0;
END;
-- One trigger and not two, because the order of triggers is not defined and this order matters. A
-- file that is no longer ready, or holds other bytes, is no longer what its records say it is.
CREATE TRIGGER file_changed AFTER UPDATE OF status, size, content_id ON file
WHEN OLD.status <> NEW.status OR OLD.size <> NEW.size OR OLD.content_id IS NOT NEW.content_id BEGIN
  UPDATE file_count SET files = files - 1, bytes = bytes - OLD.size
    WHERE source_id = OLD.source_id AND status = OLD.status AND safe_mask = OLD.safe_mask;
  INSERT INTO file_count VALUES (NEW.source_id, NEW.status, NEW.safe_mask, 1, NEW.size)
    ON CONFLICT DO UPDATE SET files = files + 1, bytes = bytes + NEW.size;
  DELETE FROM attachment WHERE file_id = OLD.id
    AND OLD.content_id IS NOT NULL AND OLD.content_id IS NOT NEW.content_id;
END;
CREATE TRIGGER file_marking BEFORE UPDATE OF safe_mask ON file
WHEN NOT EXISTS (SELECT 1 FROM file_count
  WHERE source_id = NEW.source_id AND status = NEW.status AND safe_mask = NEW.safe_mask) BEGIN
  INSERT INTO file_count VALUES (NEW.source_id, NEW.status, NEW.safe_mask, 0, 0);
END;
-- The same file in the same state, safe at one place more or less. Never together with the one above.
CREATE TRIGGER file_marked AFTER UPDATE OF safe_mask ON file
WHEN OLD.safe_mask <> NEW.safe_mask
  AND OLD.status = NEW.status AND OLD.size = NEW.size AND OLD.content_id IS NEW.content_id BEGIN
  UPDATE file_count SET files = files - 1, bytes = bytes - OLD.size
    WHERE source_id = OLD.source_id AND status = OLD.status AND safe_mask = OLD.safe_mask;
  UPDATE file_count SET files = files + 1, bytes = bytes + NEW.size
    WHERE source_id = NEW.source_id AND status = NEW.status AND safe_mask = NEW.safe_mask;
END;

CREATE TRIGGER attaching BEFORE INSERT ON attachment
WHEN NOT EXISTS (SELECT 1 FROM bin_count WHERE destination_id = NEW.destination_id AND source_id = NEW.source_id)
BEGIN
  INSERT INTO bin_count VALUES
    (NEW.destination_id, NEW.source_id, 'safe', 0, 0),
    (NEW.destination_id, NEW.source_id, 'unproven', 0, 0),
    (NEW.destination_id, NEW.source_id, 'waiting', 0, 0),
    (NEW.destination_id, NEW.source_id, 'uploading', 0, 0),
    (NEW.destination_id, NEW.source_id, 'needs_attention', 0, 0),
    (NEW.destination_id, NEW.source_id, 'excluded', 0, 0);
END;
CREATE TRIGGER attached AFTER INSERT ON attachment BEGIN
  UPDATE backup_record SET file_count = file_count + 1 WHERE id = NEW.record_id;
  UPDATE bin_count SET files = files + 1,
      bytes = bytes + (SELECT size FROM backup_record WHERE id = NEW.record_id)
    WHERE destination_id = NEW.destination_id AND source_id = NEW.source_id
      AND bin = (SELECT bin FROM backup_record WHERE id = NEW.record_id);
  UPDATE file SET safe_mask = safe_mask | (SELECT 1 << slot FROM destination WHERE id = NEW.destination_id)
    WHERE id = NEW.file_id AND (SELECT bin FROM backup_record WHERE id = NEW.record_id) = 'safe';
END;
CREATE TRIGGER detached AFTER DELETE ON attachment BEGIN
  UPDATE bin_count SET files = files - 1,
      bytes = bytes - (SELECT size FROM backup_record WHERE id = OLD.record_id)
    WHERE destination_id = OLD.destination_id AND source_id = OLD.source_id
      AND bin = (SELECT bin FROM backup_record WHERE id = OLD.record_id);
  UPDATE backup_record SET file_count = file_count - 1 WHERE id = OLD.record_id;
  -- What nobody has any more, and was never finished, is not wanted any more.
  UPDATE backup_record SET state = 'superseded', bin = 'waiting', next_eligible_ms = NULL
    WHERE id = OLD.record_id AND file_count = 0
      AND (state = 'wanted' OR state = 'failed' OR state = 'needs_attention');
  UPDATE file SET safe_mask = safe_mask & ~(SELECT 1 << slot FROM destination WHERE id = OLD.destination_id)
    WHERE id = OLD.file_id;
END;
CREATE TRIGGER record_moved AFTER UPDATE OF bin ON backup_record
WHEN OLD.bin <> NEW.bin AND NEW.file_count = 1 BEGIN
  UPDATE bin_count SET files = files - 1, bytes = bytes - NEW.size
    WHERE destination_id = NEW.destination_id AND bin = OLD.bin
      AND source_id = (SELECT source_id FROM attachment WHERE record_id = NEW.id);
  UPDATE bin_count SET files = files + 1, bytes = bytes + NEW.size
    WHERE destination_id = NEW.destination_id AND bin = NEW.bin
      AND source_id = (SELECT source_id FROM attachment WHERE record_id = NEW.id);
  UPDATE file SET safe_mask = CASE NEW.bin
      WHEN 'safe' THEN safe_mask | (SELECT 1 << slot FROM destination WHERE id = NEW.destination_id)
      ELSE safe_mask & ~(SELECT 1 << slot FROM destination WHERE id = NEW.destination_id) END
    WHERE (OLD.bin = 'safe') <> (NEW.bin = 'safe')
      AND id = (SELECT file_id FROM attachment WHERE record_id = NEW.id);
END;
CREATE TRIGGER record_of_many_moved AFTER UPDATE OF bin ON backup_record
WHEN OLD.bin <> NEW.bin AND NEW.file_count > 1 BEGIN
  UPDATE bin_count SET files = files - n, bytes = bytes - n * NEW.size
    FROM (SELECT source_id AS source, count(*) AS n FROM attachment WHERE record_id = NEW.id GROUP BY source_id)
    WHERE destination_id = NEW.destination_id AND source_id = source AND bin = OLD.bin;
  UPDATE bin_count SET files = files + n, bytes = bytes + n * NEW.size
    FROM (SELECT source_id AS source, count(*) AS n FROM attachment WHERE record_id = NEW.id GROUP BY source_id)
    WHERE destination_id = NEW.destination_id AND source_id = source AND bin = NEW.bin;
  UPDATE file SET safe_mask = CASE NEW.bin
      WHEN 'safe' THEN safe_mask | (SELECT 1 << slot FROM destination WHERE id = NEW.destination_id)
      ELSE safe_mask & ~(SELECT 1 << slot FROM destination WHERE id = NEW.destination_id) END
    WHERE (OLD.bin = 'safe') <> (NEW.bin = 'safe')
      AND id IN (SELECT file_id FROM attachment WHERE record_id = NEW.id);
END;
