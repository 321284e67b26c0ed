-- Instants end in _us (microseconds since 1970) or _ms (milliseconds). Calls are their 16 digits.

CREATE TABLE meta (
    name TEXT NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE accounts (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);

CREATE TABLE account_documents (
    account INTEGER NOT NULL REFERENCES accounts (id),
    version INTEGER NOT NULL,
    applied_us INTEGER NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (account, version)
);

-- One row for what happened to a call within one batch. Calls rise with time: rows are appended.
CREATE TABLE events (
    call INTEGER NOT NULL,
    part INTEGER NOT NULL,
    account INTEGER NOT NULL,
    facts TEXT NOT NULL,                -- [[microseconds, fact], …]
    PRIMARY KEY (call, part)
) WITHOUT ROWID;

-- Calls that have not ended: what must be closed after a crash.
CREATE TABLE open_calls (
    call INTEGER PRIMARY KEY
);

-- Whom rows and counters are kept for: all users of an account together (kind 0, no number), or one
-- user under one name (kind 1). A renamed user is another subject, so that a name finds its own rows.
CREATE TABLE subjects (
    id INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    number TEXT NOT NULL,
    name TEXT NOT NULL,
    UNIQUE (account, kind, number, name)
);
CREATE INDEX subjects_by_name ON subjects (account, kind, name);

-- Side 0: the user was called, 1: the user called. Unlisted rows belong to calls in progress.
CREATE TABLE user_calls (
    subject INTEGER NOT NULL,
    call_start_ms INTEGER NOT NULL,
    call INTEGER NOT NULL,
    side INTEGER NOT NULL,
    listed INTEGER NOT NULL,
    account INTEGER NOT NULL,
    user_number TEXT NOT NULL,
    user_name TEXT NOT NULL,
    answered INTEGER NOT NULL,
    caller_id TEXT,
    caller_name TEXT,
    dest_number TEXT NOT NULL,
    connected_ms INTEGER,
    ended_ms INTEGER,
    call_seconds INTEGER NOT NULL,
    conversation_seconds INTEGER NOT NULL,
    PRIMARY KEY (subject, call_start_ms, call, side)
) WITHOUT ROWID;
-- The order of an account's page, with the whole row: no look-ups elsewhere.
CREATE INDEX user_calls_by_account ON user_calls (
    account, call_start_ms, call, user_number, side, user_name, answered, caller_id, caller_name,
    dest_number, connected_ms, ended_ms, call_seconds, conversation_seconds
) WHERE listed = 1;
CREATE INDEX user_calls_by_call ON user_calls (call) WHERE listed = 1;

-- Listed rows per subject: level 0 counts the days of a span, level 1 the hours of a day (counts.rs).
CREATE TABLE counters (
    subject INTEGER NOT NULL,
    level INTEGER NOT NULL,
    period INTEGER NOT NULL,
    total INTEGER NOT NULL,
    counts BLOB NOT NULL,
    PRIMARY KEY (subject, level, period)
) WITHOUT ROWID;

-- State 0: to be made, 1: delivered, 2: failed. Late 1: retries alone, its lane goes on.
CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    endpoint TEXT NOT NULL,
    call INTEGER NOT NULL,
    trigger TEXT NOT NULL,
    state INTEGER NOT NULL,
    late INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    due_us INTEGER NOT NULL,
    created_us INTEGER NOT NULL,
    tried_us INTEGER,
    status INTEGER,
    error TEXT,
    body BLOB NOT NULL
);
CREATE INDEX deliveries_pending ON deliveries (account, endpoint, late, id, due_us) WHERE state = 0;
CREATE INDEX deliveries_failed ON deliveries (account, id) WHERE state = 2;
