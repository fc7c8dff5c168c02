WITH picked AS MATERIALIZED (
  SELECT id, payload -> 'data' AS data FROM job_queue WHERE status = 'PENDING'
  ORDER BY priority DESC, created_at LIMIT 128 FOR UPDATE SKIP LOCKED
), newest AS (
  SELECT DISTINCT ON (data ->> 'id') data FROM picked
  ORDER BY data ->> 'id', (data ->> 'updated_at')::bigint DESC
), applied AS (
  INSERT INTO users (clerk_id, email, name, "updatedAt")
  SELECT data ->> 'id',
         (SELECT e ->> 'email_address' FROM jsonb_array_elements(data -> 'email_addresses') AS e
          WHERE e ->> 'id' = data ->> 'primary_email_address_id'),
         concat_ws(' ', data ->> 'first_name', data ->> 'last_name'), now()
  FROM newest
  ON CONFLICT (clerk_id) DO UPDATE
  SET email = excluded.email, name = excluded.name, "updatedAt" = now(), updated_at = now()
)
UPDATE job_queue SET status = 'COMPLETED', processed_at = now(), updated_at = now()
WHERE id IN (SELECT id FROM picked);
