-- How requests were decided: one document each, found by the request id, which begins with its time.
CREATE TABLE decisions (
    request TEXT PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    team TEXT NOT NULL,
    user_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX decisions_at ON decisions (at_ms);
