-- One row per usage record. The identity is the key of the table itself: ids of exchanges begin
-- with their time, so new rows land at the end, a range of time is a range of keys, and a group
-- of records touches one or two pages.
CREATE TABLE usage_record (
    request_id          TEXT    NOT NULL,
    attempt             INTEGER NOT NULL,
    kind                TEXT    NOT NULL,
    step                INTEGER NOT NULL,
    started_unix_ms     INTEGER NOT NULL,
    tenant              TEXT    NOT NULL,
    project             TEXT,
    user                TEXT,
    key_label           TEXT    NOT NULL,
    route               TEXT    NOT NULL,
    operation           TEXT    NOT NULL,
    streamed            INTEGER NOT NULL,
    model_asked         TEXT    NOT NULL,
    model_served        TEXT,
    provider            TEXT,
    status              INTEGER NOT NULL,
    outcome             TEXT    NOT NULL,
    code                TEXT,
    usage_source        TEXT    NOT NULL,
    input_tokens        INTEGER NOT NULL,
    cache_read_tokens   INTEGER NOT NULL,
    cache_write_tokens  INTEGER NOT NULL,
    cache_write_1h_tokens INTEGER NOT NULL,
    output_tokens       INTEGER NOT NULL,
    reasoning_tokens    INTEGER NOT NULL,
    input_audio_tokens  INTEGER NOT NULL,
    output_audio_tokens INTEGER NOT NULL,
    -- Nano-dollars; NULL where the price is not known, which is not zero.
    cost_nanos          INTEGER,
    first_token_us      INTEGER,
    total_us            INTEGER NOT NULL,
    overhead_us         INTEGER NOT NULL,
    -- A JSON object; NULL where there are none.
    tags                TEXT,
    PRIMARY KEY (request_id, attempt, kind, step)
) STRICT, WITHOUT ROWID;

-- For people with an SQLite shell.
CREATE VIEW usage_by_day AS
SELECT
    date(started_unix_ms / 1000, 'unixepoch') AS day,
    tenant,
    model_asked,
    count(DISTINCT request_id) AS requests,
    count(*) AS records,
    sum(input_tokens + cache_read_tokens + cache_write_tokens + cache_write_1h_tokens) AS prompt_tokens,
    sum(output_tokens) AS output_tokens,
    printf('%.6f', sum(cost_nanos) / 1e9) AS cost_usd,
    count(*) - count(cost_nanos) AS records_without_price
FROM usage_record
GROUP BY day, tenant, model_asked;
