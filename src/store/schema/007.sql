-- Few jobs are live at once, and each changes its state several times: looking at all of a
-- destination's is cheaper than keeping them sorted by state.
DROP INDEX job_state;
CREATE INDEX job_destination ON upload_job (destination_id);
