-- The statements of src/directory. Those that touch the users table are templates: {{name}} stands
-- for what apply_sql.cpp makes once at start from the configured names and the table as it is,
-- every identifier quoted; `rollcall config print --sql` shows the result. docs/directory.md has
-- the rules.

-- name: settings
-- Goes before every apply, in the same transaction. One plan for all parameters, made for index
-- look-ups however small the tables were when it was made; compiling it would cost more than it.
-- The lock, which nobody takes alone, is the transaction's name in `in_flight`: taken before its
-- first look at anything.
SELECT set_config('jit', 'off', true), set_config('enable_seqscan', 'off', true),
    set_config('plan_cache_mode', 'force_generic_plan', true),
    date_part('epoch', now()) AS now,
    pg_advisory_xact_lock_shared(hashtextextended('rollcall.apply', 0))

-- name: flush_later
-- Before a batch of jobs, in its transaction: a batch that a crash of the server takes back is due
-- again, so its commit need not wait for the disk. What was acknowledged was flushed as it came in.
SELECT set_config('synchronous_commit', 'off', true)

-- name: now
-- Never ahead: a read counts as later than a deletion only when it was asked later.
SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms

-- name: transaction_now
SELECT date_part('epoch', now()) AS now

-- name: claim_due
-- What is due at once, from where this process stopped. The id goes on within one created_at.
-- run_at once more, by the clock: a job that was dated ahead waits between its attempts.
j.status = 'PENDING' AND j.run_at <= j.created_at AND j.run_at <= now()
      AND j.job_type IN ('USER_CREATED', 'USER_UPDATED', 'USER_DELETED')
      AND j.priority = $1::integer
      AND (j.created_at, j.id)
          > (coalesce(to_timestamp($2::bigint / 1000000.0), '-infinity'), $3::uuid)
    ORDER BY j.priority DESC, j.created_at, j.id
    LIMIT {{batch}}

-- name: claim_scheduled
-- What waited for its time: retries, and jobs enqueued for later.
j.status = 'PENDING' AND (j.run_at <= j.created_at) IS NOT TRUE
      AND j.job_type IN ('USER_CREATED', 'USER_UPDATED', 'USER_DELETED')
      AND j.run_at <= now()
    ORDER BY j.run_at
    LIMIT {{batch}}

-- name: claim_one
j.id = $1::uuid AND j.status = 'PENDING'
      AND j.job_type IN ('USER_CREATED', 'USER_UPDATED', 'USER_DELETED')

-- name: priorities
-- One look into the index for each priority that has due jobs.
WITH RECURSIVE level (priority) AS (
    SELECT max(j.priority) FROM public.job_queue j
    WHERE j.status = 'PENDING' AND j.run_at <= j.created_at
      AND j.job_type IN ('USER_CREATED', 'USER_UPDATED', 'USER_DELETED')
    UNION ALL
    SELECT (SELECT max(j.priority) FROM public.job_queue j
            WHERE j.status = 'PENDING' AND j.run_at <= j.created_at
              AND j.job_type IN ('USER_CREATED', 'USER_UPDATED', 'USER_DELETED')
              AND j.priority < level.priority)
    FROM level WHERE level.priority IS NOT NULL
)
SELECT priority FROM level WHERE priority IS NOT NULL ORDER BY priority DESC

