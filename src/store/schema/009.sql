-- Copies of files that have gone are audited too, the oldest proofs first.
CREATE INDEX record_kept ON backup_record (destination_id, verified_ms)
  WHERE state = 'verified' AND file_count = 0;
