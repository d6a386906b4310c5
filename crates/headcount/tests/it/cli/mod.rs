//! Tests that enter by the command line.

mod demo;
mod import;
mod log;
mod scarce;
mod serve;
mod user;

#[test]
fn help_and_refusals() {
    trycmd::TestCases::new().case("tests/it/cli/*.trycmd");
}
