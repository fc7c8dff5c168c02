// Protected endpoint: Requires valid JWT
// Database client: user (row level security applies)
export { POST } from '@/handlers/quiz/session/save';
