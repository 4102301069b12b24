//! `dist`: packs what `build-pgo` made, for others: an archive with everything, packages for Debian
//! and Red Hat when asked for, a bill of materials, checksums. Only programs that carry the manifest
//! of their profile go in; a plain one cannot.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::json;
use xshell::{Shell, cmd};

use crate::cli;
use crate::ctx::Ctx;
use crate::fault::{Fault, refuse};
use crate::recipe::{install, release};
use crate::report;
use crate::ship::targets::{Archive, Package, Target, Targets};
use crate::ship::{archive, bill};
use crate::toolchain::Compiler;
use crate::{atomic, digest};

/// What the archives and packages are called.
const NAME: &str = "dtail";
const ABOUT: &str = "Read, grep, follow and aggregate log files, here or over SSH on many machines";
const UNIT: &str = include_str!("../ship/dserver.service");
const CONFIG: &str = include_str!("../ship/dtail.json");
/// What every archive tells about itself.
const PAPERS: [&str; 4] = ["LICENSE-APACHE", "LICENSE-MIT", "README.md", "CHANGELOG.md"];

/// Packs for one target.
pub(crate) fn dist(options: &cli::Dist) -> Result<()> {
    let common = &options.common;
    let ctx = common.ctx()?;
    if !options.allow_dirty {
        release::clean_tree(&ctx)?;
    }
    let triple = common.target.clone().map_or_else(|| Ok(Compiler::ask(&ctx)?.host), anyhow::Ok)?;
    let targets = Targets::read(&ctx.root)?;
    let target = targets.of(&triple)?;
    let folder = ctx.root.join(&options.dist_dir);
    let packing = Packing {
        version: release::version(&ctx.root)?,
        time: time(&ctx)?,
        stage: ctx.out_dir.join("dist"),
        ctx: &ctx,
        target,
        folder,
    };
    let result = packing.pack(options);
    report::print_stages(&ctx);
    result
}

/// When the commit was made, in seconds and in words: what all files of an archive get.
fn time(ctx: &Ctx) -> Result<(u64, String)> {
    let text = ctx.ask(Path::new("git"), &["log", "-1", "--format=%ct %cI"])?;
    let (seconds, words) = text.trim().split_once(' ').context("git tells no time")?;
    Ok((seconds.parse()?, words.to_owned()))
}

struct Packing<'a> {
    ctx: &'a Ctx,
    target: &'a Target,
    version: String,
    time: (u64, String),
    /// Where the files are put together.
    stage: PathBuf,
    /// Where the archives go.
    folder: PathBuf,
}

