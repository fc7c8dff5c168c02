// Public endpoint: No authentication required
// Database client: user (row level security applies)
export { GET } from '@/handlers/subjects/list';
