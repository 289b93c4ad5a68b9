-- The ends of the hash chains, and where they begin after old records were dropped.
CREATE TABLE chains (
    name TEXT PRIMARY KEY,
    seq INTEGER NOT NULL,
    hash TEXT NOT NULL,
    part INTEGER NOT NULL,
    anchor_seq INTEGER NOT NULL,
    anchor_hash TEXT NOT NULL,
    anchor_ms INTEGER NOT NULL,
    anchor_window INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO chains VALUES ('ledger', 0, '', 0, 0, '', -1, 0), ('audit', 0, '', 0, 0, '', -1, 0);

-- How far each journal was applied.
CREATE TABLE positions (
    journal TEXT PRIMARY KEY,
    major INTEGER NOT NULL,
    minor INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What attempts cost. `part` is the month in which a row came; it never falls as `seq` grows, so that dropping old months drops a
-- beginning of the chain.
CREATE TABLE ledger (
    seq INTEGER PRIMARY KEY,
    part INTEGER NOT NULL,
    journal TEXT NOT NULL,
    request TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    team TEXT NOT NULL,
    user_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    feature TEXT NOT NULL,
    route TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    requests INTEGER NOT NULL,
    input INTEGER NOT NULL,
    output INTEGER NOT NULL,
    cache_read INTEGER NOT NULL,
    cache_write_5m INTEGER NOT NULL,
    cache_write_1h INTEGER NOT NULL,
    reasoning INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    source TEXT NOT NULL,
    price_version TEXT NOT NULL,
    ended TEXT NOT NULL,
    overrun INTEGER NOT NULL,
    late INTEGER NOT NULL,
    charges TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;
CREATE INDEX ledger_request ON ledger (request);

-- The ledger by the hour: what every question about spend is answered from.
CREATE TABLE spend (
    hour INTEGER NOT NULL,
    team TEXT NOT NULL,
    user_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    feature TEXT NOT NULL,
    route TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    requests INTEGER NOT NULL,
    input INTEGER NOT NULL,
    output INTEGER NOT NULL,
    cache_read INTEGER NOT NULL,
    cache_write_5m INTEGER NOT NULL,
    cache_write_1h INTEGER NOT NULL,
    reasoning INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    PRIMARY KEY (hour, team, user_id, key_id, feature, route, provider, model)
) STRICT, WITHOUT ROWID;

-- Holds without an end.
CREATE TABLE holds (
    journal TEXT NOT NULL,
    request TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (journal, request)
) STRICT, WITHOUT ROWID;

-- Whose an account is.
CREATE TABLE accounts (
    account TEXT PRIMARY KEY,
    rule TEXT NOT NULL,
    scope TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What is posted on an account in a window; of it, `dropped` by rows that are gone.
CREATE TABLE balances (
    account TEXT NOT NULL,
    window_start INTEGER NOT NULL,
    posted INTEGER NOT NULL,
    dropped INTEGER NOT NULL,
    PRIMARY KEY (account, window_start)
) STRICT, WITHOUT ROWID;
CREATE INDEX balances_window ON balances (window_start);

-- Alerts to be sent: one for a budget's account, window and threshold, for ever.
CREATE TABLE alerts (
    account TEXT NOT NULL,
    window_start INTEGER NOT NULL,
    percent INTEGER NOT NULL,
    rule TEXT NOT NULL,
    scope TEXT NOT NULL,
    posted INTEGER NOT NULL,
    limit_amount INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    delivered_ms INTEGER NOT NULL,
    last_error TEXT NOT NULL,
    PRIMARY KEY (account, window_start, percent)
) STRICT, WITHOUT ROWID;
CREATE INDEX alerts_due ON alerts (due_ms) WHERE delivered_ms = 0;
