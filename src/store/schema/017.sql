-- When what a destination can do was found out last.
ALTER TABLE destination ADD COLUMN probed_ms INTEGER NOT NULL DEFAULT 0;
