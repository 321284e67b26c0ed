-- Rows are written when their calls have ended: none is unlisted any more. What a call in progress
-- had left is written anew when it ends, or is closed at the next start, from its events.

DELETE FROM user_calls WHERE listed = 0;
DROP INDEX user_calls_by_account;
DROP INDEX user_calls_by_call;
ALTER TABLE user_calls DROP COLUMN listed;

-- The order of an account's page, with the whole row: no look-ups elsewhere.
CREATE INDEX user_calls_by_account ON user_calls (
    account, call_start_ms, call, user_number, side, user_name, answered, caller_id, caller_name,
    dest_number, connected_ms, ended_ms, call_seconds, conversation_seconds
);
CREATE INDEX user_calls_by_call ON user_calls (call);
