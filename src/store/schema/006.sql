-- Why exactly something failed, where that has words and a remedy of its own (domain::cause).
ALTER TABLE backup_record ADD COLUMN failure_cause TEXT;
UPDATE backup_record SET failure_cause = 'trashed'
WHERE failure_kind = 'conflict'
  AND failure_details = 'the server has this file in its trash, and forgets it when the trash is emptied';
ALTER TABLE destination ADD COLUMN lost_cause TEXT;
-- Counted by cause too.
DROP INDEX record_cause;
CREATE INDEX record_cause ON backup_record
  (bin, failure_kind, failure_reach, failure_cause, destination_id, file_count)
  WHERE bin = 'needs_attention' AND file_count > 0;
