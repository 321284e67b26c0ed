-- Whether somebody has heard a message, and what a mailbox knows of its PIN.
ALTER TABLE recordings ADD COLUMN heard INTEGER NOT NULL DEFAULT 0;
CREATE TABLE mailboxes (
    account INTEGER NOT NULL REFERENCES accounts (id),
    number TEXT NOT NULL,               -- the internal number of its user
    pin BLOB,                           -- the hash of the PIN that was set by phone
    instead_of BLOB,                    -- and of the document's at that time
    wrong INTEGER NOT NULL,             -- PINs that were wrong, one after the other
    locked_until_us INTEGER NOT NULL,
    PRIMARY KEY (account, number)
) WITHOUT ROWID;
