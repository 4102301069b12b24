//! Workloads as data: reads `workloads/*.toml`, checks them, and knows which inputs they name.
//! The tools that the pipeline works on are the files in that folder, not names in this code.

pub(crate) mod case;
mod clients;
pub(crate) mod corpus;
pub(crate) mod fixture;
pub(crate) mod follow;
pub(crate) mod generate;
pub(crate) mod inputs;
pub(crate) mod server;
pub(crate) mod window;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::digest;
use crate::fault::{Fault, refuse};
use crate::profile::share::Share;

/// The file that describes the inputs.
const INPUTS_FILE: &str = "inputs.toml";
/// The file that describes servers; every other file in the folder describes a tool.
const SERVERS_FILE: &str = "servers.toml";
/// Placeholders that are no inputs.
const RESERVED: [&str; 4] = ["out", "growing", "server", "fixture"];
/// The two halves of the user's own log files, when `--corpus` is given.
pub(crate) const CORPUS_INPUTS: [(&str, Kind); 2] =
    [("corpus_train", Kind::Train), ("corpus_eval", Kind::Eval)];

/// What a case is for. The two never share an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Train,
    Eval,
}

/// Whether a case runs with generated inputs, with the user's corpus, or with either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum When {
    #[default]
    Always,
    Generated,
    Corpus,
}

/// What the comparison looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Measure {
    #[default]
    Wall,
    /// User plus system time, for cases whose length is decided by waiting.
    Cpu,
}

/// One way to run a tool. Arguments may hold `{input}`, `{out}` (an empty folder), `{growing}`,
/// and, beside a server, `{server}` (its address) and `{fixture}` (its folder).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    #[serde(default)]
    pub(crate) args: Vec<String>,
    /// The input that standard input is read from; none means no input.
    pub(crate) stdin: Option<String>,
    #[serde(default = "exit_zero")]
    pub(crate) exit: Vec<i32>,
    #[serde(default = "two_minutes")]
    pub(crate) timeout_s: u64,
    /// Runs per iteration.
    #[serde(default = "once")]
    pub(crate) repeat: u32,
    /// The case's share of the tool's merged counts, relative to the other cases.
    #[serde(default = "weight_one")]
    pub(crate) weight: f64,
    #[serde(default)]
    pub(crate) when: When,
    #[serde(default)]
    pub(crate) measure: Measure,
    /// Lines of standard output that hold this text are not compared: they differ from run to run.
    pub(crate) changing: Option<String>,
    /// The tool, or one of its clients, follows a file that grows while it runs.
    pub(crate) growing: Option<follow::Growing>,
    /// The server that runs beside the tool, or, with `clients`, that the tool is.
    pub(crate) server: Option<String>,
    /// What drives the tool when it is the server.
    #[serde(default)]
    pub(crate) clients: Vec<server::Clients>,
    /// Which part of a server's life is trained on.
    #[serde(default)]
    pub(crate) window: window::Window,
    /// Functions that may not hold more than a share of the case's counts.
    #[serde(default)]
    pub(crate) max_share: Vec<Share>,
    /// Functions that must hold at least a share of them.
    #[serde(default)]
    pub(crate) expect_hot: Vec<Share>,
}

/// One tool's cases.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Workload {
    schema: u32,
    pub(crate) tool: String,
    /// The cargo package of the tool, when it has another name.
    package: Option<String>,
    /// The binary of that package that is the tool when it is called by the tool's name, when the
    /// tool has none of its own.
    multicall: Option<String>,
    /// Other tools of that binary, which have no cases: they come with this one, on its profile.
    #[serde(default)]
    also: Vec<String>,
    /// The same rules as those of a case, about the merged profile of the tool.
    #[serde(default)]
    pub(crate) max_share: Vec<Share>,
    #[serde(default)]
    pub(crate) expect_hot: Vec<Share>,
    #[serde(rename = "case")]
    pub(crate) cases: Vec<Case>,
}

/// All workloads of a workspace.
#[derive(Debug)]
pub(crate) struct Workloads {
    pub(crate) tools: Vec<Workload>,
    pub(crate) inputs: BTreeMap<String, inputs::Recipe>,
    pub(crate) servers: BTreeMap<String, server::Server>,
    /// The digest of all files, part of a profile's manifest.
    pub(crate) digest: String,
}

