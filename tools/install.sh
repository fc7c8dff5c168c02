#!/usr/bin/env bash
# Installs the Debian packages that a set of tools/packages.txt names and this machine lacks.
#
#   tools/install.sh SET...        as root, or as a user who may sudo
#
# Says and does nothing when all are there, so ordinary users never meet sudo then. Packages named
# directly are taken too: tools/install.sh -- npm nodejs
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# The packages of sets "$@" in tools/packages.txt, one a line.
packages_of() {
    local package sets want
    while read -r package sets _; do
        for want in "$@"; do
            if [[ ,$sets, == *,$want,* ]]; then
                echo "$package"
                break
            fi
        done
    done < <(grep -v '^#' "$here/packages.txt")
}

# Those of packages "$@" that are not installed, one a line.
missing_of() {
    local installed package
    installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null |
        sed -n 's/ installed$//p') || true
    for package in "$@"; do
        grep -qxF "$package" <<<"$installed" || echo "$package"
    done
}

# Installs "$@" without starting the services that come with them: prometheus, of which only
# promtool is wanted, would take the port of rollcall's admin listener, nginx and caddy port 80.
# policy-rc.d is Debian's switch for that; one that is there already is left as it is.
without_services() {
    local policy=/usr/sbin/policy-rc.d
    (
        if [[ ! -e $policy ]]; then
            trap 'rm -f "$policy"' EXIT
            trap 'exit 1' INT TERM
            printf '#!/bin/sh\nexit 101\n' >"$policy"
            chmod +x "$policy"
        fi
        "${install[@]}" "$@"
    )
    command -v systemctl >/dev/null || return 0
    local package
    for package in "$@"; do
        [[ $package =~ ^(prometheus|nginx|caddy)$ ]] || continue
        systemctl --quiet disable "$package" || echo "install: $package stays enabled" >&2
    done
}

# Debian's postgresql-15 makes and starts a server of its own when it is installed. Nobody asked for
# that one (rollcall starts a private server), so the switch that Debian provides is off while the
# package is installed, and its file is put back to the byte. The switch belongs to
# postgresql-common, which therefore goes first, with all the rest.
install_packages() {
    local config=/etc/postgresql-common/createcluster.conf
    local others=() servers=() package
    for package in "$@"; do
        if [[ $package == postgresql-1[0-9] ]]; then
            servers+=("$package")
        else
            others+=("$package")
        fi
    done
    ((${#servers[@]})) && others+=(postgresql-common)

    export DEBIAN_FRONTEND=noninteractive
    local install=(apt-get -y -q -o DPkg::Lock::Timeout=300 install --no-install-recommends)
    apt-get -q update
    without_services "${others[@]}"
    ((${#servers[@]})) || return 0
    (
        cp -p "$config" "$config.before-rollcall"
        trap 'mv -f "$config.before-rollcall" "$config"' EXIT
        trap 'exit 1' INT TERM
        echo "create_main_cluster = false" >>"$config"
        "${install[@]}" "${servers[@]}"
    )
}

main() {
    local wanted missing
    if [[ ${1:-} == -- ]]; then
        shift
        wanted=("$@")
    else
        (($#)) || { echo "usage: tools/install.sh SET... | -- PACKAGE..." >&2; exit 2; }
        mapfile -t wanted < <(packages_of "$@")
    fi
    ((${#wanted[@]})) || { echo "install: no packages in: $*" >&2; exit 2; }
    mapfile -t missing < <(missing_of "${wanted[@]}")
    ((${#missing[@]})) || return 0

    if ! command -v apt-get >/dev/null; then
        echo "install: these are missing and this is no Debian: ${missing[*]}" >&2
        exit 1
    fi
    if ((EUID == 0)); then
        echo "install: ${missing[*]}" >&2
        install_packages "${missing[@]}" >&2
    elif command -v sudo >/dev/null && { [[ -t 0 ]] || sudo -n true 2>/dev/null; }; then
        echo "install: ${missing[*]}" >&2
        sudo "$here/install.sh" -- "${missing[@]}" >&2
    else
        cat >&2 <<TXT
install: these Debian packages are missing: ${missing[*]}
         and only root may install them. As root, once:

    $here/install.sh -- ${missing[*]}

TXT
        exit 1
    fi
}

main "$@"
