//! From a file argument to the files it names and their source ids. Never opens a file.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::access::Access;
use crate::error::FileError;
use crate::glob::{self, BadGlob, Effort};
use crate::journal::{self, PREFIX};
use crate::opening::check_access;
use crate::site::Site;

/// Where the bytes of a target are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Standard input.
    Stdin,
    /// A path, which need not exist.
    File(PathBuf),
    /// The journal of a systemd unit.
    Journal(String),
}

/// Something to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Where the bytes are.
    pub place: Place,
    /// DTail's source id: of a glob the path components that `*` stood for, joined by `/`; else
    /// the file name; `-` for standard input; `journal:UNIT` for a journal. Lossy UTF-8.
    pub source: Arc<str>,
}

/// What a file argument names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Targets {
    /// In sorted order.
    pub targets: Vec<Target>,
    /// Matches left out because there were more than allowed.
    pub dropped: usize,
    /// Matches left out because they are not permitted: what to tell the operator of the host.
    pub withheld: Option<String>,
}

impl Target {
    /// Standard input.
    pub(crate) fn stdin() -> Target {
        Target { place: Place::Stdin, source: "-".into() }
    }

    /// A path that no glob led to.
    pub(crate) fn file(path: &Path) -> Target {
        let name = path.file_name().unwrap_or(path.as_os_str());
        Target { place: Place::File(path.to_owned()), source: name.to_string_lossy().into() }
    }

    /// The journal of a unit.
    pub(crate) fn journal(unit: String) -> Target {
        let source = format!("{PREFIX}{unit}").into();
        Target { place: Place::Journal(unit), source }
    }

    /// What to call the target in messages.
    pub fn name(&self) -> String {
        match &self.place {
            Place::Stdin => "standard input".to_owned(),
            Place::File(path) => path.display().to_string(),
            Place::Journal(unit) => format!("{PREFIX}{unit}"),
        }
    }
}

/// The files that an argument names: `-` is standard input; `journal:UNIT` is a journal; a path
/// that exists is taken literally even when it looks like a glob; a glob that matches nothing is an
/// error, a missing path not yet. Matches of a glob that are not permitted are left out, and are
/// not told from a glob that matches nothing.
pub fn resolve(argument: &OsStr, max_targets: usize, site: &Site) -> Result<Targets, FileError> {
    resolve_within(&mut Effort::new(&site.access), argument, max_targets, site)
}

/// As [`resolve`], for one of several arguments that share their effort.
pub(crate) fn resolve_within(
    effort: &mut Effort,
    argument: &OsStr,
    max_targets: usize,
    site: &Site,
) -> Result<Targets, FileError> {
    let single = |target| Targets { targets: vec![target], dropped: 0, withheld: None };
    if argument == "-" {
        return Ok(single(Target::stdin()));
    }
    if let Some(unit) = journal::unit(argument.as_bytes(), site) {
        return unit.map(|unit| single(Target::journal(unit)));
    }
    if !is_glob(argument, site) {
        return Ok(single(Target::file(Path::new(argument))));
    }
    let named = || argument.to_string_lossy().into_owned();
    let expanded = glob::expand(argument.as_bytes(), effort);
    let mut paths = expanded.map_err(|bad| match bad {
        BadGlob::Malformed => FileError::BadGlob(named()),
        BadGlob::TooWide => FileError::WideGlob(named()),
    })?;
    let withheld = withhold(&mut paths, argument, &site.access);
    if paths.is_empty() && !site.access.is_everything() {
        let reason = withheld.unwrap_or_else(|| "no file matches".to_owned());
        return Err(FileError::Refused { name: named(), reason });
    }
    if paths.is_empty() {
        return Err(FileError::NoMatch(named()));
    }
    let dropped = paths.len().saturating_sub(max_targets);
    paths.truncate(max_targets);
    let target = |path: PathBuf| {
        let source = glob_source(argument, &path);
        Target { place: Place::File(path), source }
    };
    Ok(Targets { targets: paths.into_iter().map(target).collect(), dropped, withheld })
}

