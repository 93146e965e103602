-- Responses. The object without its output is `body`; its output is items.

CREATE TABLE responses (
    id TEXT COLLATE "C" PRIMARY KEY,
    organization TEXT COLLATE "C" NOT NULL,
    project TEXT COLLATE "C" NOT NULL,
    created BIGINT NOT NULL,
    status TEXT COLLATE "C" NOT NULL,       -- queued, in_progress, completed, incomplete, failed, cancelled
    previous TEXT COLLATE "C" NOT NULL,     -- the response that it goes on from, '' if none
    conversation TEXT COLLATE "C" NOT NULL, -- the conversation that it belongs to, '' if none
    conversation_end BIGINT NOT NULL,       -- items of the conversation before this position came first
    server TEXT COLLATE "C" NOT NULL,       -- the process that runs it in the foreground; '' if none does
    job TEXT COLLATE "C" NOT NULL,          -- the job that runs it in the background; '' if none
    logged INTEGER NOT NULL,                -- 1: run_log has its events
    ended BIGINT,
    request TEXT NOT NULL,                  -- of a background one: what the client asked; '' otherwise
    body TEXT NOT NULL
);
CREATE INDEX responses_of_servers ON responses (server) WHERE server <> '';
CREATE INDEX responses_with_logs ON responses (ended) WHERE logged = 1;

-- Items of responses and conversations, in the order in which a model reads them.

CREATE TABLE items (
    owner TEXT COLLATE "C" NOT NULL,        -- a response or a conversation
    position BIGINT NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    organization TEXT COLLATE "C" NOT NULL,
    project TEXT COLLATE "C" NOT NULL,
    output INTEGER NOT NULL,                -- 1: made by the response that owns it
    body TEXT NOT NULL,
    PRIMARY KEY (owner, position)
);
CREATE UNIQUE INDEX items_by_id ON items (id, owner);

-- A conversation takes one response at a time.

CREATE TABLE conversation_locks (
    conversation TEXT COLLATE "C" PRIMARY KEY,
    response TEXT COLLATE "C" NOT NULL
);
CREATE INDEX conversation_locks_of_responses ON conversation_locks (response);

-- Events of background runs, one row a flush: `frames` are JSON objects, one a line.

CREATE TABLE run_log (
    run TEXT COLLATE "C" NOT NULL,
    first BIGINT NOT NULL,                  -- sequence numbers of its first and last event
    last BIGINT NOT NULL,
    attempt INTEGER NOT NULL,               -- of the job that wrote it
    frames TEXT NOT NULL,
    PRIMARY KEY (run, first)
);
