//! Command lines as text that a POSIX shell reads back as the same words. xshell's own echo is
//! not: it quotes with `"`, which leaves `$` and backslashes alive.

use std::process::Command;

/// The command line of `command`, ready to be pasted.
pub(crate) fn of(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    join(words.map(|word| word.to_string_lossy()))
}

/// The words, each quoted if it needs to be, with blanks between.
pub(crate) fn join(words: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let quoted = words.into_iter().map(|word| quote(word.as_ref()));
    quoted.collect::<Vec<_>>().join(" ")
}

/// The same for a message: a command with thousands of words shows only the first of them.
pub(crate) fn short(words: &[impl AsRef<str>]) -> String {
    const SHOWN: usize = 30;
    let more = if words.len() > SHOWN { " …" } else { "" };
    format!("{}{more}", join(&words[..words.len().min(SHOWN)]))
}

fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./,=:+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_the_same_words() {
        let words = ["printf", "%s\\n", "", "it's", "b  c", "$x", "[0-9]{3}", "日志 \"é\"", "a\\b"];
        let line = join(words);
        let output = Command::new("sh").args(["-c", &line]).output().unwrap();
        let expected: String = words[2..].iter().map(|word| format!("{word}\n")).collect();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    }

    #[test]
    fn long_commands_are_cut_for_messages() {
        assert_eq!(short(&["a b", "c"]), "'a b' c");
        assert_eq!(short(&["x"; 31]), format!("{} …", ["x"; 30].join(" ")));
    }

    #[test]
    fn plain_words_stay_plain() {
        let mut command = Command::new("cargo");
        command.args(["build", "--config", "a b.toml"]);
        assert_eq!(of(&command), "cargo build --config 'a b.toml'");
    }
}
