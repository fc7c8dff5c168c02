// What holds all the time, and not only in the end: a later pass makes good what breaks it, and no
// row tells any more. The database notes each breach, since it alone sees every change.
const NOTES = `
  CREATE SCHEMA watch;
  CREATE TABLE watch.notes (kind text, clerk_id text, before bigint, after bigint);
  CREATE FUNCTION watch.note() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO watch.notes
      VALUES (TG_ARGV[0], NEW.clerk_id, CASE TG_OP WHEN 'UPDATE' THEN OLD.version END, NEW.version);
      RETURN NULL;
    END $$;
  CREATE TRIGGER entombed_at_once AFTER INSERT ON rollcall.ledger FOR EACH ROW
    WHEN (NEW.deleted_at IS NOT NULL) EXECUTE FUNCTION watch.note('entombed');
  CREATE TRIGGER entombed AFTER UPDATE ON rollcall.ledger FOR EACH ROW
    WHEN (OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL)
    EXECUTE FUNCTION watch.note('entombed');
  CREATE TRIGGER went_back AFTER UPDATE ON rollcall.ledger FOR EACH ROW
    WHEN (NEW.version < OLD.version) EXECUTE FUNCTION watch.note('went back')`;

// Of a migrated database, before anything runs on it.
export function watch(postgres, database) {
  return postgres.query(database, NOTES);
}

const isLiving = (users) => {
  const ids = new Set(users.map((user) => user.id));
  return (id) => ids.has(id);
};

// No id comes again at Clerk: who is there now was there all the time.
async function ledger(stand) {
  const { users } = await stand.simulator.control('GET', '/users?limit=1000');
  const isAtClerk = isLiving(users);
  const notes = await stand.query('SELECT DISTINCT * FROM watch.notes');
  const back = notes
    .filter(({ kind }) => kind === 'went back')
    .map((note) => `the ledger of ${note.clerk_id} went back by ${note.before - note.after} ms`);
  const entombed = notes
    .filter(({ kind, clerk_id: id }) => kind === 'entombed' && isAtClerk(id))
    .map(({ clerk_id: id }) => `${id} was taken for deleted`);
  return [...back, ...new Set(entombed)];
}

// A copy that is made again has the same id, but its sessions are gone.
async function copies(stand) {
  const { users } = await stand.simulator.control('GET', '/auth/users');
  const isThere = isLiving(users);
  const { requests } = await stand.simulator.control('GET', '/auth/requests');
  const removed = requests
    .filter(({ operation, status }) => operation === 'delete' && status >= 200 && status <= 299)
    .map((request) => request.user_id)
    .filter(isThere);
  return [...new Set(removed)].map((id) => `the Auth user ${id} was deleted on the way`);
}

export async function breaches(stand) {
  return [...(await ledger(stand)), ...(await copies(stand))];
}