impl Packing<'_> {
    fn pack(&self, options: &cli::Dist) -> Result<()> {
        let (ctx, target) = (self.ctx, self.target);
        if target.archive == Archive::Zip {
            let text =
                format!("{}: zip archives are not made yet; see ci/targets.toml", target.triple);
            return Err(refuse(Fault::Usage, text));
        }
        ctx.stage("stage", || self.stage(options))?;
        let name = format!("{NAME}-{}-{}", self.version, target.triple);
        let path = self.folder.join(format!("{name}.tar.zst"));
        ctx.stage("archive", || archive::pack(&self.stage, &name, self.time.0, &path))?;
        let mut made = vec![path];
        if options.packages {
            for package in &target.packages {
                made.push(ctx.stage(package.name(), || self.package(*package))?);
            }
        }
        let bill = self.folder.join(format!("{name}.cdx.json"));
        atomic::write(&bill, &std::fs::read(self.stage.join("share/dtail/bill.cdx.json"))?)?;
        made.push(bill);
        let mut sums = String::new();
        for path in &made {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            sums.push_str(&format!("{}  {file}\n", digest::of_file(path)?));
            println!("{} ({} KiB)", path.display(), std::fs::metadata(path)?.len() / 1024);
        }
        // One list for each target: a release puts those of all targets into one folder.
        atomic::write(&self.folder.join(format!("{name}.SHA256SUMS")), sums.as_bytes())
    }

    /// Puts all files together as they lie below a prefix.
    fn stage(&self, options: &cli::Dist) -> Result<()> {
        atomic::fresh_dir(&self.stage)?;
        let mut common = options.common.clone();
        if common.tools.is_empty() {
            common.tools = release::programs(&self.ctx.root, self.target)?;
        }
        self.right_target(&common.tools)?;
        install::install_pgo(&cli::Install {
            common: common.clone(),
            prefix: Some(self.stage.clone()),
        })?;
        // A list for the uninstaller belongs to an installation, debug information to nobody here.
        std::fs::remove_file(self.stage.join("share/dtail/installed"))?;
        std::fs::remove_dir_all(self.stage.join("lib"))?;
        for built in install::recorded(self.ctx, &common.tools)? {
            let name = format!("share/dtail/{}.manifest.json", built.bin.tool);
            atomic::write(&self.stage.join(name), &std::fs::read(&built.manifest)?)?;
        }
        for paper in PAPERS {
            let text = std::fs::read(self.ctx.root.join(paper))?;
            atomic::write(&self.stage.join("share/doc/dtail").join(paper), &text)?;
        }
        if self.stage.join("bin/dserver").is_file() {
            atomic::write(&self.stage.join("lib/systemd/system/dserver.service"), UNIT.as_bytes())?;
            atomic::write(&self.stage.join("share/doc/dtail/dtail.json"), CONFIG.as_bytes())?;
        }
        atomic::write_json(
            &self.stage.join("share/dtail/bill.cdx.json"),
            &self.bill(&common.tools)?,
        )?;
        for program in std::fs::read_dir(self.stage.join("bin"))? {
            std::fs::set_permissions(program?.path(), std::fs::Permissions::from_mode(0o755))?;
        }
        let sums = archive::sums(&self.stage)?;
        atomic::write(&self.stage.join("SHA256SUMS"), sums.as_bytes())
    }

    /// What build-pgo left may be of another target.
    fn right_target(&self, tools: &[String]) -> Result<()> {
        let triple = self.target.triple.as_str();
        for built in install::recorded(self.ctx, tools)? {
            if !built.bin.path.components().any(|part| part.as_os_str() == triple) {
                let text = format!(
                    "{} was not built for {triple}; build it with: cargo xtask build-pgo --target {triple}",
                    built.bin.tool
                );
                return Err(refuse(Fault::Stale, text));
            }
        }
        Ok(())
    }

    fn bill(&self, tools: &[String]) -> Result<serde_json::Value> {
        let triple = &self.target.triple;
        let args = ["metadata", "--locked", "--format-version", "1", "--filter-platform", triple];
        let metadata = self.ctx.ask(Path::new("cargo"), &args)?;
        let lock = std::fs::read_to_string(self.ctx.root.join("Cargo.lock"))?;
        bill::of(&metadata, &lock, tools, &self.version, &self.time.1)
    }

    /// Makes a package by the tool that knows how, from a manifest that lists the staged files.
    fn package(&self, package: Package) -> Result<PathBuf> {
        let project = self.ctx.out_dir.join("dist-package");
        atomic::fresh_dir(&project)?;
        atomic::write(&project.join("lib.rs"), b"")?;
        atomic::write(&project.join("Cargo.toml"), self.manifest()?.as_bytes())?;
        let program = package.packager().provided(self.ctx)?.path;
        let name = format!("{NAME}-{}-{}.{}", self.version, self.target.triple, package.name());
        let to = self.folder.join(name);
        // The packagers look for their manifest where they are.
        let sh = Shell::new()?;
        sh.change_dir(&project);
        let (manifest, triple, time) =
            (project.join("Cargo.toml"), &self.target.triple, self.time.0.to_string());
        let made = atomic::replace(&to, |temporary| {
            let command = match package {
                Package::Deb => cmd!(
                    sh,
                    "{program} --no-build --no-strip --manifest-path {manifest} --target {triple} --output {temporary}"
                ),
                Package::Rpm => cmd!(
                    sh,
                    "{program} --target {triple} --source-date {time} --payload-compress zstd --output {temporary}"
                ),
            };
            let command = command.env("SOURCE_DATE_EPOCH", &time);
            self.ctx.run(command, package.name()).map(|_stdout| ())
        });
        made.map(|()| to)
    }

    /// A cargo manifest that is nothing but the description of a package.
    fn manifest(&self) -> Result<String> {
        let mut assets = Vec::new();
        for file in archive::files(&self.stage)? {
            let name = file.strip_prefix(&self.stage)?.to_string_lossy().into_owned();
            if name == "SHA256SUMS" {
                continue;
            }
            let to = format!("/usr/{name}");
            let mode = if name.starts_with("bin/") { "755" } else { "644" };
            assets.push((file.display().to_string(), to, mode));
        }
        let config = self.stage.join("share/doc/dtail/dtail.json");
        if config.is_file() {
            assets.push((
                config.display().to_string(),
                "/etc/dserver/dtail.json".to_owned(),
                "644",
            ));
        }
        let configs = assets.iter().map(|(_, to, _)| to).filter(|to| to.starts_with("/etc/"));
        let rpm = assets.iter().map(|(from, to, mode)| {
            json!({"source": from, "dest": to, "mode": mode, "config": to.starts_with("/etc/")})
        });
        let manifest = json!({
            "package": {
                "name": NAME,
                "version": self.version,
                "edition": "2024",
                "license": "MIT OR Apache-2.0",
                "description": ABOUT,
                "authors": [format!("{NAME} contributors")],
                "metadata": {
                    "deb": {
                        "assets": deb_assets(&assets)?,
                        "depends": "$auto",
                        "section": "admin",
                        "conf-files": configs.collect::<Vec<_>>(),
                        "maintainer": format!("{NAME} contributors"),
                    },
                    "generate-rpm": {"assets": rpm.collect::<Vec<_>>()},
                },
            },
            "lib": {"path": "lib.rs"},
            // It is a workspace of its own.
            "workspace": {},
        });
        toml::to_string(&manifest).context("cannot describe the package")
    }
}