-- name: apply_jobs
-- Claims jobs, applies what they say and completes them. Estimates steer the form of some
-- conditions: "rank < 2" and "(...) IS TRUE" keep the planner from expecting a single row, for
-- which it would compare every row with every other.
WITH claimed AS MATERIALIZED (
    SELECT j.ctid AS at, j.id, j.job_type, j.subject, j.version, j.payload, j.banned, j.locked,
        j.clerk_created_at, j.blanked_at, j.event_id, j.trace,
        CASE WHEN isfinite(j.created_at) THEN j.created_at ELSE now() END AS created_at,
        CASE WHEN isfinite(j.run_at) THEN j.run_at ELSE now() END AS run_at
    FROM public.job_queue j
    WHERE {{claim}}
    FOR UPDATE SKIP LOCKED
), change AS MATERIALIZED (
    SELECT at, id, job_type, created_at, run_at, clerk_created_at, event_id, trace,
        CASE WHEN octet_length(coalesce(subject, payload ->> 'clerk_id')) BETWEEN 1 AND 255
             THEN nullif(coalesce(subject, payload ->> 'clerk_id'), 'NULL') END AS clerk_id,
        job_type = 'USER_DELETED' AS deletion,
        coalesce(version, rollcall.payload_version(payload, created_at)) AS version,
        version IS NOT NULL AS dated_by_clerk,
        CASE WHEN octet_length(payload ->> 'email') BETWEEN 1 AND 1000
             THEN payload ->> 'email' END AS email,
        nullif(left(payload ->> 'name', 1000), '') AS name,
        {{role_rule}} AS role,
        coalesce(banned, false) AS banned, coalesce(locked, false) AS locked,
        -- Its e-mail and name were removed, since the user is deleted: it has nothing to say.
        blanked_at IS NOT NULL AND job_type <> 'USER_DELETED' AS blanked
    -- Still one row a job; but the planner, which expects a single job of a table without
    -- statistics, now expects many: it joins by hash instead of comparing every row with every
    -- other.
    FROM claimed, generate_series(1, (SELECT 1))
), judged AS (
    SELECT c.*,
        CASE WHEN NOT deletion
             THEN hash_record_extended(ROW(email, name, role, banned, locked), 0)
        END AS content_hash,
        {{conflict}}{{alone}} AS conflict,
        deletion AND {{outdated}} IS TRUE AS outdated
    FROM change c
    WHERE NOT c.blanked
), ranked AS MATERIALIZED (
    -- Of each user the newest snapshot first, deletions last.
    SELECT j.*,
        row_number() OVER newest AS rank,
        {{tied}} AS tied,
        min(CASE WHEN deletion AND NOT outdated THEN version END)
            OVER (PARTITION BY clerk_id, conflict) AS deleted_ms
    FROM judged j
    WINDOW newest AS (PARTITION BY clerk_id, conflict
                      ORDER BY deletion, version DESC, created_at DESC, id DESC)
), ledger AS (
    -- The row lock that this takes is where all writers of a user queue, in the order of ids.
    INSERT INTO rollcall.ledger AS l (clerk_id, version, content_hash, dated_by_clerk, user_id,
        banned, locked, clerk_created_at, deleted_at, deletion_seen_at, arrived_at, arrived_as)
    SELECT c.clerk_id, CASE WHEN NOT c.deletion THEN c.version END, c.content_hash,
        c.dated_by_clerk, gen_random_uuid(), c.banned, c.locked, c.clerk_created_at,
        to_timestamp(c.deleted_ms / 1000.0),
        CASE WHEN c.deleted_ms IS NOT NULL THEN clock_timestamp() END,
        CASE WHEN NOT c.deletion THEN c.created_at END, CASE WHEN NOT c.deletion THEN c.id END
    FROM ranked c
    WHERE c.rank < 2 AND NOT c.conflict AND c.clerk_id IS NOT NULL
    ORDER BY c.clerk_id
    ON CONFLICT (clerk_id) DO UPDATE SET
        version = CASE WHEN {{newer}} THEN excluded.version ELSE l.version END,
        content_hash = CASE WHEN {{newer}} THEN excluded.content_hash ELSE l.content_hash END,
        dated_by_clerk = CASE WHEN {{newer}} THEN excluded.dated_by_clerk
                              ELSE l.dated_by_clerk END,
        banned = CASE WHEN {{newer}} THEN excluded.banned ELSE l.banned END,
        locked = CASE WHEN {{newer}} THEN excluded.locked ELSE l.locked END,
        clerk_created_at = coalesce(l.clerk_created_at, excluded.clerk_created_at),
        arrived_at = CASE WHEN {{newer}} THEN excluded.arrived_at ELSE l.arrived_at END,
        arrived_as = CASE WHEN {{newer}} THEN excluded.arrived_as ELSE l.arrived_as END,
        deleted_at = CASE WHEN {{deleting}} THEN least(l.deleted_at, excluded.deleted_at)
                          ELSE l.deleted_at END,
        deletion_seen_at = CASE WHEN {{deleting}} THEN excluded.deletion_seen_at
                                ELSE l.deletion_seen_at END,
        changed_at = CASE WHEN {{newer}} OR ({{deleting}} AND excluded.deleted_at
                                             < coalesce(l.deleted_at, 'infinity'))
                          THEN now() ELSE l.changed_at END
    WHERE {{told_new}}
       OR {{deleting}} AND excluded.deleted_at <> coalesce(l.deleted_at, 'infinity')
       -- Outdated by a read that was not there yet when it was judged.
       OR excluded.deleted_at <= l.lifted_at
    -- No other transaction has touched the row's version that an INSERT makes.
    RETURNING clerk_id, version, content_hash, user_id, deleted_at, xmax = 0 AS unknown
), written AS (
    INSERT INTO {{users}} AS u ({{insert_columns}})
    SELECT {{insert_values}}
    FROM ledger l JOIN ranked c ON c.clerk_id = l.clerk_id AND c.rank < 2 AND NOT c.conflict
    WHERE (c.version = l.version AND c.content_hash = l.content_hash{{alive}}) IS TRUE
    ON CONFLICT {{arbiter}} DO {{event_update}}
    RETURNING {{written_columns}}
), settled AS (
    -- For `settle`: the users that are deleted, and those whose row may not have the ledger's id.
    SELECT set_config('rollcall.settle', coalesce(array_agg(s.clerk_id)::text, ''), true) AS done
    FROM (SELECT l.clerk_id FROM ledger l LEFT JOIN written w ON w.clerk_id = l.clerk_id
          WHERE w.id IS DISTINCT FROM l.user_id
          UNION ALL
          SELECT c.clerk_id FROM ranked c WHERE c.deletion AND c.clerk_id IS NOT NULL) s
), outcome AS MATERIALIZED (
    SELECT c.at, c.id, c.job_type, c.clerk_id, c.version, c.created_at, c.run_at, c.event_id,
        c.trace,
        CASE WHEN c.clerk_id IS NULL THEN 'unusable'
             WHEN c.conflict THEN 'conflict'
             WHEN c.deletion THEN CASE WHEN l.deleted_at IS NULL OR c.outdated THEN 'unchanged'
                                       ELSE 'deleted' END
             WHEN c.tied THEN 'tie'
             WHEN l.version = c.version AND l.content_hash = c.content_hash
             THEN CASE WHEN c.rank = 1 THEN 'applied' ELSE 'unchanged' END
             WHEN l.version = c.version THEN {{same_version}}
             WHEN l.version > c.version THEN 'superseded'
             ELSE coalesce((SELECT 'unchanged' FROM rollcall.ledger k
                            WHERE k.clerk_id = c.clerk_id AND k.version = c.version
                              AND k.content_hash = c.content_hash), 'superseded')
        END AS outcome,
        {{doubtful}} AS doubtful
    FROM ranked c LEFT JOIN ledger l ON l.clerk_id = c.clerk_id
    UNION ALL
    SELECT c.at, c.id, c.job_type, c.clerk_id, c.version, c.created_at, c.run_at, c.event_id,
        c.trace, 'superseded', false
    FROM change c WHERE c.blanked
), last AS (
    SELECT k.id FROM claimed k
    ORDER BY k.created_at DESC, k.id DESC LIMIT 1{{ask}}{{mirror_of_jobs}}{{granted}}
)
UPDATE public.job_queue j
SET status = CASE o.outcome WHEN 'conflict' THEN 'PENDING' WHEN 'unusable' THEN 'FAILED'
                            ELSE 'COMPLETED' END,
    processed_at = CASE o.outcome WHEN 'conflict' THEN NULL ELSE now() END,
    updated_at = now(),
    attempts = j.attempts + CASE o.outcome WHEN 'conflict' THEN 0 ELSE 1 END,
    -- Handled alone, at once, by who claimed it; by another when that one is gone by then.
    run_at = CASE o.outcome WHEN 'conflict' THEN now() + interval '10 seconds' ELSE j.run_at END,
    error = CASE o.outcome WHEN 'conflict' THEN j.error
        WHEN 'unusable' THEN coalesce(j.error, 'Unusable job: payload.clerk_id names no user') END,
    result = CASE WHEN o.outcome IN ('unchanged', 'superseded', 'tie')
                  THEN jsonb_build_object('outcome', o.outcome) END,
    history = CASE o.outcome WHEN 'unusable' THEN rollcall.add_transition(
            j.history, 'FAILED', j.attempts + 1,
            coalesce(j.error, 'Unusable job: payload.clerk_id names no user'))
        ELSE j.history END
