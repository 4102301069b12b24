//! The workflows of `.github/workflows` as values: jobs and their steps, with what a step runs and
//! in which environment. Reads them; runs nothing.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use yaml_rust2::{Yaml, YamlLoader};

use crate::fault::{Fault, refuse};

/// One file.
#[derive(Debug)]
pub(crate) struct Workflow {
    /// The file's name without its ending.
    pub(crate) name: String,
    pub(crate) jobs: Vec<Job>,
}

#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) name: String,
    /// What it may write to on GitHub.
    pub(crate) writes: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) steps: Vec<Step>,
}

#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) action: Action,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Action {
    /// A command line.
    Run(String),
    /// Somebody else's action with its version.
    Uses(String),
}

/// All workflows of the workspace in `root`, by name.
pub(crate) fn read_all(root: &Path) -> Result<Vec<Workflow>> {
    let folder = root.join(".github/workflows");
    let entries =
        std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut workflows = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let bad = |text| refuse(Fault::Usage, format!("{}: {text}", path.display()));
        workflows.push(parse(&name, &text).map_err(bad)?);
    }
    workflows.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(workflows)
}

/// Reads one file; the error says what about it is not understood.
pub(crate) fn parse(name: &str, text: &str) -> Result<Workflow, String> {
    let documents = YamlLoader::load_from_str(text).map_err(|error| error.to_string())?;
    let document = documents.first().ok_or("it is empty")?;
    let jobs = document["jobs"].as_hash().ok_or("it has no jobs")?;
    let jobs = jobs.iter().map(|(name, job)| self::job(name.as_str().unwrap_or("?"), job));
    Ok(Workflow { name: name.to_owned(), jobs: jobs.collect::<Result<_, _>>()? })
}

fn job(name: &str, job: &Yaml) -> Result<Job, String> {
    let steps = job["steps"].as_vec().ok_or_else(|| format!("job {name} has no steps"))?;
    let permissions = job["permissions"].as_hash().into_iter().flatten();
    let writes = permissions.filter(|(_, right)| right.as_str() == Some("write"));
    Ok(Job {
        name: name.to_owned(),
        writes: writes.filter_map(|(what, _)| what.as_str().map(str::to_owned)).collect(),
        env: env(job),
        steps: steps.iter().map(|step| self::step(name, step)).collect::<Result<_, _>>()?,
    })
}

fn step(job: &str, step: &Yaml) -> Result<Step, String> {
    let action = match (step["run"].as_str(), step["uses"].as_str()) {
        (Some(run), None) => Action::Run(run.trim().to_owned()),
        (None, Some(uses)) => Action::Uses(uses.to_owned()),
        _ => return Err(format!("a step of job {job} has not one of `run` and `uses`")),
    };
    let named = step["name"].as_str().map(str::to_owned);
    let name = named.unwrap_or_else(|| match &action {
        Action::Run(line) => line.clone(),
        Action::Uses(action) => action.split('@').next().unwrap_or_default().to_owned(),
    });
    Ok(Step { name, env: env(step), action })
}

fn env(of: &Yaml) -> BTreeMap<String, String> {
    let entries = of["env"].as_hash().into_iter().flatten();
    let text = |value: &Yaml| match value {
        Yaml::String(text) | Yaml::Real(text) => text.clone(),
        Yaml::Integer(number) => number.to_string(),
        Yaml::Boolean(flag) => flag.to_string(),
        _ => String::new(),
    };
    entries.filter_map(|(name, value)| Some((name.as_str()?.to_owned(), text(value)))).collect()
}

/// Fills in the values of a matrix: `${{ matrix.target }}`. Other expressions are GitHub's own
/// business and become nothing.
pub(crate) fn filled(text: &str, matrix: &serde_json::Value) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, expression)) = rest.split_once("${{") {
        result.push_str(before);
        let (inside, after) = expression.split_once("}}").unwrap_or((expression, ""));
        let value = inside.trim().strip_prefix("matrix.").and_then(|name| matrix.get(name));
        match value {
            Some(serde_json::Value::String(text)) => result.push_str(text),
            Some(other) => result.push_str(&other.to_string()),
            None => {}
        }
        rest = after;
    }
    result + rest
}

/// The words of a command line: blanks part them, double quotes hold them together, and `$NAME` is
/// looked up. Whatever else a shell does is an error, so that no step needs one.
pub(crate) fn words(
    line: &str,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            '$' => {
                let mut name = String::new();
                while let Some(next) =
                    characters.next_if(|it| it.is_ascii_alphanumeric() || *it == '_')
                {
                    name.push(next);
                }
                let value = variable(&name).ok_or_else(|| format!("${name} is not set"))?;
                word.get_or_insert_default().push_str(&value);
            }
            '|' | '&' | ';' | '<' | '>' | '`' | '\'' | '\\' | '(' | '\n' | '*' => {
                return Err(format!("`{character}` needs a shell: a step is one plain command"));
            }
            other => word.get_or_insert_default().push(other),
        }
    }
    if quoted {
        return Err("a quote is not closed".to_owned());
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_a_shell_and_nothing_more() {
        let lookup = |name: &str| (name == "TARGET").then(|| "a b".to_owned());
        let of = |line: &str| words(line, &lookup);
        assert_eq!(of("cargo  xtask \"$TARGET\" x\"\"").unwrap(), ["cargo", "xtask", "a b", "x"]);
        assert_eq!(of("\"\"").unwrap(), [""]);
        for line in ["a | b", "a > b", "a\nb", "a $(b)", "a \"b", "echo $NONE"] {
            assert!(of(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_matrix_fills_in_its_own_expressions_only() {
        let matrix = serde_json::json!({"target": "x86", "trial": false});
        assert_eq!(filled("a ${{ matrix.target }}-${{matrix.trial}}", &matrix), "a x86-false");
        assert_eq!(filled("${{ github.token }}", &matrix), "");
    }

    #[test]
    fn jobs_and_steps_are_read() {
        let text = "on: push\njobs:\n  a:\n    permissions: {contents: write}\n    env: {T: 1}\n    \
                    steps:\n      - uses: x/y@1\n      - run: cargo xtask ci\n";
        let workflow = parse("w", text).unwrap();
        let job = &workflow.jobs[0];
        assert_eq!(job.name, "a");
        assert_eq!(
            (job.writes.as_slice(), job.env["T"].as_str()),
            (&["contents".to_owned()][..], "1")
        );
        assert_eq!(job.steps[1].action, Action::Run("cargo xtask ci".to_owned()));
        assert_eq!(job.steps[0].name, "x/y");
        assert!(parse("w", "jobs:\n  a:\n    steps:\n      - name: n\n").is_err());
    }
}
