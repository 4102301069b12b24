//! The documentation as a book: its pages, the parts of them that are made of what programs and
//! code say, and where links go. Pure but for reading pages; writing them is the recipe's work.

pub(crate) mod links;
pub(crate) mod made;
pub(crate) mod parts;
#[cfg(test)]
mod tests;

use std::path::Path;

use anyhow::{Context as _, Result};

/// A page, with its path from the root of the workspace.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// The folder of the book.
pub(crate) const FOLDER: &str = "docs";
/// The list of its pages, in mdBook's form.
pub(crate) const SUMMARY: &str = "docs/SUMMARY.md";

/// Every page of the book, and the README, by name.
pub(crate) fn pages(root: &Path) -> Result<Vec<Page>> {
    let mut pages = vec![page(root, &root.join("README.md"))?];
    for entry in walkdir::WalkDir::new(root.join(FOLDER)).sort_by_file_name() {
        let entry = entry.context("cannot look through docs")?;
        if entry.path().extension().is_some_and(|extension| extension == "md") {
            pages.push(page(root, entry.path())?);
        }
    }
    Ok(pages)
}

fn page(root: &Path, path: &Path) -> Result<Page> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let path = path.strip_prefix(root).unwrap_or(path).display().to_string();
    Ok(Page { path, text })
}
