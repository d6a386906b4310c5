//! The rules of CONTRIBUTING.md that a program can check, read off the sources.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Which modules of the server crate a module may name after `use crate::`, besides itself. A module that is not
/// listed may name every module, except those that only a listed one may use.
const MAY_USE: &[(&str, &[&str])] = &[
    ("address", &[]),
    ("admit", &["address", "config"]),
    ("background", &[]),
    ("clock", &[]),
    ("config", &["retention"]),
    ("error", &["config"]),
    ("failpoint", &[]),
    ("installation", &[]),
    ("private", &[]),
    ("retention", &[]),
    ("spool", &["clock", "config", "error", "failpoint", "installation", "private"]),
    ("store", &["background", "clock", "config", "error", "failpoint", "installation", "private", "retention"]),
    ("password", &["error"]),
    ("catalog", &["clock", "config", "error", "failpoint", "installation", "private", "password", "retention"]),
    ("backup", &["catalog", "clock", "config", "private", "spool", "store"]),
    ("record", &["clock", "config", "error", "spool"]),
    ("ship", &["clock", "config", "error", "retention", "spool", "store"]),
    ("report", &["background", "clock", "error", "retention", "ship", "store"]),
    ("keep", &["background", "catalog", "clock", "error", "retention", "store"]),
    (
        "http",
        &[
            "address",
            "app",
            "catalog",
            "clock",
            "config",
            "error",
            "failpoint",
            "keep",
            "password",
            "record",
            "report",
            "ship",
            "spool",
            "store",
        ],
    ),
    (
        "app",
        &[
            "admit",
            "background",
            "catalog",
            "clock",
            "config",
            "error",
            "http",
            "keep",
            "password",
            "private",
            "record",
            "report",
            "ship",
            "spool",
            "store",
        ],
    ),
    ("demo", &["app", "catalog", "password", "spool"]),
];

/// Crates that the manifest of a crate must not depend on: each crate exists for what it does without.
const FORBIDDEN_DEPENDENCIES: &[(&str, &[&str])] = &[
    (
        "headcount-engine",
        &["tokio", "axum", "sqlx", "rusqlite", "redis", "reqwest", "serde_json", "rand", "headcount-api", "headcount"],
    ),
    ("headcount-api", &["tokio", "axum", "aide", "sqlx", "rusqlite", "redis", "headcount-engine", "headcount"]),
    ("headcount-client", &["axum", "aide", "sqlx", "rusqlite", "redis", "headcount-engine", "headcount"]),
];

/// Words that may stand in the sources of some places only.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("rusqlite::", &["backup", "seed", "slow_disk", "spool", "store"]),
    ("redis::", &["redis_server", "store"]),
    ("sqlx::", &["catalog"]),
    ("SystemTime::now", &["clock"]),
    ("Timestamp::now", &["clock"]),
    ("env::var", &["config", "failpoint"]),
];

/// Words that stand nowhere.
const NOWHERE: &[(&str, &str)] = &[
    ("todo!(", "finish it"),
    ("unimplemented!(", "finish it"),
    ("#[allow(", "use #[expect(.., reason = \"..\")]"),
    ("#![allow(", "use #![expect(.., reason = \"..\")]"),
];

/// Words that say nothing about what a thing is: in no file name and no name of a public function or type.
const EMPTY_WORDS: &[&str] = &["data", "info", "item", "meta", "manager", "helper", "util", "common", "stats", "hit"];

/// Names that contain such a word and have a reason to.
const NAMED_BY_OTHERS: &[&str] = &["data_dir"];

const LONGEST_FILE: usize = 400;

struct Source {
    /// The path below the workspace.
    path: String,
    /// The module below the crate's `src`, or `None` for tests.
    module: Option<String>,
    /// The text without its unit tests.
    code: String,
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every Rust source below `crates/`, in order of its path.
fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    collect(&workspace(), "crates", &mut found);
    found.sort_by(|left, right| left.path.cmp(&right.path));
    assert!(found.len() > 20, "the sources were not found");
    found
}

fn collect(root: &Path, folder: &str, found: &mut Vec<Source>) {
    for entry in std::fs::read_dir(root.join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            collect(root, &path, found);
        } else if Path::new(&path).extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            found.push(Source { module: module_of(&path), code: without_tests(&text), path });
        }
    }
}

