-- Where exactly a date comes from, and why it is not to be trusted. A resource's is what its own file
-- says; an asset's is the best of its primary and the primary's sidecars (store::assets).
ALTER TABLE resource ADD COLUMN date_source TEXT CHECK (date_source = 'metadata' OR date_source = 'sidecar'
    OR date_source = 'file_name' OR date_source = 'modified_tag' OR date_source = 'modified_time');
ALTER TABLE resource ADD COLUMN date_doubt TEXT CHECK (date_doubt = 'camera_default' OR date_doubt = 'future');
UPDATE resource SET date_source = provenance;
ALTER TABLE asset ADD COLUMN offset_minutes INTEGER;
ALTER TABLE asset ADD COLUMN date_source TEXT NOT NULL DEFAULT 'metadata'
  CHECK (date_source = 'metadata' OR date_source = 'sidecar'
    OR date_source = 'file_name' OR date_source = 'modified_tag' OR date_source = 'modified_time');
ALTER TABLE asset ADD COLUMN date_doubt TEXT CHECK (date_doubt = 'camera_default' OR date_doubt = 'future');
UPDATE asset SET (offset_minutes, date_source) =
  (SELECT offset_minutes, date_source FROM resource WHERE file_id = primary_file_id);

-- Heads that an earlier release read are looked at once again, without leaving their status. The number is
-- domain::asset::FACTS_VERSION; a release that raises it makes this index anew.
CREATE INDEX resource_outdated ON resource (file_id) WHERE facts_version < 2;