/// What goes into a Debian package. Another name of a program is a link there; a package for
/// Red Hat holds it twice, because its packager knows no links.
fn deb_assets(assets: &[(String, String, &str)]) -> Result<Vec<serde_json::Value>> {
    let mut programs = BTreeMap::new();
    let mut listed = Vec::new();
    for (from, to, mode) in assets {
        let facts = std::fs::metadata(from)?;
        let first = match *mode {
            "755" => *programs.entry((facts.dev(), facts.ino())).or_insert(to),
            _ => to,
        };
        listed.push(match first.strip_prefix("/usr/bin/") {
            Some(name) if first != to => json!({"dest": to, "link_name": name}),
            _ => json!([from, to, mode]),
        });
    }
    Ok(listed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_name_of_a_program_is_a_link_in_a_debian_package() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str| dir.path().join(name).display().to_string();
        atomic::write(Path::new(&put("dcat")), b"a program").unwrap();
        std::fs::hard_link(put("dcat"), put("dgrep")).unwrap();
        atomic::write(Path::new(&put("json")), b"{}").unwrap();
        let asset = |file: &str, to: &str, mode| (put(file), to.to_owned(), mode);
        let assets = [
            asset("dcat", "/usr/bin/dcat", "755"),
            asset("dgrep", "/usr/bin/dgrep", "755"),
            asset("json", "/usr/share/json", "644"),
            // The same file twice that is no program: a copy that its owner may change.
            asset("json", "/etc/json", "644"),
        ];
        let listed = deb_assets(&assets).unwrap();
        assert_eq!(listed[0], json!([put("dcat"), "/usr/bin/dcat", "755"]));
        assert_eq!(listed[1], json!({"dest": "/usr/bin/dgrep", "link_name": "dcat"}));
        assert_eq!(listed[3], json!([put("json"), "/etc/json", "644"]));
    }
}
