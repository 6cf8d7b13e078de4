#!/bin/sh
# Puts onto a Debian machine what building, running and testing utemu needs.
#
#   setup.sh packages build|demo|test|check   installs the Debian packages that are missing
#   setup.sh go                         prints the path of a Go command that is new
#                                       enough, fetching one if there is none
#
# Needs root or sudo for packages, and only if some are missing.
set -eu

here=$(cd "$(dirname "$0")/../.." && pwd)
# The version that is fetched when the machine has none; go.mod says what is
# the least.
version=1.26.8

build="gcc libc6-dev make pkg-config ca-certificates libunicorn-dev libcapstone-dev"
demo="libc6-armhf-cross libc6-powerpc-cross"
cross="gcc-i686-linux-gnu gcc-arm-linux-gnueabihf gcc-arm-linux-gnueabi gcc-aarch64-linux-gnu gcc-powerpc-linux-gnu gcc-powerpc64-linux-gnu"
crosscxx="g++-i686-linux-gnu g++-arm-linux-gnueabihf g++-arm-linux-gnueabi g++-aarch64-linux-gnu g++-powerpc-linux-gnu g++-powerpc64-linux-gnu"
crosslibc="libc6-dev-i386-cross libc6-dev-armhf-cross libc6-dev-armel-cross libc6-dev-arm64-cross libc6-dev-powerpc-cross libc6-dev-ppc64-cross"
test="$cross $crosscxx $crosslibc qemu-user g++ binutils gdb-multiarch elfutils strace"

say() { echo "setup: $*" >&2; }

missing() {
	for p in "$@"; do
		dpkg-query -W -f '${db:Status-Status}\n' "$p" 2>/dev/null | grep -qx installed || echo "$p"
	done
}

packages() {
	command -v dpkg-query >/dev/null || {
		say "not a Debian machine; install by hand what these Debian packages hold: $*"
		return 0
	}
	need=$(missing "$@" | tr '\n' ' ')
	[ -n "$need" ] || return 0
	sudo=
	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null || { say "needs root (or sudo) to install: $need"; exit 1; }
		sudo=sudo
	fi
	say "installing $need"
	log=$(mktemp)
	for try in 1 2 3; do
		# shellcheck disable=SC2086 # words are wanted
		if { $sudo apt-get update -qq; DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $need; } >"$log" 2>&1 </dev/null; then
			rm -f "$log"
			return 0
		fi
		sleep "$try"
	done
	cat "$log" >&2
	rm -f "$log"
	say "apt-get could not install: $need"
	exit 1
}

# newenough GO: is the command at least what go.mod asks for, by itself or by
# fetching a toolchain as Go does since 1.21?
newenough() {
	(cd "$here" && "$1" list -m) >/dev/null 2>&1
}

find_go() {
	for g in "$(command -v go || true)" /usr/local/go/bin/go "$here/.build/go/bin/go"; do
		[ -n "$g" ] && [ -x "$g" ] && newenough "$g" && { echo "$g"; return 0; }
	done
	return 1
}

# fetch_go gets a toolchain the way Go itself does, as a module; Debian's own
# Go is too old to build with but can do that.
fetch_go() {
	packages golang-go ca-certificates >&2
	say "fetching Go $version"
	mod="golang.org/toolchain@v0.0.1-go$version.linux-amd64"
	dir=$(cd / && GOFLAGS=-modcacherw GOPATH="$here/.build/gopath" GOMODCACHE="$here/.build/gopath/pkg/mod" go mod download -json "$mod" | sed -n 's/^.*"Dir": "\(.*\)",$/\1/p')
	[ -d "$dir" ] || { say "could not fetch $mod"; exit 1; }
	chmod +x "$dir"/bin/* "$dir"/pkg/tool/*/* 2>/dev/null || true
	ln -sfn "$dir" "$here/.build/go"
}

case "${1-}" in
packages)
	case "${2-}" in
	build) packages $build ;;
	demo) packages $build $demo ;;
	test | check) packages $build $demo $test ;;
	*) say "packages of what?"; exit 2 ;;
	esac
	;;
go)
	find_go && exit 0
	mkdir -p "$here/.build"
	fetch_go
	find_go || { say "the fetched Go does not work"; exit 1; }
	;;
*)
	sed -n '2,9p' "$0" >&2
	exit 2
	;;
esac
