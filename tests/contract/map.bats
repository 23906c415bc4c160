#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The file `map` beside this one: each statement has a test that is there, each test here has a statement.

TESTS=$(cd "$BATS_TEST_DIRNAME/.." && pwd)

# FILE, a tab, TITLE of every test that the map can name.
titles() { (cd "$TESTS" && grep -o '^@test ".*" {' ./*/*.bats) | sed -E 's#^\./([^:]*):@test "(.*)" \{$#\1\t\2#'; }

# Rows of MAP that are none, or name what is not there.
lost() { # MAP
    titles | awk -F '\t' 'FNR == NR { there[$1 "\t" $2] = 1; next } /^#/ { next }
        NF != 4 || $1 !~ /^[1-4](\.[0-9]+)?$/ || $2 == "" { print "no row: " $0; next }
        !(($3 "\t" $4) in there) { print "no such test: " $3 ": " $4 }' - "$1"
}

# Tests of this directory that MAP does not name, or by another section than that of their name.
stray() { # MAP
    titles | awk -F '\t' 'FNR == NR { named[$3 "\t" $4] = named[$3 "\t" $4] " " $1; next }
        $1 ~ /^contract\// && $1 != "contract/map.bats" { split($2, word, " ")
            if (index(named[$0] " ", " " word[1] " ") == 0) print "not in the map under " word[1] ": " $1 ": " $2 }' \
                "$1" -
}

nothing() { [ -z "$1" ] || { echo "$1"; return 1; }; }

@test "map: every row has a section, a statement, and a test that is there" {
    nothing "$(lost "$BATS_TEST_DIRNAME/map")"
}

@test "map: every test of this directory is in it, under the section that its name begins with" {
    nothing "$(stray "$BATS_TEST_DIRNAME/map")"
}

@test "map: every section of the contract is in it" {
    for section in 1.{1..9} 2.{0..18} 3.{1..8} 4 4.{1..3}; do
        grep -qP "^\Q$section\E\t" "$BATS_TEST_DIRNAME/map" || { echo "no row of section $section"; return 1; }
    done
}

@test "map: a row without a test, half a row, and a test without a row are found" {
    printf '2.4\tx\tcontract/2-commands.bats\tno such title\n2.4\tx\n' >"$BATS_TEST_TMPDIR/map"
    [ "$(lost "$BATS_TEST_TMPDIR/map" | wc -l)" = 2 ]
    [ "$(stray "$BATS_TEST_TMPDIR/map" | wc -l)" -gt 10 ]
}
