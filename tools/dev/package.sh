# ./dev package: the Debian package of the release build, in build/package
#
# Built on Debian 12, for Debian 12. docs/operations.md says how to install it.
need build package
compile release rollcall
cpack -G DEB --config build/release/CPackConfig.cmake -B "$root/build/package" >&2
say "package: $(ls build/package/rollcall_*.deb)"
