-- Requests that wait for a person, and what became of them. What was asked and answered is taken out when its time is over.
CREATE TABLE reviews (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    owner TEXT NOT NULL,
    team TEXT NOT NULL,
    route TEXT NOT NULL,
    dialect TEXT NOT NULL,
    label TEXT NOT NULL,
    request TEXT NOT NULL,
    fault TEXT NOT NULL,
    body TEXT NOT NULL,
    answer TEXT NOT NULL,
    reason TEXT NOT NULL,
    decided_by TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    decided_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX reviews_at ON reviews (at_ms);
