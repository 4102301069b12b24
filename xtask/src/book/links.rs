//! Where the pages of the book lead: every relative link to a file that is there, every anchor to a
//! heading, and the summary to every page. Looks at files, changes none.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use crate::book::{FOLDER, Page, SUMMARY};

/// A link that leads nowhere, or a page that none leads to: page, line, what is wrong.
pub(crate) type Lost = (String, usize, String);

/// A link as written, with its line.
#[derive(Debug, PartialEq)]
struct Link<'a> {
    line: usize,
    target: &'a str,
}

/// Checks all pages of the book; `root` is where their paths begin.
pub(crate) fn check(root: &Path, pages: &[Page]) -> Vec<Lost> {
    let mut lost = Vec::new();
    for page in pages {
        for link in links(&page.text) {
            if let Some(what) = judge(root, page, link.target, pages) {
                lost.push((page.path.clone(), link.line, what));
            }
        }
    }
    lost.extend(unlisted(pages));
    lost
}

/// Why a link leads nowhere.
fn judge(root: &Path, page: &Page, target: &str, pages: &[Page]) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = match file {
        "" => PathBuf::from(&page.path),
        _ => beside(&page.path, file),
    };
    if !root.join(&path).exists() {
        return Some(format!("`{target}` leads to no file"));
    }
    let named = path.display().to_string();
    let reached = pages.iter().find(|page| page.path == named)?;
    let known = anchor.is_empty() || anchors(&reached.text).contains(anchor);
    (!known).then(|| format!("`{target}` leads to no heading of {named}"))
}

/// The path of a file that is named relative to a page.
fn beside(page: &str, file: &str) -> PathBuf {
    let folder = Path::new(page).parent().unwrap_or(Path::new(""));
    let mut path = PathBuf::new();
    for component in folder.join(file).components() {
        match component {
            Component::ParentDir => drop(path.pop()),
            Component::CurDir => {}
            other => path.push(other),
        }
    }
    path
}

/// Pages of the book that its summary does not list.
fn unlisted(pages: &[Page]) -> Vec<Lost> {
    let summary = pages.iter().find(|page| page.path == SUMMARY);
    let summary = summary.map_or("", |page| page.text.as_str());
    let listed: BTreeSet<PathBuf> =
        links(summary).into_iter().map(|link| beside(SUMMARY, link.target)).collect();
    let is_lost = |page: &&Page| {
        let of_the_book = page.path.starts_with(&format!("{FOLDER}/")) && page.path != SUMMARY;
        of_the_book && !listed.contains(Path::new(&page.path))
    };
    let lost = pages.iter().filter(is_lost);
    lost.map(|page| (page.path.clone(), 0, format!("{SUMMARY} does not list it"))).collect()
}

/// The links of a page, but not what looks like one in code.
fn links(text: &str) -> Vec<Link<'_>> {
    let mut links = Vec::new();
    let mut in_block = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        }
        if in_block {
            continue;
        }
        let mut rest = line;
        while let Some((before, after)) = rest.split_once("](") {
            let Some((target, after)) = after.split_once(')') else { break };
            // An odd number of backticks before it: the bracket stands in code.
            let read = line.len() - rest.len() + before.len();
            if line[..read].matches('`').count() % 2 == 0 {
                links.push(Link { line: index + 1, target });
            }
            rest = after;
        }
    }
    links
}

/// What the headings of a page are called in links.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut in_block = false;
    let mut anchors = BTreeSet::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        }
        if in_block || !line.starts_with('#') {
            continue;
        }
        let title = line.trim_start_matches('#').trim();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
        anchors.insert(kept.collect::<String>().to_lowercase().replace(' ', "-"));
    }
    anchors
}

#[cfg(test)]
mod tests {
    use super::{Link, check, links};
    use crate::book::Page;

    fn page(path: &str, text: &str) -> Page {
        Page { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn links_in_code_are_none() {
        let text = "[a](b.md) `[c](d)` [e](f#g)\n```sh\n[h](i)\n```\n`x` [j](k)\n";
        let of = |line, target| Link { line, target };
        assert_eq!(links(text), [of(1, "b.md"), of(1, "f#g"), of(5, "k")]);
    }

    #[test]
    fn each_lost_link_and_page_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let pages = [
            page("README.md", "[a](docs/a.md) [gone](docs/gone.md) [web](https://x.example/y)\n"),
            page("docs/SUMMARY.md", "# Summary\n\n- [A](a.md)\n"),
            page("docs/a.md", "# A & b: c\n[up](../README.md) [here](#a--b-c) [no](#d)\n"),
            page("docs/b/c.md", "[a](../a.md#nowhere)\n"),
        ];
        for page in &pages {
            crate::atomic::write(&dir.path().join(&page.path), page.text.as_bytes()).unwrap();
        }
        let lost = check(dir.path(), &pages);
        let lost: Vec<String> =
            lost.into_iter().map(|(page, line, what)| format!("{page}:{line}: {what}")).collect();
        assert_eq!(
            lost,
            [
                "README.md:1: `docs/gone.md` leads to no file",
                "docs/a.md:2: `#d` leads to no heading of docs/a.md",
                "docs/b/c.md:1: `../a.md#nowhere` leads to no heading of docs/a.md",
                "docs/b/c.md:0: docs/SUMMARY.md does not list it",
            ]
        );
    }
}
