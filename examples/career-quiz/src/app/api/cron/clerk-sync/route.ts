// Service endpoint: Verified by its own signature or key, not by a JWT
// Database client: admin (service role, bypasses row level security)
export { GET, POST } from '@/handlers/cron/clerk-sync';
