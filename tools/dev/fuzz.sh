# ./dev fuzz [TARGET] [SECONDS]: feeds made-up bytes to the parsers of untrusted input
#
# TARGET is the <thing> of a fuzz/fuzz_<thing>.cpp; all of them without it. SECONDS (60) is for
# each. Starts from the seeds in fuzz/corpus/<thing>; what it finds on the way is kept in
# build/fuzz/corpus/<thing>, an input that fails in build/fuzz/finds/.
need build fuzz
source tools/dev/lib/fuzzers.sh

names=()
seconds=60
for argument in "$@"; do
    if [[ $argument =~ ^[0-9]+$ ]]; then
        seconds=$argument
    else
        names+=("$argument")
    fi
done
((${#names[@]})) || mapfile -t names < <(fuzzers)
((${#names[@]})) || die "there are no fuzz targets"

compile fuzz "${names[@]/#/fuzz_}"
sanitizers
status=0
for name in "${names[@]}"; do
    say "fuzz: $name, $seconds s"
    fuzz_run "$name" "$seconds" || status=1
done
exit $status