FROM outcome o
-- IS TRUE: by its place alone, never by a join that reads the whole queue.
WHERE j.ctid = o.at AND (j.id = o.id) IS TRUE AND (SELECT done FROM settled) IS NOT NULL
RETURNING o.outcome, o.job_type, o.clerk_id, o.version, j.attempts,
    date_part('epoch', greatest(o.created_at, o.run_at)) AS ready,
    CASE WHEN o.outcome = 'conflict' OR j.id = (SELECT id FROM last) THEN j.id END AS id,
    CASE WHEN j.id = (SELECT id FROM last)
         THEN (extract(epoch FROM least(o.created_at, now())) * 1000000)::bigint END AS last_at

-- name: doubtful
-- What Clerk has to confirm. Of a deletion: one from before the user was last seen, by two clocks;
-- and one that something newer is known than. Of a user whom only an event tells of: one of whom it
-- tells nothing newer than the last complete pass, which would have listed whoever was still there.
-- When they signed up says less: who is imported keeps that date.
CASE WHEN c.clerk_id IS NULL OR c.conflict THEN false
             WHEN l.deleted_at IS NOT NULL
             THEN c.rank = 1 AND (to_timestamp(l.version / 1000.0) > l.deleted_at) IS TRUE
             WHEN c.deletion THEN c.outdated OR l.clerk_id IS NOT NULL
             ELSE c.rank = 1 AND (l.unknown
                      AND least(c.version, date_part('epoch', c.created_at) * 1000)
                          <= (SELECT date_part('epoch', s.listed_at) * 1000
                              FROM rollcall.sync_state s)) IS TRUE END

