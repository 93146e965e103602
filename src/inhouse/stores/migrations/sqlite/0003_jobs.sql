-- Work that outlives its request. All times here are milliseconds since the epoch.

CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,          -- the object that it works on
    organization TEXT NOT NULL,
    project TEXT NOT NULL,
    key_id TEXT NOT NULL,           -- whose rights are checked at each attempt
    owner TEXT NOT NULL,            -- user or service account
    state TEXT NOT NULL,            -- waiting, running, done, failed, cancelled
    dedupe TEXT NOT NULL,           -- one job of a kind until it ends; '' if any number may be
    priority INTEGER NOT NULL,      -- smaller goes first
    due BIGINT NOT NULL,            -- not before
    attempt INTEGER NOT NULL,       -- grows with every start; 0 before the first
    max_attempts INTEGER NOT NULL,
    worker TEXT NOT NULL,           -- the server process that runs it; '' if none does
    claim BIGINT NOT NULL,          -- in which of the worker's rounds it was claimed
    lease_until BIGINT NOT NULL,
    checkpoint TEXT NOT NULL,       -- how far it came, in the words of its kind
    error TEXT NOT NULL,            -- why the last attempt failed
    created BIGINT NOT NULL,
    ended BIGINT
);
CREATE INDEX jobs_to_claim ON jobs (kind, priority, due, id) WHERE state = 'waiting';
CREATE INDEX jobs_to_come ON jobs (due) WHERE state = 'waiting';
CREATE INDEX jobs_of_workers ON jobs (worker) WHERE state = 'running';
CREATE UNIQUE INDEX jobs_once ON jobs (kind, dedupe)
    WHERE dedupe <> '' AND state IN ('waiting', 'running');
CREATE INDEX jobs_ended ON jobs (ended) WHERE ended IS NOT NULL;

-- Processes that work on this database.

CREATE TABLE servers (
    id TEXT PRIMARY KEY,
    started BIGINT NOT NULL,
    seen BIGINT NOT NULL
);
