INSERT INTO job_queue (job_type, payload, priority) VALUES ('USER_CREATED', :payload, 2);
