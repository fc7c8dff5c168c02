-- What a hand-written handler has: the queue table and the users table of the documents that such
-- handlers are written after, with the queue's two full indexes.
CREATE TYPE "UserRole" AS ENUM ('user', 'admin');

CREATE TABLE users (
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  clerk_id text NULL,
  email text NULL,
  name text NULL,
  role "UserRole" NOT NULL DEFAULT 'user'::"UserRole",
  "createdAt" timestamp without time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "updatedAt" timestamp without time zone NOT NULL,
  created_at timestamp with time zone NULL DEFAULT now(),
  updated_at timestamp with time zone NULL DEFAULT now(),
  CONSTRAINT "User_pkey" PRIMARY KEY (id),
  CONSTRAINT "User_clerkId_key" UNIQUE (clerk_id),
  CONSTRAINT "User_email_key" UNIQUE (email)
);

CREATE TABLE job_queue (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  job_type TEXT NOT NULL,
  payload JSONB NOT NULL DEFAULT '{}'::jsonb,
  status TEXT NOT NULL DEFAULT 'PENDING',
  priority INTEGER NOT NULL DEFAULT 1,
  error TEXT,
  result JSONB,
  created_at TIMESTAMPTZ DEFAULT NOW(),
  updated_at TIMESTAMPTZ DEFAULT NOW(),
  processed_at TIMESTAMPTZ
);
CREATE INDEX idx_job_queue_status ON job_queue(status);
CREATE INDEX idx_job_queue_priority_created ON job_queue(priority DESC, created_at ASC);
