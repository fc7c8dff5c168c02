# ./dev bench [OPTION...]: measures the release build next to its peers
#
# The peers are installed on the first run. OPTIONs go to bench/run. docs/benchmarks.md says what
# is measured and how to read it.
need build database bench
source tools/dev/lib/node.sh
compile release rollcall
exec bench/run "$@"
