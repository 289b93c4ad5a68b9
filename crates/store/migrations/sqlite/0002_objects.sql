-- What the admin API keeps: teams, users, keys, limits, …, each a JSON document with a version. Deleted ones stay, because the ledger
-- names them; their names are free again.
CREATE TABLE objects (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    body TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    deleted_ms INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX objects_name ON objects (kind, name) WHERE deleted_ms = 0;

-- Grows with every change of an object or session: who polls it reads one number.
CREATE TABLE revision (value INTEGER NOT NULL) STRICT;
INSERT INTO revision VALUES (0);

-- Sessions of people in the admin API, by the digest of their token.
CREATE TABLE sessions (
    digest TEXT PRIMARY KEY,
    admin TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_admin ON sessions (admin);

-- Who changed what, when and why; a hash chain.
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    actor TEXT NOT NULL,
    auth TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    reason TEXT NOT NULL,
    request TEXT NOT NULL,
    outcome TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;
CREATE INDEX audit_target ON audit (target, seq);

-- Signed statements that the chain was so long and ended so.
CREATE TABLE checkpoints (
    seq INTEGER PRIMARY KEY,
    head TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    signature TEXT NOT NULL
) STRICT;
