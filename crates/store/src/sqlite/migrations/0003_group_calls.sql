-- Rows of stays in queues and ring groups, and whom they are counted for.

-- Whom rows and counters are kept for: all rows of one kind of an account together (no names), or one
-- of its members. Kind 0 and 1: users, all and one under one name. 2 and 3: queues, all, and one with
-- the user who answered, if one did. 4 and 5: ring groups alike. Who or what is renamed is another
-- subject, so that a name finds its own rows.
CREATE TABLE subjects_with_groups (
    id INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    group_name TEXT NOT NULL,
    number TEXT NOT NULL,
    name TEXT NOT NULL,
    UNIQUE (account, kind, group_name, number, name)
);
INSERT INTO subjects_with_groups SELECT id, account, kind, '', number, name FROM subjects;
DROP TABLE subjects;
ALTER TABLE subjects_with_groups RENAME TO subjects;
CREATE INDEX subjects_by_number ON subjects (account, kind, number);
CREATE INDEX subjects_by_name ON subjects (account, kind, name);

-- Kind 0: queue, 1: ring group. Stay: which of the call's, from 1. Users are null when none answered.
CREATE TABLE group_calls (
    subject INTEGER NOT NULL,
    call_start_ms INTEGER NOT NULL,
    call INTEGER NOT NULL,
    stay INTEGER NOT NULL,
    account INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    group_name TEXT NOT NULL,
    user_number TEXT,
    user_name TEXT,
    caller_id TEXT,
    caller_name TEXT,
    dest_number TEXT NOT NULL,
    connected_ms INTEGER,
    ended_ms INTEGER NOT NULL,
    call_seconds INTEGER NOT NULL,
    conversation_seconds INTEGER NOT NULL,
    PRIMARY KEY (subject, call_start_ms, call, stay)
) WITHOUT ROWID;
-- The order of an account's page, with the whole row: no look-ups elsewhere.
CREATE INDEX group_calls_by_account ON group_calls (
    account, kind, call_start_ms, call, stay, group_name, user_number, user_name, caller_id,
    caller_name, dest_number, connected_ms, ended_ms, call_seconds, conversation_seconds
);
CREATE INDEX group_calls_by_call ON group_calls (call);
