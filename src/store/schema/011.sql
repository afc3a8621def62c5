-- More belongs than before: formats, companions, originals that a program keeps in a hidden folder. And
-- names are compared as people see them. So what was left out is looked at again.
UPDATE file SET status = 'found', reason = NULL, details = NULL
WHERE status = 'excluded' AND (reason = 'not_media' OR reason = 'lone_sidecar'
  OR reason = 'hidden' AND instr(lower(CAST(dir AS TEXT)), '.picasaoriginals') > 0);