/// The first module of a path such as `crates/headcount/src/http/apps.rs`; tests have none.
fn module_of(path: &str) -> Option<String> {
    let below = path.split_once("/src/")?.1;
    let is_test = below.ends_with("tests.rs") || below.split('/').any(|part| part == "tests");
    let first = below.split('/').next()?.trim_end_matches(".rs");
    (!is_test).then(|| first.to_owned())
}

/// The text up to each `#[cfg(test)] mod`, and what follows that block.
fn without_tests(text: &str) -> String {
    let mut kept = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let opens_tests = line == "#[cfg(test)]" && lines.peek().is_some_and(|next| next.contains("mod "));
        if !opens_tests {
            kept.push_str(line);
            kept.push('\n');
        } else if lines.next().is_some_and(|module| module.ends_with('{')) {
            lines.by_ref().find(|line| *line == "}");
        }
    }
    kept
}

fn code_lines(source: &Source) -> impl Iterator<Item = (usize, &str)> {
    source
        .code
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(at, line)| (at + 1, line))
}

fn report(broken: &[String]) {
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

/// The modules that a `use crate::..` names: one, or several in braces.
fn named_modules(code: &str) -> Vec<String> {
    let mut named = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(list) => named.extend(heads(list)),
            None => named.push(first_word(rest)),
        }
    }
    named
}

/// The first segment of each path of a brace list.
fn heads(list: &str) -> Vec<String> {
    let (mut depth, mut start, mut heads) = (0_u32, true, Vec::new());
    for (at, byte) in list.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 0 => break,
            b'}' => depth -= 1,
            b',' if depth == 0 => start = true,
            _ if start && !byte.is_ascii_whitespace() => {
                heads.push(first_word(&list[at..]));
                start = false;
            }
            _ => {}
        }
    }
    heads
}

