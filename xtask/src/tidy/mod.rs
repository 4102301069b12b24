//! The rules of the house, checked over the files of the workspace. Every offence is reported at
//! once, as `path:line: what is wrong`; each rule has a test of its own.

mod manifests;
mod sources;

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::book::{self, links};
use crate::recipe::own_root;

/// Everything that is against the rules.
#[derive(Default)]
pub(crate) struct Offences(Vec<String>);

impl Offences {
    fn add(&mut self, path: &str, line: usize, text: &str) {
        let place = if line == 0 { path.to_owned() } else { format!("{path}:{line}") };
        self.0.push(format!("{place}: {text}"));
    }
}

/// Checks the workspace and fails with the list of offences.
pub(crate) fn tidy() -> Result<()> {
    let offences = check(own_root())?;
    let count = offences.0.len();
    anyhow::ensure!(count == 0, "{count} offences against the rules:\n{}", offences.0.join("\n"));
    Ok(())
}

fn check(root: &Path) -> Result<Offences> {
    let mut offences = Offences::default();
    for path in tracked_files(root)? {
        let Ok(text) = std::fs::read_to_string(root.join(&path)) else { continue };
        sources::check(&path, &text, &mut offences);
    }
    manifests::check(root, &mut offences)?;
    for (page, line, what) in links::check(root, &book::pages(root)?) {
        offences.add(&page, line, &what);
    }
    Ok(offences)
}

/// The files git tracks or would track; outside a checkout, nothing to check is an error.
fn tracked_files(root: &Path) -> Result<Vec<String>> {
    let output = std::process::Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .context("cannot run git")?;
    anyhow::ensure!(output.status.success(), "git ls-files failed; tidy needs a git checkout");
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_workspace_is_tidy() {
        if let Err(error) = super::tidy() {
            panic!("{error}");
        }
    }
}