-- name: ask
-- Ties and doubts: whoever can ask Clerk does. One job for each user and version, however often
-- they meet.
), asked AS (
    INSERT INTO public.job_queue AS q (job_type, payload, subject, version, event_id, trace)
    SELECT 'REFRESH_USER', jsonb_build_object('clerk_id', o.clerk_id, 'retry_count', 0),
        o.clerk_id, o.version, 'refresh:' || o.clerk_id || ':' || o.version,
        min(coalesce(o.trace, rollcall.trace_of(o.event_id)))
    FROM outcome o WHERE o.outcome = 'tie' OR o.doubtful
    GROUP BY o.clerk_id, o.version
    {{once_more}}

-- name: once_more
-- One that is under way may have asked already: its lease is taken back, so that what it ends with
-- counts no more, and Clerk is asked after this.
ON CONFLICT (event_id) DO UPDATE SET status = 'PENDING', attempts = 0, run_at = now(),
    updated_at = now(), processed_at = NULL, error = NULL, result = NULL, leased_by = NULL,
    lease_until = NULL, trace = excluded.trace,
    history = rollcall.add_transition(rollcall.recorded_history(q), 'PENDING')
WHERE q.status <> 'PENDING'

-- name: mirror
-- The outbox of the mirror: whoever was learned something of, in the transaction that learns it.
), mirrored AS (
    {{arm}}

-- name: arm
-- One job that waits for each user, whose handler reads the row as it is then: a waiting one has
-- nothing to learn. One that runs may have read the row already, so its version moves and its end
-- counts no more; its lease it keeps, so that no two write one copy at once. Its attempts were made
-- without the news: when its lease lapses, even in the last, it is due again. One that failed or
-- was put off begins anew. Whether there is a mirror is asked each time: it may be switched on, by
-- another process too, while this one runs. The job belongs to the trace of what armed it.
INSERT INTO public.job_queue AS q (job_type, payload, subject, version, event_id, trace)
    SELECT 'MIRROR_USER', jsonb_build_object('clerk_id', l.clerk_id, 'retry_count', 0),
        l.clerk_id, 1, 'mirror:' || l.clerk_id, {{cause}}
    FROM ledger l{{causes}}
    WHERE (SELECT s.wanted_until > now() FROM rollcall.mirror_state s)
    ORDER BY l.clerk_id
    ON CONFLICT (event_id) DO UPDATE SET
        version = coalesce(q.version, 0) + 1, payload = excluded.payload, trace = excluded.trace,
        processed_at = NULL,
        error = NULL, result = NULL, attempts = 0,
        status = CASE q.status WHEN 'PROCESSING' THEN q.status ELSE 'PENDING' END,
        created_at = CASE q.status WHEN 'PROCESSING' THEN q.created_at ELSE now() END,
        updated_at = CASE q.status WHEN 'PROCESSING' THEN q.updated_at ELSE now() END,
        run_at = CASE q.status WHEN 'PROCESSING' THEN q.run_at ELSE now() END,
        history = CASE q.status WHEN 'PROCESSING' THEN q.history
            ELSE rollcall.add_transition(rollcall.recorded_history(q), 'PENDING') END
    WHERE {{worth_arming}}

-- name: granted
-- An entry of the audit log for whoever has more than the default role from now on, and had not
-- before. The row from before is looked up for these few only, which is why it is a CASE: others
-- cost a comparison.
), granted AS (
    INSERT INTO rollcall.audit_log (actor, action, target, detail)
    SELECT {{teller}}, 'role.granted', c.clerk_id, jsonb_strip_nulls(
        jsonb_build_object('role', c.role, 'previous', {{old_role}}){{told_by}})
    FROM {{tellings}} c
    WHERE CASE WHEN (c.role = {{default_role}}) IS NOT FALSE THEN false
               ELSE EXISTS (SELECT FROM written w WHERE w.clerk_id = c.clerk_id)
                    AND {{old_role}} IS DISTINCT FROM c.role END

-- name: old_role
(SELECT {{row_role}} FROM {{users}} u WHERE u.{{clerk_id}} = {{change_clerk_id}})

-- name: teller
-- An event, or what somebody wrote into the queue.
(SELECT CASE WHEN q.original_event IS NULL THEN 'sql' ELSE 'webhook' END
            FROM public.job_queue q WHERE q.ctid = c.at)

-- name: conflict
-- The e-mail belongs to another row, or to another user of the same batch. Not where the ledger
-- knows better than this change: it will not write the e-mail then.
first_value(c.clerk_id) OVER (PARTITION BY {{email_identity}} ORDER BY c.clerk_id) <> c.clerk_id
            AND c.email IS NOT NULL AND NOT c.deletion AND c.clerk_id IS NOT NULL
        OR CASE WHEN c.email IS NULL OR c.deletion OR c.clerk_id IS NULL THEN false
                WHEN (SELECT true FROM {{users}} h WHERE {{email_held}} LIMIT 1)
                THEN (SELECT true FROM rollcall.ledger k WHERE k.clerk_id = c.clerk_id
                      AND (k.deleted_at IS NOT NULL AND NOT {{lifts}}
                           OR {{known}}))
                     IS NOT TRUE
                ELSE false END

-- name: apply_reads
-- What Clerk said when it was asked at `asked_at`. Compared with the rows first: of what is as it
-- should be nothing is written or locked. Each user once.
WITH told AS MATERIALIZED (
    SELECT r.*, r.deleted_at IS NOT NULL AS deletion,
        CASE WHEN r.deleted_at IS NULL
             THEN hash_record_extended(ROW(r.email, r.name, r.role, r.banned, r.locked), 0)
        END AS content_hash
    FROM (SELECT clerk_id, version, email, name, role, banned, locked,
              clerk_created_at, deleted_at, asked_at, position
          FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::boolean[],
                      $7::boolean[], $8::timestamptz[], $9::timestamptz[], $10::timestamptz[])
              WITH ORDINALITY
              AS r (clerk_id, version, email, name, role, banned, locked, clerk_created_at,
                    deleted_at, asked_at, position)) r
), judged AS MATERIALIZED (
    SELECT c.*, l.deleted_at IS NOT NULL AS was_deleted,
        l.version = {{erased_version}} AS was_erased,
        (NOT c.deletion AND l.version = c.version AND l.content_hash = c.content_hash
         AND l.deleted_at IS NULL AND l.user_id = u.{{id}} AND {{creation_known}}
         AND {{row_as_told}}) IS TRUE AS same,
        {{conflict}} AS conflict
    FROM told c
    LEFT JOIN rollcall.ledger l ON l.clerk_id = c.clerk_id
    LEFT JOIN {{users}} u ON u.{{clerk_id}} = {{change_clerk_id}}
), ledger AS (
    INSERT INTO rollcall.ledger AS l (clerk_id, version, content_hash, user_id, banned, locked,
        clerk_created_at, deleted_at, deletion_seen_at, changed_at, arrived_at)
    SELECT c.clerk_id, c.version, c.content_hash, gen_random_uuid(), c.banned, c.locked,
        c.clerk_created_at, c.deleted_at, CASE WHEN c.deletion THEN clock_timestamp() END,
        c.asked_at, CASE WHEN NOT c.deletion THEN c.asked_at END
    FROM judged c
    WHERE NOT c.same AND NOT c.conflict
    ORDER BY c.clerk_id COLLATE "C"
    ON CONFLICT (clerk_id) DO UPDATE SET
        version = CASE WHEN {{newer_read}} THEN excluded.version ELSE l.version END,
        content_hash = CASE WHEN {{newer_read}} THEN excluded.content_hash
                            ELSE l.content_hash END,
        dated_by_clerk = CASE WHEN {{newer_read}} THEN true ELSE l.dated_by_clerk END,
        banned = CASE WHEN {{newer_read}} THEN excluded.banned ELSE l.banned END,
        locked = CASE WHEN {{newer_read}} THEN excluded.locked ELSE l.locked END,
        clerk_created_at = coalesce(excluded.clerk_created_at, l.clerk_created_at),
        deleted_at = CASE WHEN {{deleting_read}} THEN least(l.deleted_at, excluded.deleted_at)
                          WHEN {{lifting_read}} THEN NULL ELSE l.deleted_at END,
        deletion_seen_at = CASE WHEN {{deleting_read}} THEN excluded.deletion_seen_at
                                WHEN {{lifting_read}} THEN NULL ELSE l.deletion_seen_at END,
        arrived_at = CASE WHEN {{newer_read}} THEN excluded.arrived_at ELSE l.arrived_at END,
        lifted_at = CASE WHEN {{lifting_read}} THEN excluded.changed_at ELSE l.lifted_at END,
        changed_at = CASE WHEN {{deleting_read}} OR {{lifting_read}}
                            OR ({{newer_read}} AND (excluded.version, excluded.content_hash)
                                IS DISTINCT FROM (l.version, l.content_hash))
                          THEN now() ELSE l.changed_at END
    RETURNING clerk_id, version, content_hash, dated_by_clerk, user_id, deleted_at, deletion_seen_at
), written AS (
    INSERT INTO {{users}} AS u ({{insert_columns}})
    SELECT {{insert_values}}
    FROM ledger l JOIN judged c ON c.clerk_id = l.clerk_id
    WHERE (c.version = l.version AND c.content_hash = l.content_hash{{alive}}) IS TRUE
    ON CONFLICT {{arbiter}} DO {{read_update}}
    RETURNING {{written_columns}}, xmax = 0 AS created
), settled AS (
    SELECT set_config('rollcall.settle', coalesce(array_agg(s.clerk_id)::text, ''), true) AS done
    FROM (SELECT l.clerk_id FROM ledger l LEFT JOIN written w ON w.clerk_id = l.clerk_id
          WHERE w.id IS DISTINCT FROM l.user_id OR l.deleted_at IS NOT NULL) s
), returned AS (
    -- Who was erased, and whom Clerk knows all the same, does not come back unnoticed.
    INSERT INTO rollcall.audit_log (actor, action, target)
    SELECT 'system', 'user.returned', c.clerk_id
    FROM judged c JOIN ledger l ON l.clerk_id = c.clerk_id
    WHERE c.was_erased AND l.deleted_at IS NULL{{mirror}}{{granted}}
)
SELECT c.position,
    CASE WHEN c.same THEN 'unchanged'
         WHEN c.conflict THEN 'conflict'
         WHEN c.deletion THEN CASE WHEN l.deleted_at IS NULL THEN 'tie'
                                   WHEN c.was_deleted THEN 'unchanged' ELSE 'deleted' END
         WHEN l.deleted_at IS NOT NULL AND c.asked_at > {{deletion_seen}} THEN 'tie'
         WHEN l.version > c.version AND l.dated_by_clerk THEN 'superseded'
         WHEN l.content_hash IS DISTINCT FROM c.content_hash THEN 'tie'
         WHEN w.clerk_id IS NULL THEN 'unchanged'
         ELSE 'applied' END AS outcome,
    coalesce(w.created, false) AS created,
    c.was_deleted AND NOT c.deletion AND l.clerk_id IS NOT NULL AND l.deleted_at IS NULL AS restored
