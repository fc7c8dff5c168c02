# How the build is had that a rolling upgrade starts from. Not a verb; runs nothing itself.

# The last commit whose schema ends before 0009. Once there are releases: the newest one.
previous_commit=f28cf0ccae88fd5b1a78297748cf79da801cd120

# build_previous: leaves build/previous/rollcall, built by the tools of its own time; does nothing
# when it is there.
build_previous() {
    local folder=build/previous source=build/previous/src
    if [[ -x $folder/rollcall && $(cat "$folder/commit") == "$previous_commit" ]]; then
        return 0
    fi
    if ! git -c safe.directory='*' cat-file -e "$previous_commit^{commit}" 2>/dev/null; then
        say "previous: this clone has no commit $previous_commit, with whose build the upgrade" \
            "test begins; a shallow one gets it by: git fetch --unshallow"
        return 1
    fi
    rm -rf "$folder"
    mkdir -p "$source"
    git -c safe.directory='*' archive "$previous_commit" | tar -x -C "$source"
    say "build: previous (${previous_commit::7})"
    (cd "$source" && ROLLCALL_COMMIT=${previous_commit::7} ./dev build) || return 1
    cp "$source/build/release/rollcall" "$folder/rollcall"
    echo "$previous_commit" >"$folder/commit"
}
