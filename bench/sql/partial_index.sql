-- The classic queue with the one index that a claim needs, as somebody who measures would have it.
DROP INDEX idx_job_queue_status;
DROP INDEX idx_job_queue_priority_created;
CREATE INDEX idx_job_queue_pending ON job_queue(priority DESC, created_at ASC)
  WHERE status = 'PENDING';
