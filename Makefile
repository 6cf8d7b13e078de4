# The front door. `make demo` and `make test` need nothing but a Debian machine
# with root or sudo and a network; each sets up what it needs by itself.

SETUP := internal/setup/setup.sh
# Looked up when a recipe needs it, after the packages are there.
GO = $(eval GO := $$(shell $(SETUP) go))$(GO)

VERSION := $(shell git describe --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -X main.version=$(VERSION)
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: all build demo test race check vet fmt fmt-check staticcheck generate generate-check bins bins-check fuzz oracle bench golden status clean setup-build setup-demo setup-test

all: build

setup-build:
	@$(SETUP) packages build
setup-demo:
	@$(SETUP) packages demo
setup-test:
	@$(SETUP) packages test

# bin/utemu
build: setup-build
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/utemu ./cmd/utemu

# Runs and traces programs of other architectures that are in this repository
# or in Debian's packages.
demo: setup-demo build
	@internal/setup/demo.sh bin/utemu

# The whole suite. UTEMU_STOCK_ENGINE=1 runs the emulator's part of it again
# without the shim; the tag unicorn_static, on the static library.
test: setup-test build
	$(GO) vet ./...
	$(GO) test -timeout 30m ./...
	UTEMU_STOCK_ENGINE=1 $(GO) test -timeout 30m -short . ./emu/...
	$(GO) test -tags unicorn_static -timeout 30m -short ./emu/internal/uc

race: setup-test
	$(GO) test -race -short ./...

check: setup-test fmt-check vet staticcheck generate-check bins-check
	CGO_ENABLED=0 $(GO) build ./...
	GOARCH=arm64 CGO_ENABLED=0 $(GO) vet ./...
	$(GO) mod tidy -diff
	$(GO) mod verify

vet:
	$(GO) vet ./...
fmt:
	gofmt -w $$(git ls-files '*.go')
fmt-check:
	@u=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$u" ] || { echo "not gofmt-ed: $$u"; exit 1; }
staticcheck:
	$(GO) run $(STATICCHECK) ./...

# Tables made from the headers of Debian's cross compilers and of libunicorn.
generate: setup-test
	$(GO) generate ./...
generate-check: setup-test
	$(GO) run ./internal/gen/sysnum -check
	$(GO) run ./internal/gen/layout -check
	$(GO) run ./internal/gen/consts -check
	$(GO) run ./internal/gen/ucnum -check

# The guest programs in testdata/bins.
bins: setup-test
	$(MAKE) -C testdata/bins
bins-check: setup-test
	$(MAKE) -C testdata/bins check

# Every step of a million on glibc beside the kernel of this machine (x86) or
# qemu-user; takes half an hour.
ORACLE_STEPS := 1000000
oracle: setup-test
	UTEMU_ORACLE=$(ORACLE_STEPS) $(GO) test -v -timeout 3h -run '^TestOracle$$' .

# Each fuzz target of each package in turn, for FUZZTIME.
FUZZTIME := 1m
fuzz: setup-test
	@set -e; for d in $$(git grep -l '^func Fuzz' -- '*_test.go' | xargs -n1 dirname | sort -u); do \
		for f in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' $$d/*_test.go); do \
			echo "$$d $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) ./$$d; \
		done; \
	done

# Files that tests compare with: docs/status.md, and the stops of programs in
# testdata/traces.
status: setup-test
	UTEMU_UPDATE=1 $(GO) test -count 1 -run '^TestStatus$$' ./internal/conform
golden: setup-test
	UTEMU_UPDATE=1 $(GO) test -count 1 -run '^TestGolden$$' ./internal/conform

bench: setup-test build
	$(GO) run ./internal/bench bin/utemu

clean:
	rm -rf bin .build
