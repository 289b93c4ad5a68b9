-- The ends of the hash chains, and where they begin after old records were dropped.
CREATE TABLE chains (
    name TEXT PRIMARY KEY,
    seq BIGINT NOT NULL,
    hash TEXT NOT NULL,
    part BIGINT NOT NULL,
    anchor_seq BIGINT NOT NULL,
    anchor_hash TEXT NOT NULL,
    anchor_ms BIGINT NOT NULL,
    anchor_window BIGINT NOT NULL
);
INSERT INTO chains VALUES ('ledger', 0, '', 0, 0, '', -1, 0), ('audit', 0, '', 0, 0, '', -1, 0);

-- How far each journal was applied.
CREATE TABLE positions (
    journal TEXT PRIMARY KEY,
    major BIGINT NOT NULL,
    minor BIGINT NOT NULL
);

-- What attempts cost. `part` is the month in which a row came; it never falls as `seq` grows, so that dropping old months drops a
-- beginning of the chain.
CREATE TABLE ledger (
    seq BIGINT NOT NULL,
    part BIGINT NOT NULL,
    journal TEXT NOT NULL,
    request TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    team TEXT NOT NULL,
    user_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    feature TEXT NOT NULL,
    route TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    requests BIGINT NOT NULL,
    input BIGINT NOT NULL,
    output BIGINT NOT NULL,
    cache_read BIGINT NOT NULL,
    cache_write_5m BIGINT NOT NULL,
    cache_write_1h BIGINT NOT NULL,
    reasoning BIGINT NOT NULL,
    cost BIGINT NOT NULL,
    source TEXT NOT NULL,
    price_version TEXT NOT NULL,
    ended TEXT NOT NULL,
    overrun BIGINT NOT NULL,
    late BIGINT NOT NULL,
    charges TEXT NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (part, seq)
) PARTITION BY LIST (part);
CREATE INDEX ledger_seq ON ledger (seq);
CREATE INDEX ledger_request ON ledger (request);

-- The ledger by the hour: what every question about spend is answered from.
CREATE TABLE spend (
    hour BIGINT NOT NULL,
    team TEXT NOT NULL,
    user_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    feature TEXT NOT NULL,
    route TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    requests BIGINT NOT NULL,
    input BIGINT NOT NULL,
    output BIGINT NOT NULL,
    cache_read BIGINT NOT NULL,
    cache_write_5m BIGINT NOT NULL,
    cache_write_1h BIGINT NOT NULL,
    reasoning BIGINT NOT NULL,
    cost BIGINT NOT NULL,
    PRIMARY KEY (hour, team, user_id, key_id, feature, route, provider, model)
);

-- Holds without an end.
CREATE TABLE holds (
    journal TEXT NOT NULL,
    request TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (journal, request)
);

-- Whose an account is.
CREATE TABLE accounts (
    account TEXT PRIMARY KEY,
    rule TEXT NOT NULL,
    scope TEXT NOT NULL
);

-- What is posted on an account in a window; of it, `dropped` by rows that are gone.
CREATE TABLE balances (
    account TEXT NOT NULL,
    window_start BIGINT NOT NULL,
    posted BIGINT NOT NULL,
    dropped BIGINT NOT NULL,
    PRIMARY KEY (account, window_start)
);
CREATE INDEX balances_window ON balances (window_start);

-- Alerts to be sent: one for a budget's account, window and threshold, for ever.
CREATE TABLE alerts (
    account TEXT NOT NULL,
    window_start BIGINT NOT NULL,
    percent BIGINT NOT NULL,
    rule TEXT NOT NULL,
    scope TEXT NOT NULL,
    posted BIGINT NOT NULL,
    limit_amount BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    due_ms BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    delivered_ms BIGINT NOT NULL,
    last_error TEXT NOT NULL,
    PRIMARY KEY (account, window_start, percent)
);
CREATE INDEX alerts_due ON alerts (due_ms) WHERE delivered_ms = 0;

-- SQLite's json_each takes a text and yields the elements of an array; this gives PostgreSQL the same, so that one statement serves both.
CREATE FUNCTION json_each(list TEXT) RETURNS TABLE (value JSON) LANGUAGE sql IMMUTABLE
AS $$ SELECT json_array_elements(list::json) $$;

-- Makes the ledger's partition for a month.
CREATE FUNCTION ledger_add_part(month BIGINT) RETURNS BIGINT LANGUAGE plpgsql
AS $$
BEGIN
    EXECUTE format('CREATE TABLE IF NOT EXISTS ledger_%s PARTITION OF ledger FOR VALUES IN (%s)', month, month);
    RETURN month;
END
$$;

-- Drops the ledger's partition of a month.
CREATE FUNCTION ledger_drop_part(month BIGINT) RETURNS BIGINT LANGUAGE plpgsql
AS $$
BEGIN
    EXECUTE format('DROP TABLE IF EXISTS ledger_%s', month);
    RETURN month;
END
$$;
