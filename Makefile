# Everything a person types. The work is done by the scripts in tools/.
.DEFAULT_GOAL := help
.PHONY: help run dev test lint bench simulate setup

help: ## Say what can be made
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 14

run: ## Set up, build, and serve the demo on http://127.0.0.1:3000
	@tools/run.sh

dev: ## Serve the demo; rebuild and restart whenever a source file changes
	@tools/dev.sh

test: ## Set up and run every test: Rust on both databases, the API, the browser
	@tools/test.sh

lint: ## rustfmt, and clippy with warnings denied, for the server and for the browser
	@tools/lint.sh

bench: ## Measure the release build: portal, API, databases, memory
	@tools/bench.sh

simulate: ## Live through worlds with crashes: SEEDS=1-50 STEPS=200 (DATABASE=sqlite or postgres; SAY=1 tells all)
	@tools/simulate.sh

setup: ## Only install and build the tools that the above need
	@tools/setup.sh test
