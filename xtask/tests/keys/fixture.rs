//! A small workspace that the pipeline trains and builds: two programs and a library, without
//! dependencies. Owns its sources and the calls of xtask; asserts nothing about profiles.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// The sources in one of the states that the tests compare.
#[derive(Clone)]
pub(crate) struct Sources {
    pub(crate) version: &'static str,
    pub(crate) lto: &'static str,
    pub(crate) codegen_units: u32,
    /// What `tally::weigh` does.
    pub(crate) weigh: &'static str,
}

impl Sources {
    /// What the profiles are trained on.
    pub(crate) fn trained() -> Self {
        let weigh = "if word.len() > 4 { 3 } else { 1 }";
        Self { version: "0.1.0", lto: "off", codegen_units: 1, weigh }
    }
}

const WORKSPACE: &str = r#"[workspace]
resolver = "3"
members = ["alpha", "beta", "tally"]

[workspace.package]
version = "VERSION"
edition = "2024"

[profile.dist]
inherits = "release"
lto = "LTO"
codegen-units = UNITS
debug = 0
"#;

const LOCK: &str = r#"version = 4

[[package]]
name = "alpha"
version = "VERSION"
dependencies = [
 "tally",
]

[[package]]
name = "beta"
version = "VERSION"

[[package]]
name = "tally"
version = "VERSION"
"#;

const PACKAGE: &str =
    "[package]\nname = \"NAME\"\nversion.workspace = true\nedition.workspace = true\n";

const ALPHA: &str = r#"//! Counts words that it makes up.
use tally::{Long, Rule, Short, count, weigh};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|argument| argument == "--version") {
        println!("alpha");
        return;
    }
    let rounds: u64 = arguments.get(1).and_then(|text| text.parse().ok()).unwrap_or(1000);
    let rules: [Box<dyn Rule>; 2] = [Box::new(Long), Box::new(Short)];
    let mut state = 1_u64;
    let (mut sum, mut heavy) = (0, 0);
    for round in 0..rounds {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let word = &"abcdefghij"[..1 + (state >> 33) as usize % 10];
        // Mostly one of the two, so that an optimiser learns which.
        let rule = &rules[usize::from(round % 16 == 0)];
        sum += count(rule.as_ref(), word, (state >> 40) % 32);
        if round % 8 == 0 {
            heavy += weigh(word);
        }
    }
    println!("{sum} {heavy}");
}
"#;

const BETA: &str = r#"//! Adds numbers; shares nothing with alpha.
#[inline(never)]
fn add(numbers: &[u64]) -> u64 {
    numbers.iter().filter(|number| *number % 3 != 0).sum()
}

fn main() {
    if std::env::args().nth(1).is_some_and(|argument| argument == "--version") {
        println!("beta");
        return;
    }
    let numbers: Vec<u64> = (0..20_000).collect();
    println!("{}", add(&numbers));
}
"#;

const TALLY: &str = r#"//! What alpha counts with.
pub trait Rule {
    fn points(&self, word: &str) -> u64;
}

pub struct Long;
pub struct Short;

impl Rule for Long {
    #[inline(never)]
    fn points(&self, word: &str) -> u64 {
        word.bytes().filter(|byte| *byte > b'c').count() as u64
    }
}

impl Rule for Short {
    #[inline(never)]
    fn points(&self, word: &str) -> u64 {
        if word.len() < 4 { 7 } else { 0 }
    }
}

#[inline(never)]
pub fn count(rule: &dyn Rule, word: &str, times: u64) -> u64 {
    let mut sum = 0;
    for turn in 0..times {
        sum += if turn % 5 == 4 { 1 } else { rule.points(word) };
    }
    sum
}

#[inline(never)]
pub fn weigh(word: &str) -> u64 {
    WEIGH
}
"#;

/// Trained with other arguments than it is measured with.
const CASES: &str = "schema = 1\ntool = \"NAME\"\n\n\
    [[case]]\nname = \"train\"\nkind = \"train\"\nargs = [\"20000\"]\n\n\
    [[case]]\nname = \"eval\"\nkind = \"eval\"\nargs = [\"30000\"]\n";

/// The workspace and what was made in it. One test works in it at a time.
pub(crate) struct Fixture {
    pub(crate) root: PathBuf,
    _turn: MutexGuard<'static, ()>,
}

