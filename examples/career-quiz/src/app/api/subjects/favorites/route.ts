// Protected endpoint: Requires valid JWT
// Database client: user (row level security applies)
export { GET, POST, DELETE } from '@/handlers/subjects/favorites';