fn exit_zero() -> Vec<i32> {
    vec![0]
}
fn two_minutes() -> u64 {
    120
}
fn once() -> u32 {
    1
}
fn weight_one() -> f64 {
    1.0
}

impl Workload {
    /// The cargo package that builds the tool.
    fn package(&self) -> &str {
        self.package.as_deref().unwrap_or(&self.tool)
    }

    /// The cases of `kind`, with or without a corpus.
    pub(crate) fn cases(&self, kind: Kind) -> impl Iterator<Item = &Case> {
        self.cases.iter().filter(move |case| case.kind == kind)
    }

    /// The case named `name`.
    pub(crate) fn case(&self, name: &str) -> Result<&Case> {
        self.cases.iter().find(|case| case.name == name).ok_or_else(|| {
            let names: Vec<_> = self.cases.iter().map(|case| case.name.as_str()).collect();
            refuse(
                Fault::Usage,
                format!("{} has no case {name}; it has {}", self.tool, names.join(", ")),
            )
        })
    }
}

impl Workloads {
    /// The cargo packages that build the tools.
    pub(crate) fn packages(&self) -> BTreeSet<String> {
        self.tools.iter().map(|tool| tool.package().to_owned()).collect()
    }

    /// Tool → its binary, for the tools that share one.
    pub(crate) fn multicall(&self) -> BTreeMap<String, String> {
        let binary = |tool: &Workload| Some((tool.tool.clone(), tool.multicall.clone()?));
        self.tools.iter().filter_map(binary).collect()
    }

    /// The tools that come with `tool`, of the same binary and without cases.
    pub(crate) fn namesakes(&self, tool: &str) -> &[String] {
        let of = self.tools.iter().find(|workload| workload.tool == tool);
        of.map_or(&[], |workload| &workload.also)
    }

    /// The tools that run beside others: the baseline build has them, too.
    pub(crate) fn companions(&self) -> BTreeSet<&str> {
        let cases = self.tools.iter().flat_map(|tool| &tool.cases);
        cases.flat_map(|case| server::companions(case, &self.servers)).collect()
    }
}

impl Case {
    /// The names of the inputs this case reads.
    pub(crate) fn inputs(&self) -> BTreeSet<&str> {
        let client_args = self.clients.iter().flat_map(|clients| &clients.args);
        let in_args = self.args.iter().chain(client_args).flat_map(|arg| placeholders(arg));
        in_args
            .filter(|name| !RESERVED.contains(name))
            .chain(self.stdin.as_deref())
            .chain(self.clients.iter().filter_map(|clients| clients.stdin.as_deref()))
            .chain(self.growing.as_ref().map(|growing| growing.input.as_str()))
            .collect()
    }

    /// Whether something runs beside the tool: then our own driver runs and times the case.
    pub(crate) fn has_company(&self) -> bool {
        self.growing.is_some() || self.server.is_some()
    }
}

/// The names in braces in `text`. `{3}` and `{2,5}` are regex repetitions, not placeholders.
pub(crate) fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|rest| {
        let name = rest.split_once('}')?.0;
        let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase());
        let is_name =
            name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        (starts_well && is_name).then_some(name)
    })
}

