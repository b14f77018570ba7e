# Two commands matter: `cargo run -p lab` compares the strategies, `make test` runs every test.

CARGO ?= cargo

.PHONY: test cluster soak failovers interleavings simulation coverage defences bench lint docs features deny fuzz

## Every test of every member, with all features. Installs what the tests need and is missing.
test:
	tests/prerequisites
	$(CARGO) test --workspace --all-features --locked

## A million seeded interleavings on the memory store, and a hundred thousand through the layer.
interleavings:
	$(CARGO) run --release --locked -p abide-interleavings -- --driver store --seeds 1000000
	$(CARGO) run --release --locked -p abide-interleavings -- --driver layer --seeds 100000

## A hundred thousand seeds of the cluster protocol, and its scripts. With two cores free about a quarter of an hour.
simulation:
	$(CARGO) run --release --locked -p abide-simulation -- --seeds 100000

## Which lines of the cluster protocol the simulator reaches; fails below 95 %. Needs llvm-cov and llvm-profdata that read what the
## compiler writes: those of `rustup component add llvm-tools`, or others by LLVM_COV and LLVM_PROFDATA. Not counted: what is broken
## on purpose.
coverage:
	command -v cargo-llvm-cov >/dev/null || $(CARGO) install cargo-llvm-cov --version 0.9.1 --locked
	$(CARGO) llvm-cov run --release --locked --no-report -p abide-simulation --bin abide-simulation -- --seeds 300
	$(CARGO) llvm-cov report --release -p abide-cluster --fail-under-lines 95 \
		--ignore-filename-regex '/(codec|transport|store)/|broken\.rs'

## Takes each defence out of a copy of the code, one at a time, and sees the test fail that names it.
defences:
	$(CARGO) run --locked -p abide-defences

## What a failover of Redis costs, and what holds of every one: a table. About ten minutes.
failovers:
	$(CARGO) run --release --locked -p abide-failovers

## Clusters of real processes: killed, replaced, paused and cut off under load: a table, and a failure where a promise broke.
## About twenty minutes. `CLUSTER="kills 3 cuts"` runs a part.
cluster:
	$(CARGO) run --locked -p abide-clusters -- $(CLUSTER)

SOAK_MINUTES ?= 60

## A cluster under mixed load and faults for SOAK_MINUTES: counters exact, memory flat.
soak:
	$(CARGO) run --locked -p abide-clusters -- soak $(SOAK_MINUTES)

## abide beside the bare router and its peers, in one run.
bench:
	cd benches && $(CARGO) run --release --locked

## Formatting and lints; warnings are errors.
lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --all-features --locked -- -D warnings
	cd benches && $(CARGO) fmt --check
	cd fuzz && $(CARGO) fmt --check
	cd benches && $(CARGO) clippy --all-targets --locked -- -D warnings

## The documentation; a broken link is an error.
docs:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --all-features --no-deps --locked

## The library with no feature, with each alone, and with all; warnings are errors.
FEATURES = memory redis cluster axum encryption testing
features:
	set -e; for feature in "" $(FEATURES); do \
		echo "abide with: $${feature:-no feature}"; \
		$(CARGO) clippy -p abide --locked --no-default-features --features "$$feature" -- -D warnings; \
	done
	$(CARGO) clippy -p abide --locked --all-features -- -D warnings

## Licences, bans and sources of the dependencies. `--debug`: built in a third of the time, and it runs for seconds only.
deny:
	command -v cargo-deny >/dev/null || $(CARGO) install cargo-deny --version 0.20.2 --locked --debug
	$(CARGO) deny --locked check licenses bans sources
	$(CARGO) deny --locked --manifest-path benches/Cargo.toml check licenses bans sources

FUZZ_TARGETS ?= cookie_header record envelope snapshot frames configuration message
FUZZ_SECONDS ?= 600

## Every fuzz target for FUZZ_SECONDS; fails on the first finding. Needs a nightly compiler. A finding is left in
## fuzz/artifacts: put it into fuzz/found/<target>, where `make test` runs it from then on.
fuzz:
	command -v cargo-fuzz >/dev/null || $(CARGO) install cargo-fuzz --version 0.13.2 --locked
	$(CARGO) run -q --locked -p abide-fuzzing --bin seeds -- fuzz/corpus
	set -e; for target in $(FUZZ_TARGETS); do \
		mkdir -p fuzz/found/$$target; \
		$(CARGO) +nightly fuzz run $$target fuzz/corpus/$$target fuzz/found/$$target -- \
			-max_total_time=$(FUZZ_SECONDS) -timeout=10 -max_len=4096 -print_final_stats=1; \
	done
