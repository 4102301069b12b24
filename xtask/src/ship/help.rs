//! What a program's `--help` says, as values: the only source of its man page and its completions,
//! so that nothing can drift. Knows how clap lays help out; knows no program.

/// The help of one program.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Help {
    pub(crate) about: String,
    /// What stands after `Usage: `.
    pub(crate) usage: String,
    pub(crate) groups: Vec<Group>,
    /// Examples, exit codes and the like, with their headings.
    pub(crate) texts: Vec<(String, Vec<String>)>,
}

/// Options that belong together.
#[derive(Debug, PartialEq)]
pub(crate) struct Group {
    pub(crate) title: String,
    pub(crate) options: Vec<Opt>,
}

/// An option, or a positional argument, which has neither letter nor name.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Opt {
    pub(crate) short: Option<char>,
    pub(crate) long: Option<String>,
    /// `LIST` of `--files <LIST>`, `TEXT` of `--context-separator[=<TEXT>]`.
    pub(crate) value: Option<String>,
    /// The value may be left out.
    pub(crate) optional: bool,
    /// As printed: `-e, --regexp <REGEX>`.
    pub(crate) spelling: String,
    pub(crate) help: String,
}

impl Help {
    /// Reads what `--help` printed. Help without a usage or without options is not understood.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut help = Self::default();
        for section in sections(text) {
            let [first, rest @ ..] = section.as_slice() else { continue };
            if let Some(usage) = first.strip_prefix("Usage: ") {
                usage.clone_into(&mut help.usage);
            } else if help.usage.is_empty() {
                help.about = section.join(" ");
            } else if let Some(title) = first.strip_suffix(':')
                && rest.first().is_some_and(|line| is_option(line))
            {
                let options = rest.iter().filter_map(|line| Opt::parse(line)).collect();
                help.groups.push(Group { title: title.to_owned(), options });
            } else if let Some(title) = first.strip_suffix(':')
                && !rest.is_empty()
            {
                let lines = rest.iter().map(|line| (*line).to_owned()).collect();
                help.texts.push((title.to_owned(), lines));
            } else {
                let lines = section.iter().map(|line| (*line).to_owned()).collect();
                help.texts.push(("Notes".to_owned(), lines));
            }
        }
        let has_options = help.groups.iter().any(|group| !group.options.is_empty());
        (!help.usage.is_empty() && has_options).then_some(help)
    }

    /// All options with a letter or a name.
    pub(crate) fn options(&self) -> impl Iterator<Item = &Opt> {
        let all = self.groups.iter().flat_map(|group| &group.options);
        all.filter(|option| option.short.is_some() || option.long.is_some())
    }
}

/// The paragraphs: blank lines part them.
fn sections(text: &str) -> Vec<Vec<&str>> {
    let lines: Vec<&str> = text.lines().collect();
    let parts = lines.split(|line| line.trim().is_empty());
    parts.filter(|part| !part.is_empty()).map(<[&str]>::to_vec).collect()
}

/// Options are indented, and begin with a dash or with a positional in brackets.
fn is_option(line: &str) -> bool {
    line.starts_with("  ") && line.trim_start().starts_with(['-', '[', '<'])
}

impl Opt {
    /// Reads one line; the help is parted by two blanks or more.
    fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        let (spelling, help) = line.split_once("  ").unwrap_or((line, ""));
        let mut option =
            Self { spelling: spelling.to_owned(), help: help.trim().to_owned(), ..Self::default() };
        if !spelling.starts_with('-') {
            return spelling.starts_with(['[', '<']).then_some(option);
        }
        for word in spelling.split([' ', ',']).filter(|word| !word.is_empty()) {
            if let Some(name) = word.strip_prefix("--") {
                let (name, value) = match name.split_once("[=") {
                    Some((name, value)) => (name, Some(value.trim_end_matches(']'))),
                    None => (name, None),
                };
                option.long = Some(name.to_owned());
                option.optional = value.is_some();
                option.value = value.map(bare);
            } else if let Some(letter) = word.strip_prefix('-') {
                option.short = letter.chars().next();
            } else if word.starts_with('<') {
                option.value = Some(bare(word));
            }
        }
        Some(option)
    }
}

fn bare(value: &str) -> String {
    value.trim_matches(['<', '>', '.']).to_owned()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// In the form that our programs print.
    pub(crate) const TEXT: &str = "\
Print the lines of 'log' files

Usage: dgrep [OPTIONS] [FILE]...

Options:
  -h, --help  Print help

Selecting lines:
  -e, --regexp <REGEX>            Any of them [default: .]
      --context-separator[=<TEXT>]  A line between; `--` if nothing is given
  -v, --invert                    Print the lines that do: not
  [FILE]...                       Files or globs

Examples:
  dgrep -e 'ERROR' app.log    the lines

Exit codes:
  0  all was done

DTail's spellings work.
";

    #[test]
    fn help_is_read_as_it_is_printed() {
        let help = Help::parse(TEXT).unwrap();
        assert_eq!(help.about, "Print the lines of 'log' files");
        assert_eq!(help.usage, "dgrep [OPTIONS] [FILE]...");
        let names: Vec<_> = help.options().map(|option| option.long.clone().unwrap()).collect();
        assert_eq!(names, ["help", "regexp", "context-separator", "invert"]);
        let group = &help.groups[1].options;
        assert_eq!((group[0].short, group[0].value.as_deref()), (Some('e'), Some("REGEX")));
        assert_eq!(group[0].help, "Any of them [default: .]");
        assert!(group[1].optional && group[1].value.as_deref() == Some("TEXT"));
        assert_eq!(group[3].spelling, "[FILE]...");
        let titles: Vec<_> = help.texts.iter().map(|(title, _)| title.as_str()).collect();
        assert_eq!(titles, ["Examples", "Exit codes", "Notes"]);
        assert_eq!(Help::parse("no help at all"), None);
    }
}
