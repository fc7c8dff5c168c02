# ./dev help [VERB]: what each verb does
#
# Without VERB: one line for each.
# The first comment of file $1, without its marks.
first_comment() { sed -n '/^#/!q; s/^# \{0,1\}//p' "$1"; }

if (($#)); then
    if [[ ! $1 =~ ^[a-z]+$ || ! -f tools/dev/$1.sh ]]; then
        say "dev: there is no '$1' here"
        exit 2
    fi
    first_comment "tools/dev/$1.sh"
else
    echo "usage: ./dev VERB ..."
    echo
    for name in up build package test fmt lint bench fuzz help; do
        first_comment "tools/dev/$name.sh" | sed -n '1s/^\([^:]*\): /\1|/p'
    done | while IFS='|' read -r usage summary; do
        printf '  %-34s %s\n' "$usage" "$summary"
    done
    echo
    echo "Debian 12. What a verb needs and the machine lacks is installed first, from the list in"
    echo "tools/packages.txt."
fi