/// What a command did.
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Fixture {
    /// The workspace in the state `sources`, with the profiles of `Sources::trained` in a folder
    /// of this test's own.
    pub(crate) fn new(test: &str, sources: &Sources) -> (Self, PathBuf) {
        static TURN: Mutex<()> = Mutex::new(());
        static TRAINED: OnceLock<PathBuf> = OnceLock::new();
        // A test that failed says so itself; the others go on.
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("keys");
        let fixture = Self { root, _turn: turn };
        let trained = TRAINED.get_or_init(|| {
            if fixture.root.join("profiles").exists() {
                std::fs::remove_dir_all(fixture.root.join("profiles")).unwrap();
            }
            fixture.write(&Sources::trained());
            let profiles = fixture.root.join("profiles/trained");
            fixture.run(&["pgo-generate"], &profiles).expect(0);
            profiles
        });
        fixture.write(sources);
        let own = fixture.root.join("profiles").join(test);
        let folder = own.join(target());
        std::fs::create_dir_all(&folder).unwrap();
        for entry in std::fs::read_dir(trained.join(target())).unwrap() {
            let from = entry.unwrap().path();
            std::fs::copy(&from, folder.join(from.file_name().unwrap())).unwrap();
        }
        (fixture, own)
    }

    /// Puts the sources into a state. Files that stay as they are keep their time stamps.
    pub(crate) fn write(&self, sources: &Sources) {
        let fill = |text: &str| {
            text.replace("VERSION", sources.version)
                .replace("LTO", sources.lto)
                .replace("UNITS", &sources.codegen_units.to_string())
                .replace("WEIGH", sources.weigh)
        };
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rust-toolchain.toml");
        let toolchain = std::fs::read_to_string(own).unwrap();
        self.file("rust-toolchain.toml", &toolchain);
        self.file("Cargo.toml", &fill(WORKSPACE));
        self.file("Cargo.lock", &fill(LOCK));
        for (name, main) in [("alpha", ALPHA), ("beta", BETA)] {
            self.file(&format!("{name}/src/main.rs"), main);
            self.file(&format!("workloads/{name}.toml"), &CASES.replace("NAME", name));
        }
        let uses = format!("{PACKAGE}[dependencies]\ntally = {{ path = \"../tally\" }}\n");
        self.file("alpha/Cargo.toml", &uses.replace("NAME", "alpha"));
        self.file("beta/Cargo.toml", &PACKAGE.replace("NAME", "beta"));
        self.file("tally/Cargo.toml", &PACKAGE.replace("NAME", "tally"));
        self.file("tally/src/lib.rs", &fill(TALLY));
    }

    pub(crate) fn file(&self, name: &str, text: &str) {
        let path = self.root.join(name);
        if std::fs::read_to_string(&path).is_ok_and(|old| old == text) {
            return;
        }
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }

    /// Runs one command of the pipeline on the workspace.
    pub(crate) fn run(&self, words: &[&str], profiles: &Path) -> Done {
        self.run_with(words, profiles, &[])
    }

    pub(crate) fn run_with(&self, words: &[&str], profiles: &Path, env: &[(&str, &str)]) -> Done {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(words).arg("--workspace").arg(&self.root).arg("--profile-dir").arg(profiles);
        if words[0] == "pgo-generate" {
            command.args(["--data-size=100", "--iterations=1"]);
        }
        // What cargo sets for this test is not meant for the workspace.
        let output = command.envs(env.iter().copied()).output().unwrap();
        Done {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Whether the compiler of the workspace has the standard library of `target`.
    pub(crate) fn can_build(&self, target: &str) -> bool {
        let mut rustc = Command::new("rustc");
        rustc.args(["--print", "target-libdir", "--target", target]).current_dir(&self.root);
        let output = rustc.output().unwrap();
        Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()
    }

    /// What `build-pgo` made.
    pub(crate) fn program(&self, tool: &str) -> PathBuf {
        self.root.join("target/pgo/build/optimised").join(target()).join("dist").join(tool)
    }
}

impl Done {
    /// The last line of the error output, which says what is wrong; asserts the exit code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> String {
        assert_eq!(self.code, code, "{}\n{}", self.stdout, self.stderr);
        self.stderr.lines().last().unwrap_or_default().to_owned()
    }
}

/// This machine's target triple.
pub(crate) fn target() -> &'static str {
    static TARGET: OnceLock<String> = OnceLock::new();
    TARGET.get_or_init(|| {
        let answer = Command::new("rustc").arg("-vV").output().unwrap().stdout;
        let text = String::from_utf8(answer).unwrap();
        text.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
    })
}
