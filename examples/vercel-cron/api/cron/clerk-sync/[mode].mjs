// Passes Vercel's scheduled call on to rollcall: /api/cron/clerk-sync/incremental or …/full.
import { timingSafeEqual } from 'node:crypto';

const limit = 55_000; // ms, below maxDuration in vercel.json

function keyIsRight(request) {
  if (!process.env.CRON_SECRET) return false; // else "Bearer undefined" would do
  const wanted = Buffer.from(`Bearer ${process.env.CRON_SECRET}`);
  const given = Buffer.from(request.headers.get('authorization') ?? '');
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

export async function GET(request) {
  if (!keyIsRight(request)) return Response.json({ error: 'Unauthorized' }, { status: 401 });
  const mode = new URL(request.url).pathname.split('/').at(-1);
  if (mode !== 'incremental' && mode !== 'full') {
    return Response.json({ error: 'No such mode' }, { status: 404 });
  }
  const url = new URL('/api/cron/clerk-sync', process.env.ROLLCALL_URL);
  url.searchParams.set('mode', mode);
  try {
    const answer = await fetch(url, {
      headers: { authorization: `Bearer ${process.env.CRON_SECRET}` },
      signal: AbortSignal.timeout(limit),
    });
    const text = await answer.text();
    console.log(answer.status, text); // the summary holds no personal data
    // 409: a pass is under way already, as wanted.
    return new Response(text, {
      status: answer.status === 409 ? 200 : answer.status,
      headers: { 'content-type': 'application/json' },
    });
  } catch (error) {
    console.error('rollcall gave no answer', error);
    return Response.json({ error: 'rollcall gave no answer' }, { status: 504 });
  }
}
