-- What is left out because its name is no picture's and nobody could look into it has details: what the
-- system said. It is looked at again.
CREATE INDEX file_unseen ON file (id)
  WHERE status = 'excluded' AND reason = 'not_media' AND details IS NOT NULL;
