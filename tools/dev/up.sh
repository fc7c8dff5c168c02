# ./dev up [OPTION...]: builds, then runs everything on this machine: rollcall dev
#
# A private PostgreSQL, a simulated Clerk with a few users, and the service. The terminal says where
# to look and what to try; Ctrl-C stops all of it, and the next start goes on with the same data.
# OPTIONs go to `rollcall dev` (see ./dev up --help).
need build database
compile release rollcall
exec build/release/rollcall dev "$@"
