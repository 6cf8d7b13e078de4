#!/bin/sh
# What `make demo` shows, with the utemu given.
set -eu
utemu=$1
cd "$(dirname "$0")/../.."

run() {
	echo
	echo "\$ $*"
	"$@"
}

echo "A big-endian PowerPC program, instruction by instruction:"
run "$utemu" run testdata/bins/ppc/hello
run "$utemu" trace -e insn,reg,mem --max 24 testdata/bins/ppc/hello

echo
echo "Its system calls, and those of a dynamic program from Debian's ARM C library:"
run "$utemu" strace testdata/bins/ppc/hello
run "$utemu" run -L /usr/arm-linux-gnueabihf /usr/arm-linux-gnueabihf/lib/ld-linux-armhf.so.3 --version

echo
echo "What killed a Thumb program, and where:"
echo
echo "\$ $utemu run testdata/bins/arm/fault-thumb write"
"$utemu" run testdata/bins/arm/fault-thumb write || echo "status $?"

echo
run "$utemu" arch