FROM judged c
LEFT JOIN ledger l ON l.clerk_id = c.clerk_id
LEFT JOIN written w ON w.clerk_id = c.clerk_id
WHERE (SELECT done FROM settled) IS NOT NULL
ORDER BY c.position

-- name: add_newcomers
-- Users whom neither the ledger nor the table knew a moment ago, with e-mails that were nobody's:
-- nothing is read, ranked or inserted on trial for them. All or none: whoever came in between, as a
-- tombstone or as the owner of an e-mail, is a duplicate key here, and apply_reads is for them. The
-- new ids $10 are in the order of time: at random each would touch another page of the primary key.
WITH told AS MATERIALIZED (
    SELECT r.*,
        hash_record_extended(ROW(r.email, r.name, r.role, r.banned, r.locked), 0) AS content_hash
    FROM (SELECT clerk_id, version, email, name, role, banned, locked,
              clerk_created_at, asked_at, user_id
          FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::boolean[],
                      $7::boolean[], $8::timestamptz[], $9::timestamptz[], $10::uuid[])
              AS r (clerk_id, version, email, name, role, banned, locked, clerk_created_at,
                    asked_at, user_id)) r
    ORDER BY r.clerk_id COLLATE "C"
), ledger AS (
    INSERT INTO rollcall.ledger (clerk_id, version, content_hash, user_id, banned, locked,
        clerk_created_at, changed_at, arrived_at)
    SELECT clerk_id, version, content_hash, user_id, banned, locked, clerk_created_at, asked_at,
        asked_at
    FROM told
    RETURNING clerk_id, user_id, deleted_at
), written AS (
    INSERT INTO {{users}} AS u ({{insert_columns}})
    SELECT {{insert_values}}
    FROM ledger l JOIN told c ON c.user_id = l.user_id
    RETURNING {{written_columns}}{{mirror}}{{granted}}
)
SELECT count(w.id) AS created,
    set_config('rollcall.settle', coalesce((array_agg(l.clerk_id)
        FILTER (WHERE w.id IS DISTINCT FROM l.user_id))::text, ''), true) AS unsettled
