// What ends in the same rows: Clerk's users as the table should have them, and what the table has.
import { createClerkClient } from '@clerk/backend';

import { SECRET_KEY } from './simulator.mjs';

const byId = (a, b) => (a.clerk_id < b.clerk_id ? -1 : 1);

// The rows that Clerk's users make, asked for by Clerk's own SDK.
export async function truth(apiUrl) {
  const clerk = createClerkClient({
    secretKey: SECRET_KEY,
    apiUrl,
    telemetry: { disabled: true },
  });
  const users = [];
  for (;;) {
    const page = await clerk.users.getUserList({ limit: 500, offset: users.length });
    users.push(...page.data);
    if (page.data.length === 0 || users.length >= page.totalCount) break;
  }
  return users
    .map((user) => ({
      clerk_id: user.id,
      email: user.primaryEmailAddress?.emailAddress ?? null,
      name:
        [user.firstName, user.lastName]
          .map((part) => part?.trim())
          .filter(Boolean)
          .join(' ') || null,
      role: ['user', 'admin'].includes(user.publicMetadata?.role)
        ? user.publicMetadata.role
        : 'user',
      banned: user.banned,
      locked: user.locked,
    }))
    .toSorted(byId);
}

// What is alive in the table, by id.
export function table(postgres, database) {
  return postgres.query(
    database,
    `SELECT u.clerk_id, u.email, u.name, u.role::text, l.banned, l.locked FROM public.users u
     JOIN rollcall.ledger l USING (clerk_id) WHERE u.deleted_at IS NULL
     ORDER BY u.clerk_id COLLATE "C"`,
  );
}
