//! The fuzz targets on stable Rust: the committed corpus, and mutations of it for a few seconds.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use headcount::fuzz::{TARGETS, Target};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, RngCore as _, SeedableRng as _};

use crate::effort;

/// The longest input.
const LONGEST: usize = 32 << 10;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder().join("corpus").join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Runs one input, and shows it if the target panics.
#[expect(clippy::print_stderr, reason = "it is shown with the failure of a test")]
fn run(name: &str, target: Target, input: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(input))) {
        eprintln!("{name} failed with these bytes: {}", hex::encode(input));
        std::panic::resume_unwind(panic);
    }
}

/// Another input, made of one or two.
fn mutated(corpus: &[Vec<u8>], random: &mut StdRng) -> Vec<u8> {
    let mut bytes = corpus.choose(random).unwrap().clone();
    for _ in 0..random.random_range(1..6) {
        let at = random.random_range(0..=bytes.len());
        let end = random.random_range(at..=bytes.len().min(at + 16));
        match random.random_range(0..7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.random_range(0..8),
            1 if at < bytes.len() => {
                bytes[at] = *[0, 1, 0x7f, 0x80, 0xff, b'%', b'+', b'.', b'-', b'&', b'\n'].choose(random).unwrap();
            }
            2 => drop(bytes.drain(at..end)),
            3 => {
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            4 => {
                let other = corpus.choose(random).unwrap();
                let from = random.random_range(0..=other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            5 => bytes.insert(at, random.next_u32() as u8),
            _ => bytes.truncate(at),
        }
    }
    bytes.truncate(LONGEST);
    bytes
}

#[test]
fn no_input_panics_or_contradicts_itself() {
    let seed = effort::seed();
    let each = Duration::from_millis(effort::rounds(800, 60_000) as u64);
    for (name, target) in TARGETS {
        let (corpus, mut random) = (corpus(name), StdRng::seed_from_u64(seed));
        assert!(corpus.len() > 3, "the corpus of {name} is missing");
        for input in &corpus {
            run(name, target, input);
        }
        let (started, mut executions) = (Instant::now(), 0_u64);
        while started.elapsed() < each {
            for _ in 0..16 {
                run(name, target, &mutated(&corpus, &mut random));
            }
            executions += 16;
        }
        println!("{name}: {} files of the corpus, {executions} mutations", corpus.len());
    }
}

#[test]
fn every_target_has_its_program() {
    let manifest = std::fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    for (name, _) in TARGETS {
        assert!(manifest.contains(&format!("name = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"\n")), "{name}");
    }
    assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len());
}
