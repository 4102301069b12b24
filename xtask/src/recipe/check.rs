//! `pgo-check`: how much of the stored profiles today's build can still use. An instrumented
//! build holds the key of every function, so one run of each program tells; nothing is trained,
//! and compiler warnings, which cargo hides for dependencies, are never counted.

use std::path::PathBuf;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::cargo::{self, Selection, Sources};
use crate::cli;
use crate::ctx::Ctx;
use crate::fault::{Fault, refuse};
use crate::flags::Flavour;
use crate::lock::Lock;
use crate::profile::fit::{Fit, Verdict};
use crate::profile::manifest::{Difference, Identity, SourceState};
use crate::profile::matching::Matching;
use crate::profile::store::{self, Stored};
use crate::profile::{collect, profdata, rewrite};
use crate::recipe::dry_run;
use crate::recipe::plan::selection;
use crate::toolchain::{self, Compiler, Need, Toolchain};
use crate::{atomic, digest, report, workload};

/// The layout of the file of `--json`.
const SCHEMA: u32 = 1;

/// What a check or a rebase works on.
pub(crate) struct Scope {
    pub(crate) ctx: Ctx,
    pub(crate) profile_dir: PathBuf,
    pub(crate) selection: Selection,
    pub(crate) toolchain: Toolchain,
    pub(crate) identity: Identity,
    pub(crate) source: SourceState,
    /// The target whose profiles are looked at, when it is another than the one that is built.
    pub(crate) from_target: Option<String>,
    _lock: Lock,
}

/// A stored profile beside today's build.
pub(crate) struct Examined {
    pub(crate) stored: Stored,
    pub(crate) difference: Option<Difference>,
    pub(crate) matching: Matching,
    pub(crate) fit: Fit,
}

impl Scope {
    /// Everything that is known before anything is built; none when the commands were only to be
    /// printed.
    pub(crate) fn new(common: &cli::Common, from_target: Option<&str>) -> Result<Option<Self>> {
        let ctx = common.ctx()?;
        let workloads = workload::load(&ctx.root, &common.tools, false)?;
        let selection = selection(&ctx, common, &workloads, &Compiler::ask(&ctx)?)?;
        let sources = Sources::read(&ctx, &selection)?;
        if common.dry_run {
            dry_run::build(&ctx, &selection, &Flavour::Instrumented)?;
            println!("# then each program once with --version, and its keys beside the profile's");
            return Ok(None);
        }
        let lock = Lock::take(&ctx.out_dir)?;
        let toolchain =
            ctx.stage("preflight", || toolchain::preflight(&ctx, Need::Builds, true))?;
        let identity = Identity::now(&toolchain.compiler, &selection, &sources);
        let source = SourceState::now(&ctx, &sources)?;
        let profile_dir = ctx.root.join(&common.profile_dir);
        let from_target = from_target.filter(|from| *from != identity.target).map(str::to_owned);
        Ok(Some(Self {
            ctx,
            profile_dir,
            selection,
            toolchain,
            identity,
            source,
            from_target,
            _lock: lock,
        }))
    }

    /// Opens the profiles. Those of another compiler are refused: no key of theirs means anything.
    pub(crate) fn open(&self) -> Result<Vec<Stored>> {
        let Self { ctx, toolchain, profile_dir, identity, .. } = self;
        let from = self.from_target.as_ref().unwrap_or(&identity.target);
        let open = |tool: &String| {
            let stored = store::open(ctx, toolchain, profile_dir, from, tool)?;
            if let Some(Difference::Compiler(text)) = stored.manifest.identity.difference(identity)
            {
                let path = stored.path.display();
                let text = format!(
                    "{path}: {text}; use that compiler, or make the profile anew with: cargo xtask pgo-generate {tool}"
                );
                return Err(refuse(Fault::Toolchain, text));
            }
            Ok(stored)
        };
        ctx.stage("open-profiles", || self.selection.bins.iter().map(open).collect())
    }

    /// Builds, instrumented, and compares.
    pub(crate) fn examine(&self, stored: Vec<Stored>) -> Result<Vec<Examined>> {
        let Self { ctx, toolchain, selection, identity, .. } = self;
        let examined = ctx
            .stage("build-instrumented", || examine(ctx, toolchain, selection, identity, stored))?;
        for one in &examined {
            remember(ctx, &one.stored, identity, &self.source, &one.fit)?;
        }
        Ok(examined)
    }
}

/// Builds the programs of `stored`, instrumented, and compares their keys with the profiles'.
pub(crate) fn examine(
    ctx: &Ctx,
    toolchain: &Toolchain,
    selection: &Selection,
    identity: &Identity,
    stored: Vec<Stored>,
) -> Result<Vec<Examined>> {
    let bins = stored.iter().map(|stored| stored.profile.tool.clone()).collect();
    let instrumented = Selection { bins, ..selection.clone() };
    let bins = cargo::build(ctx, &instrumented, &Flavour::Instrumented)?;
    let one = |stored: Stored| -> Result<Examined> {
        let tool = &stored.profile.tool;
        // That of the training is what a later run takes up again.
        let probe = collect::probe(ctx, bins.of(tool)?, "keys")?;
        let today = profdata::facts(ctx, toolchain, Fault::Training, &probe)?.keys();
        let targets = rewrite::targets(&stored.text);
        let matching = Matching::of(&stored.facts, &targets, &today);
        let fit = Fit::of(tool, &stored.facts, &matching);
        let difference = stored.manifest.identity.difference(identity);
        Ok(Examined { stored, difference, matching, fit })
    };
    stored.into_iter().map(one).collect()
}

