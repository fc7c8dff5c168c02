# ./dev build: the release binary, build/release/rollcall
#
# Optimised, with line tables for readable stack traces, without tests.
need build
compile release rollcall
say "build: $root/build/release/rollcall"
