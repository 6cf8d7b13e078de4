#!/bin/bash
# Runs the programs of CASES, the x86 ones natively and the others under
# qemu-user, and compares standard output and status with expect/.
#
#   expect.sh [-w] [NAME...]    -w writes expect/ anew
#
# expect/NAME.txt is what the first architecture of a case gives, x86-64 before
# all others; expect/NAME.ARCH.txt is there for an architecture that gives
# something else. A program that a signal ends has status 128 and the signal.
# DIFFERS names the cases in which qemu-user is not Linux and the reason; they
# are held to what Linux does.
set -u
cd "$(dirname "$0")" || exit 2
here=$PWD write=
[ "${1-}" = -w ] && { write=1; shift; }

runner() {
	case $1 in
	i386 | x86_64) ;;
	ppc) echo qemu-ppc -cpu 7457a_v1.2 ;;
	*) echo "qemu-$1" ;;
	esac
}

# run ARCH BINARY ARGS...: standard output and status
run() {
	local arch=$1 bin=$2 dir
	shift 2
	dir=$(mktemp -d)
	# shellcheck disable=SC2046 # words are wanted
	(cd "$dir" && ulimit -c 0 && ulimit -s 8192 && exec env -i K=V timeout 30 $(PATH=$PATH runner "$arch") "$here/$arch/$bin" "$@") 2>/dev/null </dev/null
	echo "status $?"
	rm -rf "$dir"
}

bad=0 n=0
while IFS=$'\t' read -r -a f; do
	name=${f[0]} arches=${f[1]} program=${f[2]}
	[ $# -gt 0 ] && [[ " $* " != *" $name "* ]] && continue
	[ "$arches" = '*' ] && arches='x86_64 i386 arm aarch64 ppc ppc64'
	case " $arches " in *' x86_64 '*) arches="x86_64 ${arches/x86_64/}" ;; esac
	[ "$write" ] && rm -f "expect/$name.txt"
	for a in $arches; do
		variants=$program
		[ $a = arm ] && [ -e "arm/$program-thumb" ] && variants="$program $program-thumb"
		for v in $variants; do
			got=$(run "$a" "$v" "${f[@]:3}")
			n=$((n + 1))
			grep -q "^$name	$a	" DIFFERS && { [ "$write" ] || continue; [ -e "expect/$name.txt" ] && continue; }
			own=expect/$name.$a.txt
			[ "$write" ] && [ $v = "$program" ] && {
				if [ ! -e "expect/$name.txt" ]; then
					echo "$got" >"expect/$name.txt"
					rm -f "$own"
				elif [ "$got" = "$(cat "expect/$name.txt")" ]; then
					rm -f "$own"
				else
					echo "$got" >"$own"
				fi
			}
			[ -e "$own" ] || own=expect/$name.txt
			[ "$got" = "$(cat "$own")" ] || {
				echo "$name on $a ($v):"
				diff <(echo "$got") "$own" | head -5
				bad=$((bad + 1))
			}
		done
	done
done < <(grep -v '^#' CASES)
echo "$n runs, $bad differ"
[ $bad = 0 ]