fn first_word(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

#[test]
fn modules_use_only_what_is_below_them() {
    let modules: BTreeMap<_, _> = MAY_USE.iter().copied().collect();
    let mut broken = Vec::new();
    for source in sources().iter().filter(|source| source.path.starts_with("crates/headcount/src/")) {
        let Some(module) = &source.module else { continue };
        let Some(allowed) = modules.get(module.as_str()) else { continue };
        let code: String = code_lines(source).flat_map(|(_, line)| [line, "\n"]).collect();
        for named in named_modules(&code) {
            let is_module = modules.contains_key(named.as_str()) || named == "cli";
            if is_module && named != *module && !allowed.contains(&named.as_str()) {
                broken.push(format!("{}: `{module}` may not use `crate::{named}`", source.path));
            }
        }
    }
    report(&broken);
}

#[test]
fn crates_do_without_what_they_must() {
    let mut broken = Vec::new();
    for (name, forbidden) in FORBIDDEN_DEPENDENCIES {
        let manifest = std::fs::read_to_string(workspace().join(format!("crates/{name}/Cargo.toml"))).unwrap();
        let mut section = "";
        for line in manifest.lines() {
            if line.starts_with('[') {
                section = line;
            }
            let dependency: String =
                line.chars().take_while(|letter| letter.is_alphanumeric() || "-_".contains(*letter)).collect();
            if section == "[dependencies]" && forbidden.contains(&dependency.as_str()) {
                broken.push(format!("crates/{name}/Cargo.toml: must not depend on `{dependency}`"));
            }
        }
    }
    report(&broken);
}

#[test]
fn some_words_stand_in_their_place_only() {
    let mut broken = Vec::new();
    for source in sources() {
        let Some(module) = &source.module else { continue };
        for (number, line) in code_lines(&source) {
            for (word, places) in ONLY_IN.iter().filter(|(word, _)| stands_in(line, word)) {
                if !places.contains(&module.as_str()) {
                    broken.push(format!("{}:{number}: `{word}` stands in {} only", source.path, places.join(", ")));
                }
            }
        }
    }
    report(&broken);
}

/// Whether the word stands in the line and is not the end of a longer one.
fn stands_in(line: &str, word: &str) -> bool {
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_'))
}

#[test]
fn nothing_is_left_unfinished_or_silenced() {
    let this_file = "crates/headcount/tests/it/tidy.rs";
    let mut broken = Vec::new();
    for source in sources().iter().filter(|source| source.path != this_file) {
        let text = std::fs::read_to_string(workspace().join(&source.path)).unwrap();
        for (number, line) in text.lines().enumerate() {
            for (word, instead) in NOWHERE.iter().filter(|(word, _)| line.contains(word)) {
                broken.push(format!("{}:{}: `{word}`: {instead}", source.path, number + 1));
            }
        }
    }
    report(&broken);
}

#[test]
fn files_are_short() {
    let mut broken = Vec::new();
    for source in sources().iter().filter(|source| source.module.is_some()) {
        let lines = source.code.lines().count();
        if lines > LONGEST_FILE {
            broken.push(format!("{}: {lines} lines without tests, more than {LONGEST_FILE}", source.path));
        }
    }
    report(&broken);
}

#[test]
fn the_script_of_faults_runs_every_test_of_many_rounds() {
    let script = std::fs::read_to_string(workspace().join("scripts/faults")).unwrap();
    let run: Vec<&str> = script.split_whitespace().filter(|word| word.ends_with("::")).collect();
    let mut broken = Vec::new();
    for source in sources().iter().filter(|source| source.code.contains("effort::rounds(")) {
        let module = source.path.trim_start_matches("crates/headcount/tests/it/").trim_end_matches(".rs");
        let module = format!("{}::", module.trim_end_matches("/mod").replace('/', "::"));
        if module != "tidy::" && !run.iter().any(|word| module.starts_with(word)) {
            broken.push(format!("{}: scripts/faults does not run it", source.path));
        }
    }
    report(&broken);
}

#[test]
fn names_say_what_a_thing_is() {
    let mut broken = Vec::new();
    for source in sources() {
        let file = source.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
        if let Some(word) = empty_word(file) {
            broken.push(format!("{}: the file is named `{word}`", source.path));
        }
        for (number, line) in code_lines(&source) {
            if let Some(name) = public_name(line)
                && let Some(word) = empty_word(&name)
            {
                broken.push(format!("{}:{number}: `{name}` has the word `{word}`", source.path));
            }
        }
    }
    report(&broken);
}

/// The name that a line such as `pub async fn name(` or `pub(crate) struct Name` introduces.
fn public_name(line: &str) -> Option<String> {
    let rest = line.trim_start().strip_prefix("pub")?;
    let rest = rest.split_once(')').filter(|_| rest.starts_with('(')).map_or(rest, |(_, after)| after);
    let mut words = rest.split_whitespace();
    words.find(|word| ["fn", "struct", "enum", "trait", "type", "mod", "static"].contains(word))?;
    Some(first_word(words.next()?))
}

fn empty_word(name: &str) -> Option<String> {
    if NAMED_BY_OTHERS.contains(&name) {
        return None;
    }
    words_of(name).into_iter().find(|word| EMPTY_WORDS.contains(&word.as_str()))
}

/// The words of `snake_case` and `CamelCase` names, in lower case.
fn words_of(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut previous_is_lower = false;
    for letter in name.chars() {
        if letter == '_' || letter == '-' || (letter.is_uppercase() && previous_is_lower) {
            words.push(String::new());
        }
        if letter.is_alphanumeric() {
            words.last_mut().unwrap().extend(letter.to_lowercase());
        }
        previous_is_lower = letter.is_lowercase() || letter.is_numeric();
    }
    words
}

#[test]
fn the_rules_see_what_they_look_for() {
    assert_eq!(named_modules("use crate::store::{Store, Segment};"), ["store"]);
    assert_eq!(named_modules("use crate::{app::App, store::{a, b},\n    http};"), ["app", "store", "http"]);
    assert_eq!(module_of("crates/headcount/src/http/apps.rs").as_deref(), Some("http"));
    assert_eq!(module_of("crates/headcount/src/config/tests.rs"), None);
    assert_eq!(module_of("crates/headcount/tests/it/tidy.rs"), None);
    assert_eq!(without_tests("a\n#[cfg(test)]\nmod tests {\n    b\n}\nc\n#[cfg(test)]\nmod tests;\nd\n"), "a\nc\nd\n");
    assert_eq!(public_name("    pub(crate) async fn load_item(").as_deref(), Some("load_item"));
    assert_eq!(public_name("pub use crate::a;"), None);
    assert_eq!(empty_word("load_item").as_deref(), Some("item"));
    assert_eq!(empty_word("UserInfo").as_deref(), Some("info"));
    assert_eq!(empty_word("metadata"), None);
    assert!(stands_in("a redis::x", "redis::") && !stands_in("my_redis::x", "redis::"));
}