/// Reads `root/workloads`, keeps `wanted` tools (all when empty) and the cases for `corpus`.
pub(crate) fn load(root: &Path, wanted: &[String], corpus: bool) -> Result<Workloads> {
    let folder = root.join("workloads");
    let mut all = digest::Digest::default();
    let mut tools: Vec<Workload> = Vec::new();
    let (mut inputs, mut servers) = (BTreeMap::new(), BTreeMap::new());
    for path in toml_files(&folder)? {
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        all.update(text.as_bytes());
        let refused = |error: toml::de::Error| {
            let line = error.span().map_or(0, |span| text[..span.start].lines().count().max(1));
            let place = format!("{}:{line}", path.display());
            refuse(Fault::Usage, format!("{place}: {}", error.message()))
        };
        if path.ends_with(INPUTS_FILE) {
            inputs = toml::from_str(&text).map_err(refused)?;
            check_names(&inputs).map_err(|text| refuse(Fault::Usage, text))?;
        } else if path.ends_with(SERVERS_FILE) {
            servers = toml::from_str(&text).map_err(refused)?;
        } else {
            tools.push(toml::from_str(&text).map_err(refused)?);
        }
    }
    if let Some(unknown) = wanted.iter().find(|name| !tools.iter().any(|t| t.tool == **name)) {
        let known: Vec<_> = tools.iter().map(|tool| tool.tool.as_str()).collect();
        return Err(refuse(
            Fault::Usage,
            format!("no workload for {unknown}; {} has {}", folder.display(), known.join(", ")),
        ));
    }
    for tool in &mut tools {
        let unwanted = if corpus { When::Generated } else { When::Corpus };
        tool.cases.retain(|case| case.when != unwanted);
        check(tool, &inputs, &servers, corpus).map_err(|text| refuse(Fault::Usage, text))?;
    }
    check_separation(&tools, &inputs).map_err(|text| refuse(Fault::Usage, text))?;
    let is_tool = |name: &&String| tools.iter().any(|tool| tool.tool == **name);
    if let Some(name) = tools.iter().flat_map(|tool| &tool.also).find(is_tool) {
        let text = format!("`also` names {name}, which has a workload of its own");
        return Err(refuse(Fault::Usage, text));
    }
    tools.retain(|tool| wanted.is_empty() || wanted.contains(&tool.tool));
    Ok(Workloads { tools, inputs, servers, digest: all.finish() })
}

/// A name that could not stand in braces would be taken for text in every argument.
fn check_names(recipes: &BTreeMap<String, inputs::Recipe>) -> Result<(), String> {
    let fits = |name: &&String| placeholders(&format!("{{{name}}}")).next().is_some();
    match recipes.keys().find(|name| !fits(name)) {
        Some(name) => Err(format!(
            "{INPUTS_FILE}: input {name}: names have small letters, digits and _, a letter in front"
        )),
        None => Ok(()),
    }
}

fn toml_files(folder: &Path) -> Result<Vec<std::path::PathBuf>> {
    let entries = std::fs::read_dir(folder)
        .map_err(|error| refuse(Fault::Usage, format!("{}: {error}", folder.display())))?;
    let mut files: Vec<_> = entries
        .collect::<std::io::Result<Vec<_>>>()?
        .into_iter()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(refuse(Fault::Usage, format!("{} has no .toml file", folder.display())));
    }
    Ok(files)
}

fn check(
    tool: &Workload,
    recipes: &BTreeMap<String, inputs::Recipe>,
    servers: &BTreeMap<String, server::Server>,
    corpus: bool,
) -> Result<(), String> {
    let name = &tool.tool;
    if tool.schema != 1 {
        return Err(format!("{name}: workload schema {} is unknown, this is 1", tool.schema));
    }
    for kind in [Kind::Train, Kind::Eval] {
        if tool.cases(kind).next().is_none() {
            return Err(format!("{name}: no {kind:?} case is left; a profile needs both kinds"));
        }
    }
    let shares = tool.cases.iter().flat_map(|case| case.max_share.iter().chain(&case.expect_hot));
    let shares = shares.chain(&tool.max_share).chain(&tool.expect_hot);
    if let Some(fault) = shares.filter_map(Share::fault).next() {
        return Err(format!("{name}: {fault}"));
    }
    if !tool.also.is_empty() && tool.multicall.is_none() {
        return Err(format!(
            "{name}: `also` names other tools of its `multicall` binary; it has none"
        ));
    }
    let mut seen = BTreeSet::new();
    for case in &tool.cases {
        let place = format!("{name}, case {}", case.name);
        let sound = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if case.name.is_empty() || !case.name.chars().all(sound) || !seen.insert(&case.name) {
            return Err(format!("{place}: names are unique letters, digits and dashes"));
        }
        if !(case.weight > 0.0 && case.weight.is_finite()) || case.repeat == 0 {
            return Err(format!("{place}: weight and repeat must be above 0"));
        }
        let corpus_input = |input: &str| corpus && CORPUS_INPUTS.contains(&(input, case.kind));
        for input in case.inputs() {
            if !recipes.contains_key(input) && !corpus_input(input) {
                return Err(format!("{place}: no input named {input} in {INPUTS_FILE}"));
            }
        }
        server::check(tool, case, servers).map_err(|text| format!("{place}: {text}"))?;
        let args = case.args.iter().chain(case.clients.iter().flat_map(|clients| &clients.args));
        let follows = args.into_iter().any(|arg| arg.contains("{growing}"));
        if follows != case.growing.is_some() {
            return Err(format!("{place}: {{growing}} and `growing = …` belong together"));
        }
    }
    Ok(())
}

