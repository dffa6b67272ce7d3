-- Jobs that compute statistics, with their answers and the versions they have pinned, and arrays of jobs. A statistics
-- job has no dataset, which the check of the first schema demands; SQLite cannot alter a check, so jobs and the
-- checkpoints that refer to them are made anew.
CREATE TABLE new_jobs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project TEXT NOT NULL REFERENCES projects (project),
  job TEXT NOT NULL,
  kind INTEGER NOT NULL CHECK (kind IN (1, 2)),  -- 1 training, 2 statistics
  array TEXT NOT NULL DEFAULT '',  -- id shared by jobs that were created together, or empty
  state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 5),
  -- Of a training. A dataset can go once its jobs have ended, not before.
  dataset_id INTEGER REFERENCES datasets (id) ON DELETE SET NULL
    CHECK (CASE kind WHEN 1 THEN state > 2 OR dataset_id IS NOT NULL ELSE dataset_id IS NULL END),
  attempt INTEGER NOT NULL DEFAULT 0 CHECK (attempt >= 0),
  token TEXT NOT NULL DEFAULT '',
  counted_attempts INTEGER NOT NULL DEFAULT 0 CHECK (counted_attempts BETWEEN 0 AND attempt),
  cancel_requested INTEGER NOT NULL DEFAULT 0 CHECK (cancel_requested IN (0, 1)),
  checkpoint_sequence INTEGER NOT NULL DEFAULT 0,  -- of the newest checkpoint ever accepted
  attempt_sequence INTEGER NOT NULL DEFAULT 0 CHECK (attempt_sequence <= checkpoint_sequence),  -- when the attempt began
  -- StatisticsResult and the blob of its samples, if it has some: of a statistics job that has succeeded.
  result BLOB CHECK ((result IS NOT NULL) = (kind = 2 AND state = 3)),
  samples TEXT REFERENCES blobs (digest) CHECK (samples IS NULL OR result IS NOT NULL),
  record BLOB NOT NULL,  -- Job without what is in columns
  UNIQUE (project, job)
) STRICT;

CREATE TABLE new_checkpoints (
  job_id INTEGER NOT NULL REFERENCES new_jobs (id) ON DELETE CASCADE,
  sequence INTEGER NOT NULL CHECK (sequence >= 1),
  digest TEXT NOT NULL REFERENCES blobs (digest),
  PRIMARY KEY (job_id, sequence)
) STRICT, WITHOUT ROWID;

INSERT INTO new_jobs (id, project, job, kind, state, dataset_id, attempt, token, counted_attempts, cancel_requested,
                      checkpoint_sequence, attempt_sequence, record)
SELECT id, project, job, 1, state, dataset_id, attempt, token, counted_attempts, cancel_requested,
       checkpoint_sequence, attempt_sequence, record FROM jobs;
INSERT INTO new_checkpoints SELECT job_id, sequence, digest FROM checkpoints;

DROP TABLE checkpoints;
DROP TABLE jobs;
ALTER TABLE new_jobs RENAME TO jobs;  -- and in what refers to it
ALTER TABLE new_checkpoints RENAME TO checkpoints;

CREATE INDEX jobs_by_state ON jobs (state, id);
CREATE INDEX jobs_by_dataset ON jobs (dataset_id);
CREATE INDEX jobs_by_array ON jobs (project, array, id) WHERE array <> '';
CREATE INDEX jobs_by_samples ON jobs (samples) WHERE samples IS NOT NULL;
CREATE INDEX checkpoints_by_digest ON checkpoints (digest);

-- Versions that a job which has not ended has pinned: they cannot be deleted. Rows go when the job ends.
CREATE TABLE job_versions (
  job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  model_id INTEGER NOT NULL,
  number INTEGER NOT NULL,
  PRIMARY KEY (job_id, model_id, number),
  FOREIGN KEY (model_id, number) REFERENCES versions (model_id, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_versions_by_version ON job_versions (model_id, number);
