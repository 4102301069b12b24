//! The family's other programs, as built beside the running test. Never builds what is up to date.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// Programs that were looked at already.
static FOUND: Mutex<Option<HashMap<String, PathBuf>>> = Mutex::new(None);

/// The program `name`, built in the profile of the running test if it is missing or older than its
/// sources.
#[track_caller]
pub fn sibling(name: &str) -> PathBuf {
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    let found = found.get_or_insert_default();
    if let Some(path) = found.get(name) {
        return path.clone();
    }
    let folder = profile_folder();
    let path = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    if !is_fresh(&path) {
        build(name, &folder);
    }
    assert!(path.exists(), "cargo did not make {}", path.display());
    found.insert(name.to_owned(), path.clone());
    path
}

/// `target/debug` for a test in `target/debug/deps`.
fn profile_folder() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    let folder = test.parent().and_then(Path::parent).expect("a test is in target/*/deps");
    folder.to_owned()
}

/// Whether the program is there and nothing that cargo made it from is newer.
fn is_fresh(path: &Path) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|it| it.modified()).ok();
    let Some(made) = modified(path) else { return false };
    let sources = fs::read_to_string(path.with_extension("d")).unwrap_or_default();
    let Some((_, sources)) = sources.split_once(": ") else { return false };
    // Cargo writes a blank in a path as `\ `.
    let sources = sources.trim().replace("\\ ", "\0");
    let is_older = |source: &str| {
        let source = source.replace('\0', " ");
        modified(Path::new(&source)).unwrap_or(SystemTime::now()) <= made
    };
    sources.split(' ').all(is_older)
}

fn build(name: &str, folder: &Path) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let profile = folder.file_name().and_then(|it| it.to_str()).expect("a profile has a name");
    let profile = if profile == "debug" { "dev" } else { profile };
    let above = folder.parent().expect("a profile's folder is in the target directory");
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--package", name, "--profile", profile]);
    // With `--target` there is one more folder, named after it.
    match above.file_name().and_then(|it| it.to_str()) {
        Some(target) if !above.join(".rustc_info.json").exists() => {
            let root = above.parent().expect("a target's folder is in the target directory");
            command.args(["--target", target]).arg("--target-dir").arg(root);
        }
        _ => {
            command.arg("--target-dir").arg(above);
        }
    }
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    let status = command.status().unwrap_or_else(|err| panic!("cannot run cargo: {err}"));
    assert!(status.success(), "cannot build {name}");
}
