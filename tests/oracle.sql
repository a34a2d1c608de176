-- What every daily number means, as a batch query over all records at once.
--
-- `tests/oracle.py` fills `records` with what each value says, one row a record, and sets two variables:
-- `gap_ms`, over which a new session starts, and `max_ahead_ms`, how far a clock may be wrong. Times are milliseconds since 1970-01-01T00:00Z.
-- NULL in a column means: the value does not say it, or not in a form that counts.

CREATE TABLE records (
    arrival           BIGINT,         -- place in the order of arrival
    log_time          BIGINT,         -- Kafka's timestamp of the record; NULL where there is none
    unusable          VARCHAR,        -- why the value is no object with a valid timestamp
    ts                BIGINT,         -- the event's own timestamp
    day               VARCHAR,        -- its calendar day in the time zone, YYYY-MM-DD
    event_name        VARCHAR,
    client            VARCHAR,        -- the identity
    external_referrer BOOLEAN,
    campaign          BOOLEAN,        -- page_url carries a campaign parameter
    payload           VARCHAR,        -- event_data without the transaction id, equal text = equal content
    transaction       VARCHAR,
    whole             BIGINT,         -- revenue is whole + fraction, both exact, both of its sign
    fraction          DECIMAL(38, 30),
    items             BIGINT          -- length of the items array
);

-- An event: an object with a valid timestamp, not too far beyond the log's clock, and a textual event name.
CREATE VIEW judged AS
SELECT *,
    CASE
        WHEN unusable IS NOT NULL THEN unusable
        WHEN ts > log_time + getvariable('max_ahead_ms') THEN 'timestamp_ahead'
        WHEN event_name IS NULL THEN 'event_name_missing'
    END AS no_event
FROM records;

CREATE VIEW events AS
SELECT * FROM judged WHERE no_event IS NULL;

-- A session opens with the first event of a client, and with each that comes more than the gap after the one before.
CREATE VIEW session_starts AS
SELECT day, NOT external_referrer AND NOT campaign AS direct
FROM events
WHERE client IS NOT NULL
WINDOW one_client AS (PARTITION BY client ORDER BY ts, arrival)
QUALIFY lag(ts) OVER one_client IS NULL OR ts - lag(ts) OVER one_client > getvariable('gap_ms');

-- Every attempt to buy, with the first rule that it breaks.
CREATE VIEW checkouts AS
SELECT *,
    CASE
        WHEN payload IS NULL THEN 'purchase_data'
        WHEN transaction IS NULL THEN 'purchase_id'
        WHEN (whole > 0 OR fraction > 0) IS NOT TRUE THEN 'purchase_revenue'
        WHEN (items > 0) IS NOT TRUE THEN 'purchase_items'
    END AS invalid
FROM events
WHERE event_name = 'checkout_completed';

-- A transaction id with two contents has collided, valid or not; with one content the earliest is the purchase.
CREATE VIEW transactions AS
SELECT *,
    min(payload) OVER one_id <> max(payload) OVER one_id AS collided,
    row_number() OVER (one_id ORDER BY ts, arrival) AS nth
FROM checkouts
WHERE transaction IS NOT NULL
WINDOW one_id AS (PARTITION BY transaction);

CREATE VIEW sales AS
SELECT * FROM transactions WHERE NOT collided AND invalid IS NULL;

-- Whatever is counted, once per time that it is counted, on the day that it is counted for.
CREATE VIEW tallies AS
          SELECT day, 'event' AS what FROM events
UNION ALL SELECT day, 'identity_missing' FROM events WHERE client IS NULL
UNION ALL SELECT day, 'session' FROM session_starts
UNION ALL SELECT day, 'direct_session' FROM session_starts WHERE direct
UNION ALL SELECT day, 'purchase' FROM sales WHERE nth = 1
UNION ALL SELECT day, 'replay' FROM sales WHERE nth > 1
UNION ALL SELECT day, 'collision' FROM transactions WHERE collided
UNION ALL SELECT day, 'purchase_invalid' FROM checkouts WHERE invalid IS NOT NULL
UNION ALL SELECT day, 'rejected_with_own_time' FROM checkouts WHERE invalid IS NOT NULL
UNION ALL SELECT day, 'rejected_with_own_time' FROM judged WHERE no_event = 'event_name_missing';

CREATE VIEW takings AS
SELECT day, sum(whole) AS whole, sum(fraction) AS fraction FROM sales WHERE nth = 1 GROUP BY day;

CREATE VIEW days AS
SELECT
    day,
    count(*) FILTER (what = 'event') AS events,
    count(*) FILTER (what = 'session') AS sessions,
    count(*) FILTER (what = 'direct_session') AS direct_sessions,
    count(*) FILTER (what = 'purchase') AS purchases,
    coalesce(any_value(whole), 0) AS whole,
    coalesce(any_value(fraction), 0) AS fraction,
    count(*) FILTER (what = 'replay') AS replays,
    count(*) FILTER (what = 'collision') AS collisions,
    count(*) FILTER (what = 'identity_missing') AS identity_missing,
    count(*) FILTER (what = 'purchase_invalid') AS purchase_invalid,
    count(*) FILTER (what = 'rejected_with_own_time') AS rejected_with_own_time
FROM tallies LEFT JOIN takings USING (day)
GROUP BY day
ORDER BY day;

CREATE VIEW dead_letters AS
SELECT reason, count(*) AS records
FROM (
              SELECT no_event AS reason FROM judged WHERE no_event IS NOT NULL
    UNION ALL SELECT invalid FROM checkouts WHERE invalid IS NOT NULL
)
GROUP BY reason
ORDER BY reason;
