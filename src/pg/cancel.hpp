// Stopping what the server does for a connection that is about to be closed: without it a statement
// that timed out here would go on there.
#pragma once

struct pg_conn;

namespace rollcall::pg {

// Sends the cancel request of `connection` on a thread of its own, since libpq can only do it
// blocking. Best effort: skipped when several requests hang already.
void cancel_in_background(pg_conn* connection);

}  // namespace rollcall::pg
