-- Not every alert is a budget's any more: of other kinds `scope` says what happened, and `rule` is empty.
ALTER TABLE alerts ADD COLUMN kind TEXT NOT NULL DEFAULT 'budget_threshold';

-- How shadows compare with the callers' answers, by the hour: each figure is a sum.
CREATE TABLE shadow_figures (
    route TEXT NOT NULL,
    model TEXT NOT NULL,
    hour BIGINT NOT NULL,
    figure TEXT NOT NULL,
    value BIGINT NOT NULL,
    PRIMARY KEY (route, model, hour, figure)
);
