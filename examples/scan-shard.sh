#!/bin/sh
# scan-shard.sh NAME [OPTION...]: scans the paths on standard input; NAME.jsonl gets the result, whole or not at all.
# More options of csdump scan may follow, as -0. Exit code 0 when the file is there, whatever csdump found.
# CSDUMP names the program.
name=$1
shift
part=$(mktemp "$name.XXXXXX.tmp") || exit 2
trap 'rm -f "$part"' EXIT
"${CSDUMP:-csdump}" scan --files-from - --sort --quiet --format jsonl "$@" >"$part"
# A scan that came to its end has a summary, and says that nobody broke it off.
tail -n 1 "$part" | grep -q '^{"type":"summary",.*"interrupted":false' && mv "$part" "$name.jsonl"
