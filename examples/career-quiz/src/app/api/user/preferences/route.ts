// Protected endpoint: Requires valid JWT
// Database client: user (row level security applies)
export { GET, PUT } from '@/handlers/user/preferences';
