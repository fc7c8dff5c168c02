// Protected endpoint: Requires valid JWT
// Database client: user (row level security applies)
export { GET } from '@/handlers/user/sessions';
