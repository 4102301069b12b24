//! Which files are meant: --files, else the arguments, else standard input. Never opens one.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, IsTerminal};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// What the arguments that are no flags mean.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Named {
    /// Paths, globs and `-` in order.
    pub(crate) files: Vec<OsString>,
    /// The argument that is a query.
    pub(crate) query: Option<String>,
}

/// Sorts out the arguments. One of them is a query only if `takes_query`. Files of other machines
/// are not looked for here.
pub(crate) fn named(
    arguments: &[OsString],
    list: Option<&OsStr>,
    takes_query: bool,
    is_remote: bool,
) -> Named {
    let mut named = Named::default();
    let mut rest = Vec::new();
    for argument in arguments {
        match argument.to_str() {
            Some(text) if takes_query && named.query.is_none() && is_query(text) => {
                named.query = Some(text.to_owned());
            }
            _ => rest.push(argument),
        }
    }
    named.files = match list.filter(|list| !list.is_empty()) {
        // As in DTail the arguments then are not looked at.
        Some(list) => split(list),
        None if is_remote => rest.into_iter().flat_map(|argument| split(argument)).collect(),
        None => rest.into_iter().flat_map(|argument| split_unless_file(argument)).collect(),
    };
    named
}

/// Standard input, for a program that was given no file. An error when that is a terminal, where
/// the program would seem to hang.
pub(crate) fn standard_input(program: &str) -> Result<Vec<OsString>, String> {
    if io::stdin().is_terminal() {
        return Err(format!(
            "no files given: name some or pipe something in (see {program} --help)"
        ));
    }
    Ok(vec!["-".into()])
}

fn is_query(argument: &str) -> bool {
    argument.to_ascii_lowercase().contains("select ")
}

fn split(list: &OsStr) -> Vec<OsString> {
    let parts = list.as_bytes().split(|byte| *byte == b',');
    parts.filter(|part| !part.is_empty()).map(|part| OsString::from_vec(part.to_vec())).collect()
}

/// DTail splits arguments at commas as it does with --files; but a file whose name has a comma in
/// it is that file.
fn split_unless_file(argument: &OsStr) -> Vec<OsString> {
    let parts = split(argument);
    // An empty argument is most likely a variable that is not set. Standard input is not meant.
    if parts.is_empty() || fs::symlink_metadata(argument).is_ok() {
        return vec![argument.to_owned()];
    }
    parts
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::named;

    #[track_caller]
    fn check(arguments: &[&str], list: Option<&str>, takes_query: bool, expected: &Expect) {
        let arguments: Vec<_> = arguments.iter().map(Into::into).collect();
        let named = named(&arguments, list.map(AsRef::as_ref), takes_query, false);
        expected.assert_eq(&format!("{:?} {:?}", named.files, named.query));
    }

    #[test]
    fn a_list_wins_over_arguments() {
        check(
            &["c"],
            Some("a b,,/var/log/*.log"),
            false,
            &expect![[r#"["a b", "/var/log/*.log"] None"#]],
        );
        check(
            &["c d", "-", "e,f", ""],
            Some(""),
            false,
            &expect![[r#"["c d", "-", "e", "f", ""] None"#]],
        );
    }

    #[test]
    fn the_first_argument_with_select_is_the_query_of_tools_that_have_one() {
        let arguments = ["a", "from X SELECT count(*)", "my select file"];
        check(
            &arguments,
            None,
            true,
            &expect![[r#"["a", "my select file"] Some("from X SELECT count(*)")"#]],
        );
        check(
            &arguments,
            None,
            false,
            &expect![[r#"["a", "from X SELECT count(*)", "my select file"] None"#]],
        );
        check(&["select x"], Some("f"), true, &expect![[r#"["f"] Some("select x")"#]]);
    }
}
