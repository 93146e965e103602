CREATE TABLE migrations (
    number INTEGER PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL,
    applied BIGINT NOT NULL
);

-- Who there is. A project '' stands for the organization itself.

CREATE TABLE organizations (
    id TEXT COLLATE "C" PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C" NOT NULL,        -- the user whose key was made at the first start
    created BIGINT NOT NULL
);

CREATE TABLE projects (
    id TEXT COLLATE "C" PRIMARY KEY,
    organization TEXT COLLATE "C" NOT NULL REFERENCES organizations (id),
    name TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL,       -- active, archived
    standard INTEGER NOT NULL,              -- 1: the organization's default project
    created BIGINT NOT NULL,
    archived BIGINT
);
CREATE INDEX projects_by_organization ON projects (organization, id);

CREATE TABLE keys (
    id TEXT COLLATE "C" PRIMARY KEY,
    digest TEXT COLLATE "C" NOT NULL UNIQUE, -- HMAC-SHA256 of the key under the server's pepper, hex
    redacted TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    organization TEXT COLLATE "C" NOT NULL REFERENCES organizations (id),
    project TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C" NOT NULL,        -- user or service account
    role TEXT COLLATE "C" NOT NULL,         -- owner, member
    permissions TEXT COLLATE "C" NOT NULL,  -- names separated by blanks; * for all
    created BIGINT NOT NULL,
    last_used BIGINT,
    revoked BIGINT
);
CREATE INDEX keys_by_project ON keys (organization, project, id);

-- Objects that are only fetched, listed, updated and deleted.

CREATE TABLE objects (
    kind TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    parent TEXT COLLATE "C" NOT NULL,       -- '' if none; part of the key: one file may be in two vector stores
    organization TEXT COLLATE "C" NOT NULL,
    project TEXT COLLATE "C" NOT NULL,
    created BIGINT NOT NULL,
    status TEXT COLLATE "C",
    version BIGINT NOT NULL,
    key1 TEXT COLLATE "C",
    key2 TEXT COLLATE "C",
    unique_key TEXT COLLATE "C",
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
    organization TEXT COLLATE "C" NOT NULL,
    project TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    object TEXT COLLATE "C" NOT NULL,
    parent TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (kind, object, parent, name)
);
CREATE INDEX object_metadata_by_value
    ON object_metadata (organization, project, kind, parent, name, value, object);

-- Stored chat completions: the completion is an object; here is what it was made from.

CREATE TABLE chat_requests (
    completion TEXT COLLATE "C" PRIMARY KEY,
    body TEXT NOT NULL                      -- the request without its messages
);

CREATE TABLE chat_messages (
    completion TEXT COLLATE "C" NOT NULL,
    position INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (completion, position)
);

-- Models that were pulled or configured, and the names that lead to them.

CREATE TABLE models (
    id TEXT COLLATE "C" PRIMARY KEY,
    created BIGINT NOT NULL,
    body TEXT NOT NULL
);

CREATE TABLE aliases (
    name TEXT COLLATE "C" PRIMARY KEY,      -- a name or a pattern with *
    model TEXT COLLATE "C" NOT NULL,
    created BIGINT NOT NULL
);

CREATE TABLE facts (                        -- small things to remember: name and value
    name TEXT COLLATE "C" PRIMARY KEY,
    value TEXT COLLATE "C" NOT NULL
);

-- One row per request. Input includes cached, output includes reasoning, as the API counts.

CREATE TABLE usage (
    organization TEXT COLLATE "C" NOT NULL,
    project TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C" NOT NULL,        -- user or service account
    key_id TEXT COLLATE "C" NOT NULL,
    created BIGINT NOT NULL,
    operation TEXT COLLATE "C" NOT NULL,
    model TEXT COLLATE "C" NOT NULL,        -- '' if none
    batch INTEGER NOT NULL,                 -- 1: a line of a batch
    status INTEGER NOT NULL,
    input BIGINT NOT NULL,
    cached BIGINT NOT NULL,
    output BIGINT NOT NULL,
    reasoning BIGINT NOT NULL,
    first_token_seconds DOUBLE PRECISION,
    request_id TEXT COLLATE "C" NOT NULL
);
CREATE INDEX usage_by_time ON usage (organization, created);
