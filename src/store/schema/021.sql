-- The person lets the server's checksum count as proof, where that is a choice.
ALTER TABLE destination ADD COLUMN trusts_checksum INTEGER NOT NULL DEFAULT 0 CHECK (trusts_checksum IN (0, 1));
-- Copies are read back newest first: those without proof, then those that only a checksum vouches for.
CREATE INDEX record_unproven ON backup_record (destination_id, captured_ms DESC, id DESC)
  WHERE bin = 'unproven' AND file_count > 0;
CREATE INDEX record_unread ON backup_record (destination_id, captured_ms DESC, id DESC)
  WHERE proof_method = 'server_recheck' AND file_count > 0;
-- A copy that is there, or is being sent, got another file with its bytes: where a destination makes albums,
-- pairs and stacks, it is arranged again. Counts such files, so that one that comes meanwhile is not lost.
ALTER TABLE backup_record ADD COLUMN arrange_due INTEGER NOT NULL DEFAULT 0;
CREATE INDEX record_to_arrange ON backup_record (destination_id, id) WHERE arrange_due > 0;
CREATE TRIGGER attached_to_copy AFTER INSERT ON attachment
WHEN EXISTS (SELECT 1 FROM destination WHERE id = NEW.destination_id AND kind = 'immich') BEGIN
  UPDATE backup_record SET arrange_due = arrange_due + 1
    WHERE id = NEW.record_id AND (state IN ('accepted', 'verified') OR bin = 'uploading');
END;
-- One kind of decision more: what a destination did in another way than could be expected.
CREATE TABLE decision_21 (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  record_id INTEGER NOT NULL REFERENCES backup_record (id) ON DELETE CASCADE,
  at_ms INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('failed', 'put_back', 'retry', 'renamed', 'noted', 'asked')),
  text TEXT NOT NULL CHECK (length(text) <= 1024)
) STRICT;
INSERT INTO decision_21 SELECT id, record_id, at_ms, kind, text FROM decision;
DROP TABLE decision;
ALTER TABLE decision_21 RENAME TO decision;
CREATE INDEX decision_record ON decision (record_id, id);
