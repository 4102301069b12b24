//! DTail's permission rules. Never opens a file and never knows users.

use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use dtail_lines::Access;
use dtail_search::Pattern;

/// The only kind of permission there is in DTail.
const READ_FILES: &str = "readfiles";

/// A list of rules `[readfiles:]["!"]REGEX`, unanchored, in Go's syntax, matched with the absolute
/// path after symlinks are resolved, or with the whole specification `journal:UNIT`. A path is
/// readable when no rule with `!` matches and at least one without does; so without rules nothing
/// is. A path that contains a newline is never readable.
///
/// A word of letters before the first colon of a rule is its type, except `journal`, which begins
/// a regular expression; any other type than `readfiles` is an error. (DTail takes whatever stands
/// before the first colon for a type, and then ignores the rule.)
#[derive(Debug, Clone)]
pub struct Permissions {
    allow: Vec<Pattern>,
    deny: Vec<Pattern>,
}

/// A rule that cannot be understood. One line that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRule {
    rule: String,
    reason: String,
}

impl fmt::Display for BadRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "permission rule {:?}: {}", self.rule, self.reason)
    }
}

impl std::error::Error for BadRule {}

impl Permissions {
    /// Compiles rules. One bad rule spoils all: leaving it out could permit what it denies.
    pub fn parse(rules: &[String]) -> Result<Permissions, BadRule> {
        let mut permissions = Permissions { allow: Vec::new(), deny: Vec::new() };
        for rule in rules {
            let bad = |reason: String| BadRule { rule: rule.clone(), reason };
            let (denies, regex) = split(rule).map_err(bad)?;
            let pattern = Pattern::expression(regex).map_err(|err| bad(err.to_string()))?;
            let list = if denies { &mut permissions.deny } else { &mut permissions.allow };
            list.push(pattern);
        }
        Ok(permissions)
    }

    /// Whether a resolved path or a journal may be read.
    pub fn allows(&self, path: &Path) -> bool {
        let path = path.as_os_str().as_bytes();
        let matches = |pattern: &Pattern| pattern.over(path).next_run(0).is_some();
        // Patterns know lines only; with a newline, `^` and `$` would match within the path.
        !path.contains(&b'\n') && !self.deny.iter().any(matches) && self.allow.iter().any(matches)
    }
}

impl From<Permissions> for Access {
    fn from(permissions: Permissions) -> Access {
        Access::when(move |path| permissions.allows(path))
    }
}

/// Whether a rule denies, and its regular expression. The error is the reason.
fn split(rule: &str) -> Result<(bool, &str), String> {
    let mut rest = rule;
    if let Some((word, after)) = rule.split_once(':') {
        let is_word = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphabetic());
        match word {
            READ_FILES => rest = after,
            "!readfiles" => return Err(format!("write readfiles:!{after}")),
            _ if is_word && word != "journal" => {
                return Err(format!(
                    "unknown type {word}, the only one is {READ_FILES} (a regular expression that \
                     begins like this is written {READ_FILES}:{rule})"
                ));
            }
            _ => {}
        }
    }
    let (denies, regex) = match rest.strip_prefix('!') {
        Some(regex) => (true, regex),
        None => (false, rest),
    };
    if regex.is_empty() {
        return Err("it is empty, write . for every file".to_owned());
    }
    Ok((denies, regex))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    use dtail_lines::Access;
    use expect_test::{Expect, expect};

    use super::Permissions;

    const PATHS: &[&[u8]] = &[
        b"/var/log/app.log",
        b"/var/log/secret.log",
        b"/etc/passwd",
        b"/srv/a:b",
        b"journal:nginx",
        b"/var/log/app.log\n/etc",
        b"/var/log/\xff.log",
    ];

    /// Shows which of `PATHS` are allowed.
    #[track_caller]
    fn check(rules: &[&str], expected: &Expect) {
        let rules: Vec<String> = rules.iter().map(|&rule| rule.to_owned()).collect();
        let shown = match Permissions::parse(&rules) {
            Ok(permissions) => {
                let access = Access::from(permissions.clone());
                let allowed = PATHS.iter().filter(|path| {
                    let path = Path::new(OsStr::from_bytes(path));
                    assert_eq!(access.permits(path), permissions.allows(path));
                    permissions.allows(path)
                });
                allowed.map(|path| path.escape_ascii().to_string()).collect::<Vec<_>>().join(" ")
            }
            Err(err) => err.to_string(),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn one_rule_allows_unless_another_denies() {
        check(&[], &expect![""]);
        check(
            &["^/.*"],
            &expect![[
                r"/var/log/app.log /var/log/secret.log /etc/passwd /srv/a:b /var/log/\xff.log"
            ]],
        );
        check(
            &["^/var/log/.*\\.log$", "!secret"],
            &expect![[r"/var/log/app.log /var/log/\xff.log"]],
        );
        check(
            &["!secret", "readfiles:!passwd", "readfiles:^/(var|etc)/"],
            &expect![[r"/var/log/app.log /var/log/\xff.log"]],
        );
        check(&["!^/var"], &expect![""]);
    }

    #[test]
    fn a_newline_in_a_path_opens_no_door() {
        check(
            &["log$", "^/etc$"],
            &expect![[r"/var/log/app.log /var/log/secret.log /var/log/\xff.log"]],
        );
        check(&["(?s)app.log.*etc"], &expect![""]);
    }

    #[test]
    fn a_colon_is_no_type() {
        check(&["^journal:"], &expect!["journal:nginx"]);
        check(&["journal:nginx"], &expect!["journal:nginx"]);
        check(&["readfiles:journal:nginx$"], &expect!["journal:nginx"]);
        check(&["^/srv/a:b"], &expect!["/srv/a:b"]);
        check(&["readfiles:a:b"], &expect!["/srv/a:b"]);
        check(&["(?i:PASSWD)"], &expect!["/etc/passwd"]);
        check(&["(?:passwd|nginx)$"], &expect!["/etc/passwd journal:nginx"]);
        check(&["[[:space:]:]b$"], &expect!["/srv/a:b"]);
    }

    #[test]
    fn a_bad_rule_spoils_all_and_is_named() {
        check(
            &["^/", "writefiles:^/srv"],
            &expect![[
                r#"permission rule "writefiles:^/srv": unknown type writefiles, the only one is readfiles (a regular expression that begins like this is written readfiles:writefiles:^/srv)"#
            ]],
        );
        check(
            &["!readfiles:secret"],
            &expect![[r#"permission rule "!readfiles:secret": write readfiles:!secret"#]],
        );
        check(
            &["^/", "!("],
            &expect![[r#"permission rule "!(": bad regular expression "(": unclosed group"#]],
        );
        for empty in ["", "!", "readfiles:", "readfiles:!"] {
            let shown = Permissions::parse(&[empty.to_owned()]).expect_err("refused").to_string();
            assert_eq!(
                shown,
                format!("permission rule {empty:?}: it is empty, write . for every file")
            );
        }
    }
}