FROM ledger l LEFT JOIN written w ON w.clerk_id = l.clerk_id

-- name: settle
-- Follows apply_jobs, apply_reads and add_newcomers in their transaction, with a snapshot of its
-- own: a row that another transaction inserted while ours waited for the ledger's row is seen here,
-- and only here.
WITH told AS MATERIALIZED (
    SELECT l.clerk_id, l.user_id, l.deleted_at FROM rollcall.ledger l
    WHERE l.clerk_id = ANY (nullif(current_setting('rollcall.settle', true), '')::text[])
), gone AS (
    {{delete_users}}
)
UPDATE rollcall.ledger l
SET user_id = u.{{id}}
FROM told t JOIN {{users}} u ON u.{{clerk_id}} = {{told_clerk_id}}
WHERE l.clerk_id = t.clerk_id AND l.user_id <> u.{{id}}

-- name: situation
-- What stands in the way of user $1 having the e-mail $2.
SELECT l.version, {{settled}} AS settled, l.deleted_at IS NOT NULL AS deleted,
    own.{{id}} AS own_row, h.id AS holder_row, h.clerk_id AS holder, h.deleted AS holder_deleted
FROM (SELECT $1::text COLLATE "C" AS clerk_id, $2::text AS email, now() AS asked_at) c
LEFT JOIN rollcall.ledger l ON l.clerk_id = c.clerk_id
LEFT JOIN {{users}} own ON own.{{clerk_id}} = {{change_clerk_id}}
LEFT JOIN LATERAL (
    SELECT h.{{id}} AS id, nullif(h.{{clerk_id}}::text, 'NULL') AS clerk_id,
        {{row_deleted}} OR k.deleted_at IS NOT NULL AS deleted
    FROM {{users}} h LEFT JOIN rollcall.ledger k ON k.clerk_id = h.{{clerk_id}}
    WHERE {{email_held}}
    LIMIT 1
) h ON true

