-- What needs attention by its cause, without reading the records.
CREATE INDEX record_cause ON backup_record (bin, failure_kind, failure_reach, destination_id, file_count)
  WHERE bin = 'needs_attention' AND file_count > 0;