/// No input may be both trained on and measured on, nor may two inputs of the same generator and
/// seed: one would be the beginning of the other, or its compressed copy.
fn check_separation(
    tools: &[Workload],
    recipes: &BTreeMap<String, inputs::Recipe>,
) -> Result<(), String> {
    let of = |kind| -> BTreeSet<&str> {
        tools.iter().flat_map(|tool| tool.cases(kind)).flat_map(Case::inputs).collect()
    };
    let (train, eval) = (of(Kind::Train), of(Kind::Eval));
    if let Some(shared) = train.intersection(&eval).next() {
        return Err(format!(
            "input {shared} is used for training and for evaluation; give one of them its own seed"
        ));
    }
    let origin = |name: &str| recipes.get(name).map(|recipe| (recipe.generator, recipe.seed));
    for name in train {
        let twin =
            eval.iter().find(|other| origin(name).is_some() && origin(other) == origin(name));
        if let Some(twin) = twin {
            return Err(format!(
                "inputs {name} (training) and {twin} (evaluation) have the same generator and seed"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    const INPUTS: &str = "[a]\ngenerator = \"service\"\nseed = 1\n\
                          [b]\ngenerator = \"service\"\nseed = 2\n\
                          [twin]\ngenerator = \"service\"\nseed = 1\nscale = 2.0\n";

    const SERVERS: &str = "[s]\ntool = \"t\"\nargs = []\nready = \"on \"\n\
                           [other]\ntool = \"u\"\nargs = []\nready = \"on \"\n\
                           [escaping]\ntool = \"t\"\nargs = []\nready = \"on \"\n\
                           files = { \"../x\" = \"\" }\n";

    #[track_caller]
    fn check_error(tool: &str, expected: &Expect) {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("workloads");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join(INPUTS_FILE), INPUTS).unwrap();
        std::fs::write(folder.join(SERVERS_FILE), SERVERS).unwrap();
        std::fs::write(folder.join("t.toml"), format!("schema = 1\ntool = \"t\"\n{tool}")).unwrap();
        let error = load(dir.path(), &[], false).unwrap_err();
        assert_eq!(crate::fault::exit_code(&error), 2);
        let text = error.to_string().replace(&folder.display().to_string(), "workloads");
        expected.assert_eq(&text);
    }

    #[test]
    fn tools_that_share_a_binary_are_built_from_one_package() {
        let all = load(crate::recipe::own_root(), &[], false).unwrap();
        assert_eq!(all.packages(), BTreeSet::from(["dtail-suite".to_owned()]));
        let shared = all.multicall();
        assert_eq!(shared.len(), all.tools.len());
        assert!(shared.values().all(|binary| binary == "dtail-suite"));
        assert_eq!(all.namesakes("dcat"), ["dprofile", "dtailhealth"]);
    }

    fn case(name: &str, kind: &str, args: &str) -> String {
        format!("[[case]]\nname = \"{name}\"\nkind = \"{kind}\"\nargs = [\"{args}\"]\n")
    }

    #[test]
    fn bad_workloads_are_refused_with_the_place() {
        let train = case("x", "train", "{a}");
        let eval = case("y", "eval", "{b}");
        check_error(&train, &expect!["t: no Eval case is left; a profile needs both kinds"]);
        check_error(
            &format!("also = [\"u\"]\n{train}{eval}"),
            &expect!["t: `also` names other tools of its `multicall` binary; it has none"],
        );
        check_error(
            &format!("multicall = \"m\"\nalso = [\"t\"]\n{train}{eval}"),
            &expect!["`also` names t, which has a workload of its own"],
        );
        check_error(
            &format!("{train}{}", case("y", "eval", "{a}")),
            &expect![
                "input a is used for training and for evaluation; give one of them its own seed"
            ],
        );
        check_error(
            &format!("{train}{}", case("y", "eval", "{twin}")),
            &expect!["inputs a (training) and twin (evaluation) have the same generator and seed"],
        );
        check_error(
            &format!("{train}{}", case("y", "eval", "{c}")),
            &expect!["t, case y: no input named c in inputs.toml"],
        );
        check_error(
            &format!("{train}{eval}{}", case("x", "eval", "{b}")),
            &expect!["t, case x: names are unique letters, digits and dashes"],
        );
        check_error(
            &format!("{train}{eval}wight = 2\n"),
            &expect![
                "workloads/t.toml:10: unknown field `wight`, expected one of `name`, `kind`, `args`, `stdin`, `exit`, `timeout_s`, `repeat`, `weight`, `when`, `measure`, `changing`, `growing`, `server`, `clients`, `window`, `max_share`, `expect_hot`"
            ],
        );
        check_error(
            &format!("{train}{eval}weight = 0\n"),
            &expect!["t, case y: weight and repeat must be above 0"],
        );
    }

    #[test]
    fn names_of_inputs_can_stand_in_braces() {
        let named = |name: &str| {
            let text = format!("[{name}]\ngenerator = \"service\"\nseed = 1\n");
            check_names(&toml::from_str(&text).unwrap())
        };
        assert_eq!(named("busy_day2"), Ok(()));
        for name in ["busy-day", "Busy", "2day"] {
            assert!(named(name).unwrap_err().contains(name));
        }
    }

    #[test]
    fn cases_with_servers_are_checked_too() {
        let cases = format!("{}{}", case("x", "train", "{a}"), case("y", "eval", "{b}"));
        let check =
            |lines: &str, expected: &Expect| check_error(&format!("{cases}{lines}"), expected);
        let clients = |text: &str| format!("clients = [{{ tool = \"c\", {text} }}]\n");
        let plain = clients("args = [\"{b}\"]");
        check(&plain, &expect!["t, case y: clients, {server} and {fixture} need `server = …`"]);
        check(
            "window = \"steady\"\n",
            &expect![
                "t, case y: a steady window is one of a server with clients that each run once and follow nothing"
            ],
        );
        check("server = \"none\"\n", &expect!["t, case y: no server named none in servers.toml"]);
        check(
            &format!("server = \"other\"\n{plain}"),
            &expect!["t, case y: clients drive t, but server other is u"],
        );
        check(
            "server = \"escaping\"\n",
            &expect!["t, case y: server escaping: file ../x is not inside the server's folder"],
        );
        check(
            &format!("server = \"s\"\n{}", clients("args = [\"{a}\"]")),
            &expect![
                "input a is used for training and for evaluation; give one of them its own seed"
            ],
        );
        check(
            &format!("server = \"s\"\n{}", clients("args = [], count = 0")),
            &expect!["t, case y: count and repeat of clients must be above 0"],
        );
        let follow = clients("args = [\"{growing}\"], count = 2");
        check(
            &format!("server = \"s\"\ngrowing = {{ input = \"b\" }}\n{follow}"),
            &expect!["t, case y: one client run follows {growing}, because it sets the pace"],
        );
        check(
            "max_share = [{ name = \"crypto\", functions = [], share = 0.1 }]\n",
            &expect!["t: crypto needs functions to look for and a share between 0 and 1"],
        );
    }

    #[test]
    fn regex_repetitions_are_not_placeholders() {
        let found: Vec<_> = placeholders("[0-9]{3}x{2,5} {in_1} {Bad} {open").collect();
        assert_eq!(found, ["in_1"]);
    }

    #[test]
    fn the_workspaces_own_workloads_are_sound() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for corpus in [false, true] {
            let workloads = load(root, &[], corpus).unwrap();
            assert!(workloads.tools.len() >= 5);
        }
    }
}