/// Leaves out what is not permitted. Returns what to tell the operator, if there is such a path.
fn withhold(paths: &mut Vec<PathBuf>, glob: &OsStr, access: &Access) -> Option<String> {
    let mut first = None;
    let found = paths.len();
    paths.retain(|path| match check_access(path, access) {
        Ok(()) => true,
        Err(err) => {
            first.get_or_insert(err);
            false
        }
    });
    let count = found - paths.len();
    let secret = first?.secret()?;
    Some(format!("{count} of {found} matches of {} left out, first: {secret}", glob.display()))
}

/// Whether an argument is read as a glob now. It is not while a readable file of that very name
/// exists.
pub(crate) fn is_glob(argument: &OsStr, site: &Site) -> bool {
    let path = Path::new(argument);
    glob::has_meta(argument.as_bytes())
        && (path.symlink_metadata().is_err() || check_access(path, &site.access).is_err())
}

/// Only `*` counts for a source id; `?` and `[` do not.
fn glob_source(glob: &OsStr, path: &Path) -> Arc<str> {
    let starred: Vec<_> = glob::components(glob.as_bytes())
        .into_iter()
        .zip(glob::components(path.as_os_str().as_bytes()))
        .filter(|(pattern, _)| pattern.contains(&b'*'))
        .map(|(_, name)| String::from_utf8_lossy(name))
        .collect();
    if starred.is_empty() { Target::file(path).source } else { starred.join("/").into() }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::fs::{self, File};
    use std::os::unix::ffi::OsStrExt;

    use expect_test::{Expect, expect};

    use super::resolve;
    use crate::site::Site;

    const NAMES: &[&str] = &["web1/app.log", "web2/app.log", "web2/a b.log", "a*", "ab"];

    /// Resolves an argument in a folder with the files of `NAMES`; shows the source ids.
    #[track_caller]
    fn check(argument: &[u8], max_targets: usize, expected: &Expect) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in NAMES {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("has a parent")).expect("a folder");
            File::create(path).expect("a file");
        }
        let mut full = folder.path().as_os_str().as_bytes().to_vec();
        full.push(b'/');
        full.extend_from_slice(argument);
        let shown = match resolve(OsStr::from_bytes(&full), max_targets, &Site::default()) {
            Ok(found) => {
                let mut shown: Vec<_> =
                    found.targets.iter().map(|target| target.source.to_string()).collect();
                if found.dropped > 0 {
                    shown.push(format!("and {} more", found.dropped));
                }
                shown.join(", ")
            }
            Err(err) => err.to_string().replace(&folder.path().display().to_string(), "DIR"),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn a_plain_path_has_its_name_as_source() {
        check(b"web1/app.log", 9, &expect!["app.log"]);
        check(b"web2/a b.log", 9, &expect!["a b.log"]);
        check(b"missing", 9, &expect!["missing"]);
        check(b"x\xff", 9, &expect!["x\u{fffd}"]);
    }

    #[test]
    fn only_starred_components_make_the_source() {
        check(b"web*/app.log", 9, &expect!["web1, web2"]);
        check(b"web*/*.log", 9, &expect!["web1/app.log, web2/a b.log, web2/app.log"]);
        check(b"web?/app.log", 9, &expect!["app.log, app.log"]);
        check(b".//web2/./*pp.log", 9, &expect!["app.log"]);
        check(b"web*/../web1/app.l*", 9, &expect!["app.log"]);
        check(b"nodir/../web*/app.log", 9, &expect!["web1, web2"]);
    }

    #[test]
    fn an_existing_name_wins_over_the_glob() {
        check(b"a*", 9, &expect!["a*"]);
    }

    #[test]
    fn too_many_matches_are_counted() {
        check(b"web*/*", 2, &expect!["web1/app.log, web2/a b.log, and 1 more"]);
    }

    #[test]
    fn useless_globs_are_errors() {
        check(b"none*", 9, &expect!["no file matches DIR/none*"]);
        check(b"[", 9, &expect![[r#"malformed glob "DIR/[""#]]);
    }
}
