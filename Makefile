# What people do with this checkout. `make` alone lists it.

SHELL := /bin/bash
# rustup's place, for shells that were not told of it.
export PATH := $(PATH):$(HOME)/.cargo/bin
sim: SEEDS ?= 200
chaos: SEEDS ?= 20
chaos: ROUNDS ?= 5
SEED ?= 1
SECONDS ?= 60
WHAT ?=
MODE ?=

.PHONY: help setup demo test bench measure sim chaos fuzz lint instructions deploy-check

help:
	@echo "make demo          set up what is missing, then show Watchfire at work (no broker needed)"
	@echo "make test          set up what is missing, then run all tests, on a real Kafka too"
	@echo "make sim SEEDS=n   run the simulation with n seeds (default 200)"
	@echo "make chaos SEEDS=n SEED=first SECONDS=n MODE=exactly_once|at_least_once"
	@echo "                   do all kinds of harm to workers and to a cluster of three brokers, with n"
	@echo "                   seeds (default 20) of so many seconds (default 60); without MODE in both;"
	@echo "                   then replace what they read, ROUNDS=n times (default 5) in each way"
	@echo "make fuzz SECONDS=n  look for input that breaks it, n seconds a target (default $(SECONDS))"
	@echo "make bench         measure the speed of a backtest, and what correlation costs at scale"
	@echo "make measure       measure recovery, rebalances and steadiness on a real Kafka, about an"
	@echo "                   hour; WHAT=recovery_disk, recovery_log, frozen, rebalance, soak,"
	@echo "                   hostile, slow_output, memory, million or fold for one of them, or"
	@echo "                   million::midnight, million::removed, million::leap; SECONDS=n for how"
	@echo "                   long soak and hostile take"
	@echo "make instructions  count the instructions of a record, a match, a publication and a commit,"
	@echo "                   and say what has grown by more than 5 %"
	@echo "make lint          check format, lints, licences and advisories"
	@echo "make deploy-check  check the chart, manifests, alerts and examples of deploy/"
	@echo "make setup         only set up what building needs"

setup:
	@scripts/setup.sh build

demo: setup
	@echo "==> Building and starting the demo; the first build takes some minutes"
	cargo run --locked -- demo

test:
	@scripts/setup.sh build test
	@scripts/kafka.sh
	@scripts/registry.sh
	@scripts/reader.sh
	@echo "==> Running the tests; the first build takes some minutes"
	cargo test --locked --features canary

sim: setup
	@echo "==> Running the simulation with $(SEEDS) seeds"
	WATCHFIRE_SIM_SEEDS=$(SEEDS) cargo test --locked --features canary --test it sim:: -- --nocapture

chaos:
	@scripts/setup.sh build test
	@scripts/kafka.sh
	@scripts/reader.sh
	@echo "==> Running the fault suite with $(SEEDS) seeds from $(SEED) on, $(SECONDS) s each"
	WATCHFIRE_CHAOS_SEEDS=$(SEEDS) WATCHFIRE_CHAOS_SEED=$(SEED) WATCHFIRE_CHAOS_SECONDS=$(SECONDS) \
	    WATCHFIRE_CHAOS_MODE=$(MODE) WATCHFIRE_CHAOS_TABLE=docs/chaos \
	    cargo test --locked --features canary --test it chaos::faults -- --nocapture
	@echo "==> Making the source anew, and letting retention overtake it, $(ROUNDS) times in each way"
	WATCHFIRE_CHAOS_ROUNDS=$(ROUNDS) WATCHFIRE_CHAOS_SEED=$(SEED) \
	    cargo test --locked --features canary --test it chaos::replaced -- --nocapture

fuzz: setup
	@scripts/fuzz.sh $(SECONDS)

bench: setup
	@echo "==> Running the benchmarks (release build)"
	cargo bench --locked --bench backtest --bench correlate --bench decode
	cargo bench --locked --bench backtest -- --records 1000000 --rounds 3 --threads 2

ifeq ($(origin SECONDS),command line)
measure: export WATCHFIRE_TEST_SECONDS = $(SECONDS)
endif
measure:
	@scripts/setup.sh build test
	@scripts/kafka.sh
	@echo "==> Measuring (release build); the figures go to docs/measured.md"
	WATCHFIRE_MEASURE_FILE=$(CURDIR)/docs/measured.md \
	cargo test --locked --release --test it measure::$(WHAT) -- --ignored --nocapture --test-threads=1

lint: setup
	@scripts/lint.sh

instructions:
	@scripts/instructions.sh

deploy-check: setup
	@scripts/deploy-check.sh
