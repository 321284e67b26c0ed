-- State 0: it goes on, 1: it is over and its audio is to be made, 2: its audio is kept, 3: nothing of
-- it is left.
CREATE TABLE recordings (
    id INTEGER PRIMARY KEY,             -- the call's 16 digits and three more
    account INTEGER NOT NULL,
    state INTEGER NOT NULL,
    purpose TEXT NOT NULL,              -- of what, for whom, as in the event
    mailbox TEXT,                       -- the internal number of whom a message is for
    caller_id TEXT,
    caller_name TEXT,
    dest_number TEXT NOT NULL,
    began_us INTEGER NOT NULL,
    token TEXT NOT NULL UNIQUE,
    seconds INTEGER,
    outcome TEXT                        -- what became of the mail, or why nothing is left
);
CREATE INDEX recordings_unfinished ON recordings (id) WHERE state < 2;
CREATE INDEX recordings_by_mailbox ON recordings (account, mailbox, id)
    WHERE state = 2 AND mailbox IS NOT NULL;
