-- The assets whose date is not to be trusted, without reading all of them.
CREATE INDEX asset_doubtful ON asset (day DESC, captured_ms DESC, id DESC) WHERE date_doubt IS NOT NULL;
