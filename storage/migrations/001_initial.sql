-- Records are protos of creamery.v1 in their wire form; what is looked up, counted, compared or referenced is a column.

-- Every blob that a row names; the file is there before its row.
CREATE TABLE blobs (
  digest TEXT NOT NULL PRIMARY KEY CHECK (length(digest) = 64),
  size INTEGER NOT NULL CHECK (size >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE projects (
  project TEXT NOT NULL PRIMARY KEY,
  record BLOB NOT NULL  -- Project
) STRICT, WITHOUT ROWID;

CREATE TABLE datasets (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project TEXT NOT NULL REFERENCES projects (project),
  dataset TEXT NOT NULL,
  record BLOB NOT NULL,  -- Dataset as created: schema, time, creator
  UNIQUE (project, dataset)
) STRICT;

-- Part r makes revision r of its dataset.
CREATE TABLE parts (
  dataset_id INTEGER NOT NULL REFERENCES datasets (id) ON DELETE CASCADE,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  digest TEXT NOT NULL REFERENCES blobs (digest),
  num_rows INTEGER NOT NULL CHECK (num_rows >= 1),
  total_rows INTEGER NOT NULL CHECK (total_rows >= num_rows),  -- of parts 1 to r
  dataset_digest TEXT NOT NULL CHECK (length(dataset_digest) = 64),  -- of parts 1 to r
  PRIMARY KEY (dataset_id, revision)
) STRICT, WITHOUT ROWID;
CREATE INDEX parts_by_digest ON parts (digest);

-- States as in JobState: 1 queued, 2 running, 3 succeeded, 4 failed, 5 cancelled.
CREATE TABLE jobs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project TEXT NOT NULL REFERENCES projects (project),
  job TEXT NOT NULL,
  state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 5),
  -- A dataset can go once its jobs have ended, not before.
  dataset_id INTEGER REFERENCES datasets (id) ON DELETE SET NULL CHECK (state > 2 OR dataset_id IS NOT NULL),
  attempt INTEGER NOT NULL DEFAULT 0 CHECK (attempt >= 0),
  token TEXT NOT NULL DEFAULT '',
  counted_attempts INTEGER NOT NULL DEFAULT 0 CHECK (counted_attempts BETWEEN 0 AND attempt),
  cancel_requested INTEGER NOT NULL DEFAULT 0 CHECK (cancel_requested IN (0, 1)),
  checkpoint_sequence INTEGER NOT NULL DEFAULT 0,  -- of the newest checkpoint ever accepted
  attempt_sequence INTEGER NOT NULL DEFAULT 0 CHECK (attempt_sequence <= checkpoint_sequence),  -- when the attempt began
  record BLOB NOT NULL,  -- Job without what is in columns
  UNIQUE (project, job)
) STRICT;
CREATE INDEX jobs_by_state ON jobs (state, id);
CREATE INDEX jobs_by_dataset ON jobs (dataset_id);

CREATE TABLE checkpoints (
  job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  sequence INTEGER NOT NULL CHECK (sequence >= 1),
  digest TEXT NOT NULL REFERENCES blobs (digest),
  PRIMARY KEY (job_id, sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX checkpoints_by_digest ON checkpoints (digest);

CREATE TABLE models (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project TEXT NOT NULL REFERENCES projects (project),
  model TEXT NOT NULL,
  next_version INTEGER NOT NULL DEFAULT 1 CHECK (next_version >= 1),  -- only grows: numbers are never used again
  record BLOB NOT NULL,  -- Model: labels, time, creator
  UNIQUE (project, model)
) STRICT;

CREATE TABLE versions (
  model_id INTEGER NOT NULL REFERENCES models (id),
  number INTEGER NOT NULL CHECK (number >= 1),
  digest TEXT NOT NULL REFERENCES blobs (digest),
  record BLOB NOT NULL,  -- ModelVersion
  PRIMARY KEY (model_id, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX versions_by_digest ON versions (digest);

CREATE TABLE aliases (
  model_id INTEGER NOT NULL,
  alias TEXT NOT NULL,
  number INTEGER NOT NULL,
  PRIMARY KEY (model_id, alias),
  FOREIGN KEY (model_id, number) REFERENCES versions (model_id, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX aliases_by_version ON aliases (model_id, number);

-- First answers to requests with an id, for a week.
CREATE TABLE requests (
  principal TEXT NOT NULL,
  request_id TEXT NOT NULL,
  digest TEXT NOT NULL,
  response BLOB NOT NULL,
  unix_seconds INTEGER NOT NULL,
  PRIMARY KEY (principal, request_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX requests_by_time ON requests (unix_seconds);
