-- Sounds of an account's own. Their audio lies in files beside the database.
CREATE TABLE sounds (
    account INTEGER NOT NULL REFERENCES accounts (id),
    name TEXT NOT NULL,
    seconds INTEGER NOT NULL,
    saved_us INTEGER NOT NULL,
    PRIMARY KEY (account, name)
) WITHOUT ROWID;
