# Everything one does with this repository. `make` alone says what there is.
# It needs Rust (https://rustup.rs) and installs what else a target needs with apt-get, as root or through sudo.

SHELL := /bin/sh
.DEFAULT_GOAL := help
CARGO ?= cargo
# Arguments for what is started: make run ARGS="--config tollgate.yaml", make test ARGS=sdk.
ARGS ?=

.PHONY: help run test soak check tidy bench schema fmt tools lints

help: ## what there is to make
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: tools ## build and start the gateway; it prints its addresses, a key and a request to paste
	@$(CARGO) run --quiet --package tollgate-gateway --bin tollgate -- run $(ARGS)

test: tools ## run every test; the last line is "N passed, N failed, N skipped"
	@$(CARGO) xtask test $(ARGS)

soak: tools ## the long versions of what is said of money: 1,000 kills, 50 races for a budget, 10,000 simulated seeds
	@$(CARGO) run --quiet --release --package xtask -- simulate --seeds 10000
	@TOLLGATE_TESTS_FULL=1 $(CARGO) test --release --package tollgate-tests --test process -- --nocapture money:: crash::

check: tools lints ## formatting, lints, the shape of the tree, licences and bans
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) xtask tidy
	@if command -v cargo-deny >/dev/null 2>&1; then \
		$(CARGO) deny check; \
	else \
		echo "cargo-deny is not installed: licences and bans were checked by tidy, advisories and sources were not"; \
	fi

tidy: tools ## register new folders, then check the shape of the tree
	@$(CARGO) xtask tidy --write

fmt: tools lints ## format all code
	@$(CARGO) fmt --all

bench: tools ## measure the gateway beside other proxies on this machine
	@$(CARGO) run --quiet --release --package xtask -- bench $(ARGS)

schema: tools ## print the JSON Schema of the config file
	@$(CARGO) run --quiet --package tollgate-gateway --bin tollgate -- schema

# A C compiler: the TLS library is C, and Rust links with it.
tools:
	@command -v $(CARGO) >/dev/null 2>&1 || { echo "cargo is missing; install Rust from https://rustup.rs" >&2; exit 1; }
	@command -v cc >/dev/null 2>&1 || { \
		command -v apt-get >/dev/null 2>&1 || { echo "a C compiler is missing; install one" >&2; exit 1; }; \
		echo "installing a C compiler (build-essential) with apt-get" >&2; \
		if [ "$$(id -u)" -eq 0 ]; then sudo=; else sudo="sudo -n"; fi; \
		$$sudo apt-get update --quiet && $$sudo apt-get install --quiet --yes --no-install-recommends build-essential; \
	}

# rustfmt and clippy: part of rustup's default profile, not of its minimal one.
lints:
	@$(CARGO) fmt --version >/dev/null 2>&1 && $(CARGO) clippy --version >/dev/null 2>&1 || { \
		echo "adding rustfmt and clippy to the toolchain" >&2; rustup component add rustfmt clippy; \
	}
