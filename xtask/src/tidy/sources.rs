//! Rules about the text of files.

use crate::tidy::Offences;

/// Lines per file at most.
const FILE_LINES: usize = 600;
/// What `tools/` must not know about.
const BUILD_LOGIC: [&str; 5] =
    ["RUSTFLAGS", "LLVM_PROFILE", "profdata", "profile-generate", "profile-use"];
/// Rust text that is not committed, with what to use instead. The halves are joined so that this
/// table does not offend against itself.
const BANNED: [(&str, &str, &str); 6] = [
    ("dbg", "!(", "use a test"),
    ("todo", "!(", "finish it or leave it out"),
    ("FIX", "ME", "fix it or file an issue"),
    ("#[ig", "nore", "assert what it does today"),
    ("#[should", "_panic", "return an error and assert it"),
    ("push_", "env(", "write `env NAME=value program`, so that the echo can be pasted"),
];
/// Text that belongs to one machine and not into a repository.
const MACHINE_BOUND: [(&str, &str); 3] = [("/ro", "ot/"), ("/ho", "me/"), ("artif", "actory")];

/// Checks one file.
pub(crate) fn check(path: &str, text: &str, offences: &mut Offences) {
    let is_rust = path.ends_with(".rs");
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let mut offend = |what: &str| offences.add(path, number, what);
        // rustfmt knows where blanks matter in Rust, Markdown uses them, and what a fuzzer found
        // stays as it was found.
        let found = ["/data/", "/corpus/"].iter().any(|folder| path.contains(folder));
        let exempt = is_rust || path.ends_with(".md") || found;
        if line.ends_with([' ', '\t']) && !exempt {
            offend("trailing blank");
        }
        for (head, tail) in MACHINE_BOUND {
            if line.contains(&format!("{head}{tail}")) {
                offend(&format!("`{head}{tail}` belongs to one machine"));
            }
        }
        if is_rust {
            check_rust_line(path, line, &mut offend);
        }
    }
    if is_rust {
        check_rust_file(path, text, offences);
    }
    if path.starts_with("tools/") && path.ends_with("build.rs") {
        offences.add(path, 0, "tools/ has no build scripts");
    }
    if path == ".cargo/config.toml" && text.lines().any(|line| line.starts_with("rustflags")) {
        offences.add(path, 0, "rustflags here would reach some flavours of a build and not others");
    }
}

fn check_rust_line(path: &str, line: &str, offend: &mut impl FnMut(&str)) {
    for (head, tail, instead) in BANNED {
        if line.contains(&format!("{head}{tail}")) {
            offend(&format!("`{head}{tail}` is banned: {instead}"));
        }
    }
    if path.starts_with("tools/") {
        for word in BUILD_LOGIC.iter().filter(|word| line.contains(**word)) {
            offend(&format!("`{word}`: tools/ is free of build logic"));
        }
    }
    // A literal with braces in a closure that formats nothing shows `{name}` to the user.
    if let Some((_, rest)) = line.split_once("context(|| \"")
        && rest.contains('{')
    {
        offend("a context text with braces that nothing fills in; use format!");
    }
}

fn check_rust_file(path: &str, text: &str, offences: &mut Offences) {
    if !text.starts_with("//!") {
        offences.add(path, 1, "a file opens with `//!` that says what it owns");
    }
    let lines = text.lines().count();
    if lines > FILE_LINES {
        offences.add(path, 0, &format!("{lines} lines; split it, {FILE_LINES} is the cap"));
    }
    if !text.ends_with('\n') {
        offences.add(path, lines, "no newline at the end");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    #[track_caller]
    fn check_text(path: &str, text: &str, expected: &Expect) {
        let mut offences = Offences::default();
        check(path, text, &mut offences);
        expected.assert_eq(&offences.0.join("\n"));
    }

    #[test]
    fn each_rule_finds_its_offence() {
        check_text("tools/x/src/a.rs", "//! Fine.\n", &expect![""]);
        check_text("a.toml", "x = 1 \n", &expect!["a.toml:1: trailing blank"]);
        check_text(
            "tools/x/src/a.rs",
            "fn f() {}\n",
            &expect!["tools/x/src/a.rs:1: a file opens with `//!` that says what it owns"],
        );
        check_text(
            "tools/x/src/a.rs",
            "//! x\nlet a = \"RUSTFLAGS\";\n",
            &expect!["tools/x/src/a.rs:2: `RUSTFLAGS`: tools/ is free of build logic"],
        );
        check_text("xtask/src/a.rs", "//! x\nlet a = \"RUSTFLAGS\";\n", &expect![""]);
        let banned = format!("//! x\n{}{}1);\n", "push_", "env(");
        check_text(
            "a.rs",
            &banned,
            &expect![
                "a.rs:2: `push_\u{65}nv(` is banned: write `env NAME=value program`, so that the echo can be pasted"
            ],
        );
        check_text(
            "a.rs",
            "//! x\n.with_context(|| \"cannot read {path}\")\n",
            &expect!["a.rs:2: a context text with braces that nothing fills in; use format!"],
        );
        check_text("a.rs", "//! x", &expect!["a.rs:1: no newline at the end"]);
        check_text(
            "a.rs",
            &format!("//! x\n{}", "\n".repeat(600)),
            &expect!["a.rs: 601 lines; split it, 600 is the cap"],
        );
        let home = format!("see {}/x\n", MACHINE_BOUND[0].0.to_owned() + "ot");
        check_text(
            "README.md",
            &home,
            &expect!["README.md:1: `/ro\u{6f}t/` belongs to one machine"],
        );
        check_text(
            ".cargo/config.toml",
            "[build]\nrustflags = []\n",
            &expect![
                ".cargo/config.toml: rustflags here would reach some flavours of a build and not others"
            ],
        );
    }
}
