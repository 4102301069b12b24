//! Go's glob syntax, on names that need not be UTF-8: `*`, `?`, `[a-z]`, `[^a-z]` and `\x`, each
//! within one path component. No `**`, no braces, and a leading dot is a character like others.
//! Never opens a file.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::access::Access;

/// Bytes of paths that globs from afar may look at. Links such as `/proc/self/root` make trees
/// without an end.
const REMOTE_EFFORT: usize = 16 << 20;

/// Why a glob is not evaluated.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BadGlob {
    /// It is malformed.
    Malformed,
    /// More would have to be looked at than may be.
    TooWide,
}

/// What globs may still cost, in bytes of the paths they look at.
#[derive(Debug)]
pub(crate) struct Effort(usize);

impl Effort {
    /// Whoever may read everything may also take their time.
    pub(crate) fn new(access: &Access) -> Effort {
        Effort(if access.is_everything() { usize::MAX } else { REMOTE_EFFORT })
    }

    fn spend(&mut self, bytes: usize) -> Result<(), BadGlob> {
        self.0 = self.0.checked_sub(bytes).ok_or(BadGlob::TooWide)?;
        Ok(())
    }
}

/// A Unicode scalar value, or an invalid byte beyond their range.
type Rune = u32;

#[derive(Debug)]
enum Token {
    /// `*`
    Many,
    /// `?`
    One,
    Rune(Rune),
    Class {
        negated: bool,
        ranges: Vec<(Rune, Rune)>,
    },
}

/// Whether a path has glob characters at all.
pub(crate) fn has_meta(path: &[u8]) -> bool {
    path.iter().any(|byte| br"*?[\".contains(byte))
}

/// All paths that match, sorted. What cannot be listed matches nothing, as in Go.
pub(crate) fn expand(glob: &[u8], effort: &mut Effort) -> Result<Vec<PathBuf>, BadGlob> {
    let root = if glob.starts_with(b"/") { "/" } else { "" };
    let mut found = vec![PathBuf::from(root)];
    for component in components(glob) {
        if has_meta(component) {
            let tokens = parse(component)?;
            let mut inside = Vec::new();
            for folder in &found {
                list(folder, &tokens, effort, &mut inside)?;
            }
            found = inside;
        } else {
            let name = OsStr::from_bytes(component);
            for path in &mut found {
                path.push(name);
                effort.spend(path.as_os_str().len())?;
            }
            found.retain(|path| path.symlink_metadata().is_ok());
        }
    }
    found.sort();
    Ok(found)
}

/// The components of a cleaned path: no empty ones, no `.`, and a `..` takes back what is before
/// it, as DTail does it before a glob is evaluated.
pub(crate) fn components(path: &[u8]) -> Vec<&[u8]> {
    let mut cleaned: Vec<&[u8]> = Vec::new();
    for name in path.split(|&byte| byte == b'/') {
        match (name, cleaned.last()) {
            (b"" | b".", _) => {}
            (b"..", None) if path.starts_with(b"/") => {}
            (b"..", Some(before)) if *before != b".." => {
                cleaned.pop();
            }
            _ => cleaned.push(name),
        }
    }
    cleaned
}

/// Adds what matches in a folder to `found`.
fn list(
    folder: &Path,
    tokens: &[Token],
    effort: &mut Effort,
    found: &mut Vec<PathBuf>,
) -> Result<(), BadGlob> {
    let listed = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let Ok(entries) = fs::read_dir(listed) else { return Ok(()) };
    for entry in entries.flatten() {
        let name = entry.file_name().into_vec();
        effort.spend(folder.as_os_str().len() + name.len())?;
        if matches(tokens, &runes(&name)) {
            found.push(folder.join(OsStr::from_bytes(&name)));
        }
    }
    Ok(())
}

fn runes(name: &[u8]) -> Vec<Rune> {
    let mut runes = Vec::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        runes.extend(chunk.valid().chars().map(Rune::from));
        runes.extend(chunk.invalid().iter().map(|&byte| 0x11_0000 + Rune::from(byte)));
    }
    runes
}

fn parse(component: &[u8]) -> Result<Vec<Token>, BadGlob> {
    let runes = runes(component);
    let mut rest = runes.as_slice();
    let mut tokens = Vec::new();
    while let Some((&rune, after)) = rest.split_first() {
        rest = after;
        tokens.push(match char::from_u32(rune) {
            Some('*') => Token::Many,
            Some('?') => Token::One,
            Some('\\') => Token::Rune(next(&mut rest)?),
            Some('[') => class(&mut rest)?,
            _ => Token::Rune(rune),
        });
    }
    Ok(tokens)
}

fn next(rest: &mut &[Rune]) -> Result<Rune, BadGlob> {
    let (&rune, after) = rest.split_first().ok_or(BadGlob::Malformed)?;
    *rest = after;
    Ok(rune)
}

/// After the `[`.
fn class(rest: &mut &[Rune]) -> Result<Token, BadGlob> {
    const CARET: Rune = '^' as Rune;
    const CLOSE: Rune = ']' as Rune;
    const DASH: Rune = '-' as Rune;
    let negated = rest.first() == Some(&CARET);
    if negated {
        next(rest)?;
    }
    let mut ranges = Vec::new();
    loop {
        if rest.first() == Some(&CLOSE) && !ranges.is_empty() {
            next(rest)?;
            return Ok(Token::Class { negated, ranges });
        }
        let low = class_member(rest)?;
        let mut high = low;
        if rest.first() == Some(&DASH) {
            next(rest)?;
            high = class_member(rest)?;
        }
        ranges.push((low, high));
    }
}

