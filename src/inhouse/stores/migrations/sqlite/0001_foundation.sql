CREATE TABLE migrations (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    applied BIGINT NOT NULL
);

-- Who there is. A project '' stands for the organization itself.

CREATE TABLE organizations (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    owner TEXT NOT NULL,            -- the user whose key was made at the first start
    created BIGINT NOT NULL
);

CREATE TABLE projects (
    id TEXT PRIMARY KEY,
    organization TEXT NOT NULL REFERENCES organizations (id),
    name TEXT NOT NULL,
    status TEXT NOT NULL,           -- active, archived
    standard INTEGER NOT NULL,      -- 1: the organization's default project
    created BIGINT NOT NULL,
    archived BIGINT
);
CREATE INDEX projects_by_organization ON projects (organization, id);

CREATE TABLE keys (
    id TEXT PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,    -- HMAC-SHA256 of the key under the server's pepper, hex
    redacted TEXT NOT NULL,
    name TEXT NOT NULL,
    organization TEXT NOT NULL REFERENCES organizations (id),
    project TEXT NOT NULL,
    owner TEXT NOT NULL,            -- user or service account
    role TEXT NOT NULL,             -- owner, member
    permissions TEXT NOT NULL,      -- names separated by blanks; * for all
    created BIGINT NOT NULL,
    last_used BIGINT,
    revoked BIGINT
);
CREATE INDEX keys_by_project ON keys (organization, project, id);

-- Objects that are only fetched, listed, updated and deleted.

CREATE TABLE objects (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    parent TEXT NOT NULL,           -- '' if none; part of the key: one file may be in two vector stores
    organization TEXT NOT NULL,
    project TEXT NOT NULL,
    created BIGINT NOT NULL,
    status TEXT,
    version BIGINT NOT NULL,
    key1 TEXT,
    key2 TEXT,
    unique_key TEXT,
    body TEXT NOT NULL,
    PRIMARY KEY (kind, id, parent)
);
CREATE INDEX objects_by_project ON objects (organization, project, kind, parent, id);
CREATE INDEX objects_by_key1 ON objects (organization, project, kind, parent, key1, id)
    WHERE key1 IS NOT NULL;
CREATE INDEX objects_by_key2 ON objects (organization, project, kind, parent, key2, id)
    WHERE key2 IS NOT NULL;
CREATE UNIQUE INDEX objects_unique ON objects (organization, project, kind, parent, unique_key)
    WHERE unique_key IS NOT NULL;

CREATE TABLE object_metadata (
    organization TEXT NOT NULL,
    project TEXT NOT NULL,
    kind TEXT NOT NULL,
    object TEXT NOT NULL,
    parent TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (kind, object, parent, name)
);
CREATE INDEX object_metadata_by_value
    ON object_metadata (organization, project, kind, parent, name, value, object);

-- Stored chat completions: the completion is an object; here is what it was made from.

CREATE TABLE chat_requests (
    completion TEXT PRIMARY KEY,
    body TEXT NOT NULL              -- the request without its messages
);

CREATE TABLE chat_messages (
    completion TEXT NOT NULL,
    position INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (completion, position)
);

-- Models that were pulled or configured, and the names that lead to them.

CREATE TABLE models (
    id TEXT PRIMARY KEY,
    created BIGINT NOT NULL,
    body TEXT NOT NULL
);

CREATE TABLE aliases (
    name TEXT PRIMARY KEY,          -- a name or a pattern with *
    model TEXT NOT NULL,
    created BIGINT NOT NULL
);

CREATE TABLE facts (                -- small things to remember: name and value
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- One row per request. Input includes cached, output includes reasoning, as the API counts.

CREATE TABLE usage (
    organization TEXT NOT NULL,
    project TEXT NOT NULL,
    owner TEXT NOT NULL,            -- user or service account
    key_id TEXT NOT NULL,
    created BIGINT NOT NULL,
    operation TEXT NOT NULL,
    model TEXT NOT NULL,            -- '' if none
    batch INTEGER NOT NULL,         -- 1: a line of a batch
    status INTEGER NOT NULL,
    input BIGINT NOT NULL,
    cached BIGINT NOT NULL,
    output BIGINT NOT NULL,
    reasoning BIGINT NOT NULL,
    first_token_seconds DOUBLE PRECISION,
    request_id TEXT NOT NULL
);
CREATE INDEX usage_by_time ON usage (organization, created);
