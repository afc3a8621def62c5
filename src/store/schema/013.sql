-- Which source folder has a stem in a folder of a destination, and what its names carry behind it:
-- files of two source folders never share a stem there, and the files of one set always do.
CREATE TABLE name_group (
  id INTEGER PRIMARY KEY,
  destination_id INTEGER NOT NULL REFERENCES destination (id),
  folder TEXT NOT NULL,
  -- The stem that the files have in their source, folded; the stem that they have here.
  base TEXT NOT NULL,
  suffix TEXT NOT NULL,
  stem TEXT NOT NULL,
  -- The source folder's absolute path, or, as manifests know no more, a zero byte, the source's name
  -- and the path below it.
  owner BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX name_group_stem ON name_group (destination_id, folder, stem);
CREATE UNIQUE INDEX name_group_owner ON name_group (destination_id, folder, base, owner) WHERE suffix <> '';
-- No foreign key: taking a group away would look through all records for those that name it.
ALTER TABLE backup_record ADD COLUMN name_group_id INTEGER;
