# One word per task. What takes more than a line or two stands in scripts/.

.PHONY: run test check demo api web bench fuzz faults

# Serve http://localhost:9000 with the settings of .env and the data in ./data.
run:
	@scripts/run serve

# Serve a made-up fleet, in a folder of its own.
demo:
	@scripts/run demo

# Everything: what `check` checks, all tests, the web client.
test:
	@scripts/test

# What must hold before a commit: format, lints, rules, dependencies.
check:
	@scripts/check

# Write openapi.json and the web client's types anew from the handlers.
api:
	@scripts/api

# Type-check and test the web client against a real server.
web:
	@scripts/web

# Measure the server beside its references and write docs/benchmarks.md; takes the machine for about an hour.
bench:
	@scripts/bench

# The tests of faults with many more rounds: kills, damaged files, power cuts, full disks, faults of Redis. Takes about an
# hour and a half.
faults:
	@scripts/faults

# Fuzz everything that reads bytes of others, with cargo-fuzz: TIME seconds for each target.
fuzz:
	@scripts/fuzz