fn class_member(rest: &mut &[Rune]) -> Result<Rune, BadGlob> {
    let rune = next(rest)?;
    match char::from_u32(rune) {
        Some('-' | ']') => Err(BadGlob::Malformed),
        Some('\\') => next(rest),
        _ => Ok(rune),
    }
}

/// Whether a whole name matches. Only the last `*` met is ever tried again, so the cost is at most
/// the product of both lengths.
fn matches(tokens: &[Token], name: &[Rune]) -> bool {
    let (mut token, mut rune) = (0, 0);
    let mut retry = None;
    loop {
        match (tokens.get(token), name.get(rune)) {
            (None, None) => return true,
            (Some(Token::Many), _) => {
                retry = Some((token + 1, rune));
                token += 1;
                continue;
            }
            (Some(single), Some(&here)) if single.accepts(here) => {
                token += 1;
                rune += 1;
                continue;
            }
            _ => {}
        }
        match retry {
            Some((after_star, start)) if start < name.len() => {
                retry = Some((after_star, start + 1));
                token = after_star;
                rune = start + 1;
            }
            _ => return false,
        }
    }
}

impl Token {
    fn accepts(&self, rune: Rune) -> bool {
        match self {
            Token::Many | Token::One => true,
            Token::Rune(expected) => *expected == rune,
            Token::Class { negated, ranges } => {
                ranges.iter().any(|&(low, high)| (low..=high).contains(&rune)) != *negated
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use expect_test::{Expect, expect};

    use super::{BadGlob, Effort, expand, matches, parse, runes};

    #[track_caller]
    fn check(glob: &[u8], names: &[&[u8]], expected: &Expect) {
        let Ok(tokens) = parse(glob) else { return expected.assert_eq("malformed") };
        let matching: Vec<String> = names
            .iter()
            .filter(|name| matches(&tokens, &runes(name)))
            .map(|name| name.escape_ascii().to_string())
            .collect();
        expected.assert_eq(&matching.join(" "));
    }

    #[test]
    fn stars_match_any_sequence() {
        let names: &[&[u8]] = &[b"a.log", b".log", b"b.log.1", b"log", b"xaxbx"];
        check(b"*", names, &expect!["a.log .log b.log.1 log xaxbx"]);
        check(b"*.log", names, &expect!["a.log .log"]);
        check(b"*a*b*", names, &expect!["xaxbx"]);
        check(b"**log*", names, &expect!["a.log .log b.log.1 log"]);
        check(b"x*x*x*x", names, &expect![""]);
    }

    #[test]
    fn a_question_mark_is_one_character() {
        check(
            b"a?b",
            &[b"axb", b"a\xc3\xa9b", b"a\xffb", b"ab", b"axxb"],
            &expect![[r"axb a\xc3\xa9b a\xffb"]],
        );
    }

    #[test]
    fn classes_follow_go() {
        let names: &[&[u8]] = &[b"a", b"m", b"z", b"-", b"]", b"^", b"!"];
        check(b"[a-m]", names, &expect!["a m"]);
        check(b"[^a-m]", names, &expect!["z - ] ^ !"]);
        check(b"[!a]", names, &expect!["a !"]);
        check(br"[\-\]]", names, &expect!["- ]"]);
        check(br"\z", names, &expect!["z"]);
        for malformed in [&b"[a"[..], b"[]a]", b"[-a]", b"[a-]", b"a\\", b"["] {
            check(malformed, names, &expect!["malformed"]);
        }
    }

    #[test]
    fn paths_expand_by_component_and_sorted() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for path in ["b/x.log", "a/x.log", "a/y.txt", "c.log"] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("has a parent")).expect("a folder");
            File::create(path).expect("a file");
        }
        let show = |glob: &str| {
            let glob = format!("{}/{glob}", folder.path().display());
            let found = expand(glob.as_bytes(), &mut Effort(1 << 20)).expect("well-formed");
            let names = found.iter().map(|path| path.strip_prefix(folder.path()).expect("below"));
            names.map(|name| name.display().to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(show("*/*.log"), "a/x.log b/x.log");
        assert_eq!(show("*/x.log"), "a/x.log b/x.log");
        assert_eq!(show("./[ac]*"), "a c.log");
        assert_eq!(show("*/none"), "");
        assert_eq!(show("c.log/*"), "");
        assert_eq!(expand(b"/[x", &mut Effort(0)), Err(BadGlob::Malformed));
    }

    #[test]
    fn a_tree_without_an_end_is_not_searched() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for link in ["a", "b"] {
            std::os::unix::fs::symlink(".", folder.path().join(link)).expect("a link");
        }
        let glob = |depth| format!("{}{}", folder.path().display(), "/*".repeat(depth));
        let mut effort = Effort(1 << 20);
        assert_eq!(expand(glob(3).as_bytes(), &mut effort).map(|found| found.len()), Ok(8));
        assert_eq!(expand(glob(30).as_bytes(), &mut effort), Err(BadGlob::TooWide));
    }
}
