//! How much the tests of faults do: a little in `make test`, much more in `make faults`. The only variables that tests
//! read.

/// Set for the part of a test that runs in a network of its own.
pub(crate) const IN_NETWORK: &str = "HEADCOUNT_TEST_NETWORK";

/// `short` rounds, or `long` ones where `FAULTS` is set.
pub(crate) fn rounds(short: usize, long: usize) -> usize {
    if variable("FAULTS").is_some() { long } else { short }
}

/// Where chance begins: printed, and taken from `SEED` to do the same again.
#[expect(clippy::print_stdout, reason = "it is shown with the failure of a test")]
pub(crate) fn seed() -> u64 {
    let seed = variable("SEED").map_or_else(rand::random, |text| text.parse().unwrap());
    println!("SEED={seed}");
    seed
}

/// The URL of the PostgreSQL beside which `scripts/with-postgres` runs the tests, if it does.
pub(crate) fn database() -> Option<String> {
    variable("HEADCOUNT_TEST_DATABASE")
}

/// Whether this is the part of a test that runs in a network of its own.
pub(crate) fn is_in_network() -> bool {
    variable(IN_NETWORK).is_some()
}

#[expect(clippy::disallowed_methods, reason = "these are no settings of the server")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}
