-- What users have set by phone, and what else an account remembers beyond its calls. Only what is not as
-- usual has a row.
CREATE TABLE standings (
    account INTEGER NOT NULL,
    subject TEXT NOT NULL,              -- what it is about, such as agent/1010
    standing TEXT NOT NULL,             -- how it is, as in the event
    since_us INTEGER NOT NULL,
    PRIMARY KEY (account, subject)
) WITHOUT ROWID;
