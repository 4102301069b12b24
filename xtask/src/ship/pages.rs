//! Man pages and completions made of a program's help. Pure: texts from texts.

use std::fmt::Write as _;

use crate::ship::help::{Help, Opt};

/// A file below a prefix.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// The files of one program.
pub(crate) fn of(program: &str, version: &str, help: &Help) -> Vec<Page> {
    let page = |path: String, text| Page { path, text };
    vec![
        page(format!("share/man/man1/{program}.1"), man(program, version, help)),
        page(format!("share/bash-completion/completions/{program}"), bash(program, help)),
        page(format!("share/zsh/site-functions/_{program}"), zsh(program, help)),
        page(format!("share/fish/vendor_completions.d/{program}.fish"), fish(program, help)),
    ]
}

/// The page for `man`, in roff.
fn man(program: &str, version: &str, help: &Help) -> String {
    let name = program.to_uppercase();
    // Writing to a String cannot fail, here and below.
    let mut text = format!(
        ".TH {name} 1 \"\" \"{program} {version}\"\n.SH NAME\n{program} \\- {}\n.SH SYNOPSIS\n.B {}\n.SH OPTIONS\n",
        roff(&help.about),
        roff(&help.usage)
    );
    for group in help.groups.iter().filter(|group| !group.options.is_empty()) {
        let _infallible = writeln!(text, ".SS {}", roff(&group.title));
        for option in &group.options {
            let _infallible =
                writeln!(text, ".TP\n.B {}\n{}", roff(&option.spelling), roff(&option.help));
        }
    }
    for (title, lines) in &help.texts {
        let _infallible = writeln!(text, ".SH {}\n.nf", roff(&title.to_uppercase()));
        for line in lines {
            let _infallible = writeln!(text, "{}", roff(line));
        }
        text.push_str(".fi\n");
    }
    text
}

/// Text in which roff finds nothing to do.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

/// All spellings of an option.
fn spellings(option: &Opt) -> Vec<String> {
    let short = option.short.map(|letter| format!("-{letter}"));
    let long = option.long.as_ref().map(|name| format!("--{name}"));
    short.into_iter().chain(long).collect()
}

fn bash(program: &str, help: &Help) -> String {
    let all: Vec<String> = help.options().flat_map(spellings).collect();
    let valued = help.options().filter(|option| option.value.is_some() && !option.optional);
    let valued: Vec<String> = valued.flat_map(spellings).collect();
    let function = format!("_{program}");
    // Files are completed by bash itself, by `-o default`, when nothing is offered.
    format!(
        "{function}() {{\n    local current=\"${{COMP_WORDS[COMP_CWORD]}}\" previous=\"${{COMP_WORDS[COMP_CWORD - 1]}}\"\n    \
         COMPREPLY=()\n    case \"$previous\" in\n        {}) return ;;\n    esac\n    \
         if [[ \"$current\" == -* ]]; then\n        \
         mapfile -t COMPREPLY < <(compgen -W \"{}\" -- \"$current\")\n    fi\n}}\n\
         complete -o default -F {function} {program}\n",
        valued.join(" | "),
        all.join(" ")
    )
}

fn zsh(program: &str, help: &Help) -> String {
    let mut text = format!("#compdef {program}\n_arguments -s -S \\\n");
    for option in help.options() {
        let told = option.help.replace('\'', "'\\''").replace('[', "\\[").replace(']', "\\]");
        let told = told.replace(':', "\\:");
        let value = option.value.as_ref().map_or_else(String::new, |value| {
            let colons = if option.optional { "::" } else { ":" };
            format!("{colons}{value}:_files")
        });
        for spelling in spellings(option) {
            let assigned =
                match (&option.value, option.long.is_some() && spelling.starts_with("--")) {
                    (Some(_), true) if option.optional => "=-",
                    (Some(_), true) => "=",
                    (Some(_), false) => "+",
                    (None, _) => "",
                };
            let _infallible = writeln!(text, "  '*{spelling}{assigned}[{told}]{value}' \\");
        }
    }
    text + "  '*:file:_files'\n"
}

fn fish(program: &str, help: &Help) -> String {
    let mut text = String::new();
    for option in help.options() {
        let _infallible = write!(text, "complete -c {program}");
        if let Some(letter) = option.short {
            let _infallible = write!(text, " -s {letter}");
        }
        if let Some(name) = &option.long {
            let _infallible = write!(text, " -l {name}");
        }
        if option.value.is_some() && !option.optional {
            text.push_str(" -r");
        }
        let told = option.help.replace('\\', "\\\\").replace('\'', "\\'");
        let _infallible = writeln!(text, " -d '{told}'");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::ship::help::tests::TEXT;
    use crate::toolchain::in_path;

    fn page(part: &str) -> String {
        let pages = of("dgrep", "0.1.0", &Help::parse(TEXT).unwrap());
        pages.into_iter().find(|page| page.path.contains(part)).unwrap().text
    }

    /// Runs a checker over a page, if it is there; tells what it said on both outputs.
    fn judged(program: &str, args: &[&str], text: &str) -> Option<String> {
        let Some(path) = in_path(program) else {
            eprintln!(
                "SKIPPED: no {program}, which would look at a page (apt-get install {program})"
            );
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("page");
        std::fs::write(&file, text).unwrap();
        let output = Command::new(path).args(args).arg(&file).output().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        let both = [output.stdout, output.stderr].concat();
        Some(String::from_utf8_lossy(&both).into_owned())
    }

    #[test]
    fn bash_offers_the_options() {
        let script = page("bash")
            + "COMP_WORDS=(dgrep --in) COMP_CWORD=1; _dgrep; echo \"${COMPREPLY[@]}\"\n\
             COMP_WORDS=(dgrep -e -) COMP_CWORD=2; _dgrep; echo \"${#COMPREPLY[@]}\"\n";
        if let Some(told) = judged("bash", &[], &script) {
            assert_eq!(told, "--invert\n0\n");
        }
    }

    #[test]
    fn zsh_and_fish_can_read_their_pages() {
        assert!(page("zsh").contains("'*--regexp=[Any of them \\[default\\: .\\]]:REGEX:_files'"));
        assert!(page("fish").contains("complete -c dgrep -s e -l regexp -r -d 'Any of them"));
        let _told = judged("zsh", &["-n"], &page("zsh"));
        let _told = judged("fish", &["--no-execute"], &page("fish"));
    }

    #[test]
    fn the_man_page_is_what_groff_accepts() {
        let text = page("man1");
        assert!(text.starts_with(".TH DGREP 1 \"\" \"dgrep 0.1.0\"\n.SH NAME\ndgrep \\- Print"));
        if let Some(told) = judged("groff", &["-man", "-Tutf8", "-ww"], &text) {
            assert!(told.contains("all was done") && !told.contains("warning"), "{told}");
        }
    }
}
