-- compatible: a column that may be NULL, and a function; who does not know them misses nothing.

-- The W3C trace context (`traceparent`) that a job belongs to: of the delivery that brought one, or
-- of what caused a job of rollcall's own. NULL: rollcall.trace_of() its event id.
ALTER TABLE public.job_queue ADD COLUMN IF NOT EXISTS trace text;
ALTER TABLE public.job_queue ALTER COLUMN trace SET STORAGE MAIN;

-- The trace of a delivery that brought none, by its message id: linked without being kept.
CREATE FUNCTION rollcall.trace_of(event_id text)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = '' AS $$
    SELECT pg_catalog.format('00-%s-%s-00', pg_catalog.left(h.hex, 32),
                             pg_catalog.substr(h.hex, 33, 16))
    FROM (SELECT pg_catalog.encode(
              pg_catalog.sha256(pg_catalog.convert_to(event_id, 'UTF8')), 'hex')) AS h (hex)
    WHERE event_id IS NOT NULL
$$;

REVOKE ALL ON FUNCTION rollcall.trace_of(text) FROM PUBLIC;
