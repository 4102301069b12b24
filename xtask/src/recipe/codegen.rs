//! `codegen`: builds the programs, asks them for their help, and writes the generated parts of
//! docs/ anew, or with `--check` tells which page is not what it should be.

use std::path::Path;

use anyhow::{Context as _, Result};
use xshell::cmd;

use crate::atomic;
use crate::book::made::{self, ProgramHelp};
use crate::book::{self, parts};
use crate::cargo::executables;
use crate::ctx::Ctx;
use crate::fault::{Fault, refuse};
use crate::recipe::own_root;
use crate::report::{self, Report};

/// The `report.json` of the run that the documentation tells of.
const RESULTS: &str = "docs/results.json";
/// The programs whose help is part of the documentation.
const PROGRAMS: [&str; 7] =
    ["dcat", "dgrep", "dmap", "dtail", "dserver", "dtailhealth", "dprofile"];

/// The command: writes pages, or only looks.
pub(crate) fn codegen(check: bool) -> Result<()> {
    let ctx = Ctx::new(own_root(), Path::new("target/ci"), false, None)?;
    generate(&ctx, check)
}

/// The same within another recipe.
pub(crate) fn generate(ctx: &Ctx, check: bool) -> Result<()> {
    let report = ctx.root.join(RESULTS);
    let report = report.is_file().then(|| report::read(&report)).transpose()?;
    let changed = write_pages(&ctx.root, &helps(ctx)?, report.as_ref(), check)?;
    if check && !changed.is_empty() {
        let pages = changed.join(", ");
        let text = format!("{pages}: not what the programs say; mend it with: cargo xtask codegen");
        return Err(refuse(Fault::Drift, text));
    }
    changed.iter().for_each(|page| println!("{page}"));
    Ok(())
}

/// What each program prints for `--help`, as it is built from today's sources.
fn helps(ctx: &Ctx) -> Result<Vec<ProgramHelp>> {
    let packages = PROGRAMS.iter().flat_map(|program| ["--package", program]);
    let built = ctx.run(
        cmd!(ctx.sh, "cargo build --locked --bins --message-format json {packages...}"),
        "codegen",
    )?;
    let paths = executables(&built);
    let help = |program: &&str| {
        let path = paths.get(*program).with_context(|| format!("cargo built no {program}"))?;
        Ok(((*program).to_owned(), ctx.ask(path, &["--help"])?))
    };
    PROGRAMS.iter().map(help).collect()
}

/// Names the pages that had to change; `check` leaves them as they are.
fn write_pages(
    root: &Path,
    helps: &[ProgramHelp],
    report: Option<&Report>,
    check: bool,
) -> Result<Vec<String>> {
    let mut changed = Vec::new();
    for page in book::pages(root)? {
        let part = |name: &str| made::part(name, helps, report);
        let text = parts::filled(&page.text, &part)
            .map_err(|error| refuse(Fault::Usage, format!("{}: {error}", page.path)))?;
        if text == page.text {
            continue;
        }
        if !check {
            atomic::write(&root.join(&page.path), text.as_bytes())?;
        }
        changed.push(page.path);
    }
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use super::write_pages;

    #[test]
    fn a_page_that_drifted_is_named_and_mended() {
        let dir = tempfile::tempdir().unwrap();
        let page = dir.path().join("docs/a.md");
        let old = "# A\n<!-- codegen:help-x -->\nold\n<!-- /codegen -->\n";
        crate::atomic::write(&page, old.as_bytes()).unwrap();
        crate::atomic::write(&dir.path().join("README.md"), b"# R\n").unwrap();
        let helps = [("x".to_owned(), "new\n".to_owned())];
        assert_eq!(write_pages(dir.path(), &helps, None, true).unwrap(), ["docs/a.md"]);
        assert_eq!(std::fs::read_to_string(&page).unwrap(), old);
        assert_eq!(write_pages(dir.path(), &helps, None, false).unwrap(), ["docs/a.md"]);
        assert!(std::fs::read_to_string(&page).unwrap().contains("```text\nnew\n```"));
        assert!(write_pages(dir.path(), &helps, None, true).unwrap().is_empty());
        assert!(write_pages(dir.path(), &[], None, true).is_err());
    }
}
