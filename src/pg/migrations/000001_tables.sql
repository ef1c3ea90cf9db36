-- Tables of the schema `tide`. Message tables, one partitioned table per outbox, are made by `tide.outbox_create`.
--
-- Columns with names of relations or functions hold numbers or text, never `oid` or `regproc`: those do not survive a
-- dump and keep pg_upgrade from running.

-- What applications publish to. Publishing reads no table: these settings stand as constants in the outbox's own functions,
-- which are made anew when one changes, and the slot that is written to in a sequence. A table's row would cost more, and its
-- dead versions under a long-running transaction would slow all publishers down.
CREATE TABLE tide.outbox (
  number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- NULL once the outbox is dropped and only its tables remain to be removed.
  name text UNIQUE,
  -- Part of `pg_tide_id`: changes whenever ids of this outbox may be given out a second time.
  incarnation text NOT NULL,
  retention_hours integer NOT NULL CHECK (retention_hours BETWEEN 1 AND 876000),
  wakeup text NOT NULL CHECK (wakeup IN ('auto', 'notify', 'poll')),
  max_message_bytes integer NOT NULL CHECK (max_message_bytes BETWEEN 1 AND 536870912),
  enabled boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);

-- Changed whenever an outbox is made or dropped. Two such changes at once wait for each other here, and one whose snapshot
-- is too old fails: `tide.outbox_publish` is written anew from all outboxes, and must miss none.
CREATE TABLE tide.directory (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  changes bigint NOT NULL
) WITH (fillfactor = 20);
INSERT INTO tide.directory (changes) VALUES (0);

-- Which outbox goes where, for which consumer group.
CREATE TABLE tide.pipeline (
  name text PRIMARY KEY,
  outbox_number integer NOT NULL REFERENCES tide.outbox (number),
  consumer_group text NOT NULL,
  config jsonb NOT NULL,
  enabled boolean NOT NULL DEFAULT false,
  -- Rises with every change of `config`, so that a relay sees a change without comparing configurations.
  revision bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  CONSTRAINT pipeline_outbox_group UNIQUE (outbox_number, consumer_group)
);

-- Who may deliver a pipeline, until when by this server's clock. The epoch fences: every write of a position or dead
-- letter locks this row FOR SHARE with its own epoch in the same statement, and a take-over updates the row.
CREATE TABLE tide.lease (
  pipeline text PRIMARY KEY REFERENCES tide.pipeline (name) ON DELETE CASCADE,
  holder text,
  epoch bigint NOT NULL DEFAULT 0,
  expires_at timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 20);

-- One sequence for all leases: an epoch never returns, even if a pipeline is deleted and made again.
CREATE SEQUENCE tide.lease_epoch;

-- The two marks of a window of reading, written once, when its first position is saved. Snapshots can be long: thousands of open
-- transactions are tens of kilobytes. `number` rises by one within a pipeline.
CREATE TABLE tide.window (
  pipeline text NOT NULL REFERENCES tide.pipeline (name) ON DELETE CASCADE,
  number bigint NOT NULL,
  lower_snapshot pg_snapshot NOT NULL,
  lower_top_id bigint NOT NULL,
  lower_next_xid xid8 NOT NULL,
  upper_snapshot pg_snapshot NOT NULL,
  upper_top_id bigint NOT NULL,
  upper_next_xid xid8 NOT NULL,
  opened_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  PRIMARY KEY (pipeline, number)
);

-- Saved positions, appended and pruned. A row that is updated in place costs 1.7 ms a write after 100,000 updates under
-- a held transaction; an appended one 0.09.
CREATE TABLE tide.position_log (
  pipeline text NOT NULL REFERENCES tide.pipeline (name) ON DELETE CASCADE,
  n bigint GENERATED ALWAYS AS IDENTITY,
  epoch bigint NOT NULL,
  window_number bigint NOT NULL,
  phase text NOT NULL CHECK (phase IN ('stragglers', 'run')),
  last_id bigint NOT NULL,
  saved_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  PRIMARY KEY (pipeline, n)
);

-- Messages that could not be delivered, with everything needed to send them again. Not tied to the pipeline's row: nothing that
-- was not delivered disappears because a pipeline was deleted.
CREATE TABLE tide.dead_letter (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  pipeline text NOT NULL,
  outbox text NOT NULL,
  outbox_number integer NOT NULL,
  incarnation text NOT NULL,
  message_id bigint NOT NULL,
  record_index integer NOT NULL,
  stage text NOT NULL,
  code text NOT NULL,
  reason text NOT NULL,
  attempts integer NOT NULL,
  created_at timestamptz NOT NULL,
  failed_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  op text NOT NULL,
  dedup_key text,
  payload text NOT NULL,
  headers text,
  previous text,
  topic text,
  record_key text,
  CONSTRAINT dead_letter_once UNIQUE (pipeline, incarnation, message_id, record_index)
);

-- Relays that run, or ended without saying so.
CREATE TABLE tide.relay (
  holder text PRIMARY KEY,
  version text NOT NULL,
  started_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  seen_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
) WITH (fillfactor = 20);

-- What can be configured: the kernel's own fields (kind and name `kernel`) and those of every plugin that an installed
-- or running relay knows. Written by `pg-tide install` and at each start of a relay.
CREATE TABLE tide.plugin (
  kind text NOT NULL CHECK (kind IN ('kernel', 'sink', 'format')),
  name text NOT NULL,
  contract integer NOT NULL,
  summary text NOT NULL,
  fields jsonb NOT NULL,
  rules jsonb NOT NULL,
  registered_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  PRIMARY KEY (kind, name)
);

-- The numbering (transaction ids, ids) that saved positions belong to; see `tide.check_numbering`. One row at most.
CREATE TABLE tide.cluster (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  system_identifier text NOT NULL,
  timeline text NOT NULL,
  next_xid xid8 NOT NULL,
  adopted_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);

-- The present life of the server, of which one row tells. The table is not logged, so a crash, a failover and a recovery to a
-- point in time empty it: afterwards transaction ids and message ids may be given out a second time, and what a relay has in memory is
-- void. An orderly restart keeps it. See `tide.life`.
CREATE UNLOGGED TABLE tide.server_life (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  token text NOT NULL
);

-- What the lease holder last said about its pipeline, for `pg-tide status`.
CREATE TABLE tide.pipeline_state (
  pipeline text PRIMARY KEY REFERENCES tide.pipeline (name) ON DELETE CASCADE,
  epoch bigint NOT NULL,
  state text NOT NULL,
  code text,
  reason text,
  advice text,
  since timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  reported_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
) WITH (fillfactor = 20);
