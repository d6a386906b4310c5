//! Builds again when the dashboard was built, whose files `http/web.rs` embeds. Debug builds read them when they are asked
//! for, and need not.

#[expect(clippy::disallowed_methods, reason = "cargo says so by this variable alone, and it is no setting")]
fn main() {
    let is_release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    println!("cargo::rerun-if-changed={}", if is_release { "../../web/dist" } else { "build.rs" });
}