/// Checks the profiles of the named tools, prints and writes what was found, and refuses those
/// that a build would refuse.
pub(crate) fn pgo_check(options: &cli::Check) -> Result<()> {
    let Some(scope) = Scope::new(&options.common, None)? else { return Ok(()) };
    let checked = check(&scope, options);
    report::print_stages(&scope.ctx);
    checked
}

fn check(scope: &Scope, options: &cli::Check) -> Result<()> {
    let examined = scope.examine(scope.open()?)?;
    let mut rows = Vec::new();
    for Examined { stored, difference, fit, .. } in &examined {
        println!("{}\n\n{}", fit.line(), fit.tables());
        report::summarise(&format!("* {}\n", fit.line()))?;
        if let Some(difference) = difference {
            println!("{}: {}\n", fit.tool, difference.text());
        }
        rows.push(Row {
            verdict: verdict(difference.as_ref(), fit, options.max_lost.0),
            profile_sha256: &stored.manifest.profile_sha256,
            trained: stored.manifest.trained.as_deref(),
            commit: stored.manifest.source.commit.as_deref(),
            difference: difference.as_ref().map(Difference::text),
            fit,
        });
    }
    let record = Record {
        schema: SCHEMA,
        target: &scope.identity.target,
        compiler: &scope.identity.compiler,
        max_lost: options.max_lost.0,
        tools: &rows,
    };
    if let Some(path) = &options.json {
        atomic::write_json(&std::path::absolute(path)?, &record)?;
    }
    let faults: Vec<_> = rows.iter().filter_map(|row| row.fault(options.max_lost.0)).collect();
    let Some((worst, _)) =
        faults.iter().find(|(fault, _)| *fault == Fault::Quality).or(faults.first())
    else {
        return Ok(());
    };
    let texts: Vec<&str> = faults.iter().map(|(_, text)| text.as_str()).collect();
    Err(refuse(*worst, texts.join("; ")))
}

/// A build refuses whatever was made with other settings, so that does not fit as it is.
fn verdict(difference: Option<&Difference>, fit: &Fit, max_lost: f64) -> Verdict {
    match (difference, fit.verdict(max_lost)) {
        (Some(Difference::Deep(_)), Verdict::Fits | Verdict::Rebase) => Verdict::Retrain,
        (Some(_), Verdict::Fits) => Verdict::Rebase,
        (_, verdict) => verdict,
    }
}

#[derive(Serialize)]
struct Record<'a> {
    schema: u32,
    target: &'a str,
    compiler: &'a Compiler,
    max_lost: f64,
    tools: &'a [Row<'a>],
}

#[derive(Serialize)]
struct Row<'a> {
    verdict: Verdict,
    profile_sha256: &'a str,
    trained: Option<&'a str>,
    commit: Option<&'a str>,
    difference: Option<&'a str>,
    #[serde(flatten)]
    fit: &'a Fit,
}

impl Row<'_> {
    fn fault(&self, max_lost: f64) -> Option<(Fault, String)> {
        let tool = &self.fit.tool;
        let mend = match self.verdict {
            Verdict::Fits => return None,
            Verdict::Foreign => {
                let text = format!(
                    "{tool}: no function of the program is in the profile: it is another program's; make it anew with: cargo xtask pgo-generate {tool}"
                );
                return Some((Fault::Quality, text));
            }
            Verdict::Rebase => "pgo-rebase",
            Verdict::Retrain => "pgo-generate",
        };
        let why = self.difference.map_or_else(String::new, |text| format!("{text}, and "));
        let text = format!(
            "{tool}: {why}{:.1} % of the counts are lost as it is, {:.1} % after a rebase (limit {:.0} %); mend: cargo xtask {mend} {tool}",
            self.fit.all.lost() * 100.0,
            self.fit.all.lost_for_good() * 100.0,
            max_lost * 100.0
        );
        Some((Fault::Stale, text))
    }
}

/// A fit that was found out, and for what.
#[derive(Serialize, Deserialize)]
struct Remembered {
    key: String,
    fit: Fit,
}

/// How `stored` fits the sources, when that was found out before.
pub(crate) fn remembered(
    ctx: &Ctx,
    stored: &Stored,
    identity: &Identity,
    source: &SourceState,
) -> Option<Fit> {
    let bytes = std::fs::read(fit_path(ctx, &stored.profile.tool)).ok()?;
    let remembered: Remembered = serde_json::from_slice(&bytes).ok()?;
    (remembered.key == key(stored, identity, source)?).then_some(remembered.fit)
}

/// Keeps a fit, so that the next build need not find it out again.
pub(crate) fn remember(
    ctx: &Ctx,
    stored: &Stored,
    identity: &Identity,
    source: &SourceState,
    fit: &Fit,
) -> Result<()> {
    let Some(key) = key(stored, identity, source) else { return Ok(()) };
    let remembered = Remembered { key, fit: fit.clone() };
    atomic::write_json(&fit_path(ctx, &stored.profile.tool), &remembered)
}

fn fit_path(ctx: &Ctx, tool: &str) -> PathBuf {
    ctx.out_dir.join("fit").join(format!("{tool}.json"))
}

fn key(stored: &Stored, identity: &Identity, source: &SourceState) -> Option<String> {
    let SourceState { sources_sha256, lock_sha256, .. } = source;
    let parts = (&stored.manifest.profile_sha256, identity, sources_sha256, lock_sha256);
    Some(digest::of_bytes(&serde_json::to_vec(&parts).ok()?))
}
