// Protected endpoint: Requires valid JWT
// Database client: user (row level security applies)
export { GET, DELETE } from '@/handlers/user/data';
