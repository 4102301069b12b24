//! `pgo-rebase`: gives the functions of stored profiles the names that today's build calls them
//! by, so that a new version or another link-time setting costs no training. Never across a change
//! of control flow: another compiler, `panic` or `codegen-units`. All profiles or none are written.

use anyhow::Result;

use crate::cli;
use crate::fault::{Fault, refuse};
use crate::profile::facts::Facts;
use crate::profile::fit::Verdict;
use crate::profile::manifest::{Difference, Manifest, Rebased};
use crate::profile::matching::{Fate, Matching};
use crate::profile::merge::describe;
use crate::profile::store::{self, Stored};
use crate::profile::{profdata, rewrite};
use crate::recipe::check::{Examined, Scope};
use crate::{digest, report};

/// Rebases the profiles of the named tools.
pub(crate) fn pgo_rebase(options: &cli::Rebase) -> Result<()> {
    let Some(scope) = Scope::new(&options.common, options.from_target.as_deref())? else {
        return Ok(());
    };
    let result = rebase(&scope, options.max_lost.0);
    report::print_stages(&scope.ctx);
    result
}

fn rebase(scope: &Scope, max_lost: f64) -> Result<()> {
    let mut stored = scope.open()?;
    for stored in &mut stored {
        let tool = &stored.profile.tool;
        if scope.from_target.is_some() {
            // That it is another is what was asked for; how much of it fits will be seen.
            stored.manifest.identity.target.clone_from(&scope.identity.target);
        }
        // Before the build, which takes long.
        if let Some(Difference::Deep(text)) = stored.manifest.identity.difference(&scope.identity) {
            let path = stored.path.display();
            let text = format!(
                "{path}: {text}, so its control flow is another and renaming does not mend it; make it anew with: cargo xtask pgo-generate {tool}"
            );
            return Err(refuse(Fault::Stale, text));
        }
    }
    let examined = scope.examine(stored)?;
    let renamed = scope.ctx.stage("rename", || {
        let one = |examined: &Examined| rename(scope, examined, max_lost);
        examined.iter().map(one).collect::<Result<Vec<_>>>()
    })?;
    scope.ctx.stage("publish", || {
        for (text, manifest) in renamed.iter().flatten() {
            store::write(&scope.profile_dir, text, manifest)?;
        }
        Ok(())
    })
}

/// One profile under today's names, with its manifest; none when it is as it should be.
fn rename(scope: &Scope, examined: &Examined, max_lost: f64) -> Result<Option<(String, Manifest)>> {
    let Examined { stored, difference, matching, fit } = examined;
    let tool = &fit.tool;
    let same_bytes = stored.manifest.source.same_bytes(&scope.source);
    let exact = matching.fates.iter().all(|fate| *fate == Fate::Exact);
    if difference.is_none() && same_bytes && exact && scope.from_target.is_none() {
        eprintln!("   {tool}: the profile belongs to exactly these sources; nothing to do");
        return Ok(None);
    }
    eprintln!("   {}", fit.line());
    for loss in fit.worst.iter().take(5) {
        eprintln!("     lost {:.3} %: {} ({})", loss.share * 100.0, loss.function, loss.why);
    }
    let lost = fit.all.lost_for_good();
    let remake = format!("make it anew with: cargo xtask pgo-generate {tool}");
    match fit.verdict(max_lost) {
        Verdict::Fits | Verdict::Rebase => {}
        Verdict::Foreign => {
            let path = stored.path.display();
            let text =
                format!("{path}: it is another program's: it holds nothing of {tool}; {remake}");
            return Err(refuse(Fault::Quality, text));
        }
        Verdict::Retrain => {
            let text = format!(
                "{tool}: even under today's names {:.1} % of the counts are lost (limit {:.0} %); {remake}",
                lost * 100.0,
                max_lost * 100.0
            );
            return Err(refuse(Fault::Stale, text));
        }
    }
    write_text(scope, stored, matching, lost).map(Some)
}

fn write_text(
    scope: &Scope,
    stored: &Stored,
    matching: &Matching,
    lost: f64,
) -> Result<(String, Manifest)> {
    let tool = &stored.profile.tool;
    let bad = |text: String| refuse(Fault::Quality, format!("{tool}: {text}"));
    let renamed = rewrite::rewrite(&stored.text, &stored.facts, matching).map_err(bad)?;
    let path = scope.ctx.out_dir.join("rebased").join(format!("{tool}.profdata"));
    profdata::encode(&scope.ctx, &scope.toolchain, Fault::Quality, &renamed, &path)?;
    // As llvm-profdata writes it: functions in the order of their new names.
    let text = profdata::text(&scope.ctx, &scope.toolchain, Fault::Quality, &path)?;
    let facts = Facts::parse(&text).map_err(bad)?;
    let kept = stored.facts.functions.iter().zip(&matching.fates).filter(|(_, fate)| is_kept(fate));
    let (functions, total) = kept.fold((0, 0_u64), |(functions, total), (function, _)| {
        (functions + 1, total.saturating_add(function.count))
    });
    if (facts.functions.len(), facts.total()) != (functions, total) {
        return Err(bad("llvm-profdata did not read back what was renamed".to_owned()));
    }
    let profile = describe(tool, path, &facts, stored.manifest.cases.clone())?;
    let old = &stored.manifest;
    // What was trained is what matters, over however many renamings.
    let first = old.rebased_from.clone().unwrap_or_else(|| Rebased {
        profile_sha256: old.profile_sha256.clone(),
        target: None,
        source: old.source.clone(),
        cargo_profile: old.identity.cargo_profile.clone(),
        settings: old.identity.settings.clone(),
        kept: 1.0,
        lost_functions: 0,
    });
    let rebased = Rebased {
        target: first.target.clone().or_else(|| scope.from_target.clone()),
        kept: (first.kept * (1.0 - lost) * 1e6).round() / 1e6,
        lost_functions: first.lost_functions + stored.facts.functions.len() - functions,
        ..first
    };
    let manifest = Manifest {
        profile_sha256: digest::of_bytes(text.as_bytes()),
        rebased_from: Some(rebased),
        identity: scope.identity.clone(),
        cargo: scope.toolchain.cargo.clone(),
        source: scope.source.clone(),
        functions: profile.functions,
        counted: profile.counted,
        total: profile.total,
        hot: profile.hot,
        ..old.clone()
    };
    Ok((text, manifest))
}

fn is_kept(fate: &Fate) -> bool {
    matches!(fate, Fate::Exact | Fate::Renamed(_))
}
