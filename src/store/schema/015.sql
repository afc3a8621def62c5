-- The file that a sidecar is about, where that is not the one that stands for the asset. No foreign key:
-- whatever takes a file away regroups what was beside it.
ALTER TABLE resource ADD COLUMN about_file_id INTEGER;
-- What a destination keeps beside no picture is left out there, and needs nobody's attention.
UPDATE backup_record SET state = 'excluded', bin = 'excluded', next_eligible_ms = NULL,
  failure_cause = CASE WHEN failure_details LIKE 'the server takes no sidecars like %'
    THEN 'sidecar_kind' ELSE 'sidecar_late' END
WHERE state = 'needs_attention' AND bin = 'needs_attention' AND kind = 'sidecar'
  AND failure_kind = 'unsupported' AND failure_cause IS NULL
  AND (failure_details LIKE 'the server takes no sidecars like %'
    OR failure_details LIKE 'Immich takes a sidecar''s bytes only together with its picture%');
