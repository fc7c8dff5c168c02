// Public endpoint: No authentication required
export { GET } from '@/handlers/quiz';