-- name: lock_users
-- The users' places in the ledger, in order, so that what is decided next holds until the commit.
SELECT l.clerk_id FROM rollcall.ledger l
WHERE l.clerk_id = ANY ($1::text[])
ORDER BY l.clerk_id
FOR UPDATE

-- name: release_email
-- Row $1 gives its e-mail up, unless it is another's by now.
UPDATE {{users}} u SET {{release}}
WHERE u.{{id}} = $1::uuid AND u.{{email}} IS NOT NULL
  AND nullif(u.{{clerk_id}}::text, 'NULL') IS NOT DISTINCT FROM $2::text

-- name: adopt_row
-- Row $1, which has no Clerk id, becomes that of $2.
UPDATE {{users}} u SET {{clerk_id}} = {{adopter}}
WHERE u.{{id}} = $1::uuid AND nullif(u.{{clerk_id}}::text, 'NULL') IS NULL

-- name: renew_user_id
-- The id that the ledger keeps for $1 is another user's row by now (somebody gave that row another
-- Clerk id): the next row of $1 gets a new one.
UPDATE rollcall.ledger l SET user_id = gen_random_uuid()
WHERE l.clerk_id = $1::text
  AND EXISTS (SELECT FROM {{users}} u WHERE u.{{id}} = l.user_id
              AND u.{{clerk_id}} IS DISTINCT FROM {{ledger_clerk_id}})

-- name: ask_again
-- A REFRESH_USER job for $1, unless the same is waiting already.
INSERT INTO public.job_queue AS q (job_type, payload, subject, version, event_id)
SELECT 'REFRESH_USER', jsonb_build_object('clerk_id', $1::text, 'retry_count', 0), $1::text,
    l.version, 'refresh:' || $1::text || ':' || coalesce(l.version, 0)
FROM (SELECT) one LEFT JOIN rollcall.ledger l ON l.clerk_id = $1::text
{{once_more}}
