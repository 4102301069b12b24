//! Profiles that last: what `pgo-check`, `pgo-rebase` and `build-pgo` make of a stored profile when
//! the workspace around it changes. Every test really builds, in one shared output folder.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod fixture;

use std::path::{Path, PathBuf};
use std::process::Command;

use fixture::{Fixture, Sources, target};
use serde_json::Value;

fn stored(profiles: &Path, file: &str) -> PathBuf {
    profiles.join(target()).join(file)
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Checks alpha and gives the figures, which GitHub's summary of the step has, too.
#[track_caller]
fn check(fixture: &Fixture, profiles: &Path, code: i32, options: &[&str]) -> (Value, String) {
    let path = fixture.root.join("check.json");
    let shown = path.display().to_string();
    let words = [&["pgo-check", "alpha", "--json", &shown], options].concat();
    let summary = fixture.root.join("summary.md");
    let env = [("GITHUB_STEP_SUMMARY", summary.to_str().unwrap())];
    let said = fixture.run_with(&words, profiles, &env).expect(code);
    assert_says(&std::fs::read_to_string(&summary).unwrap(), "* alpha: ");
    (json(&path)["tools"][0].clone(), said)
}

#[track_caller]
fn assert_says(said: &str, expected: &str) {
    assert!(said.contains(expected), "{said}");
}

fn functions(checked: &Value, what: &str) -> u64 {
    checked["all"][what]["functions"].as_u64().unwrap()
}

/// Instructions that a program executes, when valgrind is there to count them.
fn instructions(program: &Path) -> Option<u64> {
    let out = program.with_extension("callgrind");
    let file = format!("--callgrind-out-file={}", out.display());
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", &file])
        .arg(program)
        .arg("30000")
        .output();
    let Ok(output) = output else {
        eprintln!("SKIPPED: no valgrind, so instructions are not counted");
        return None;
    };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let count = said.lines().find_map(|line| line.split_once("Collected : "));
    Some(count.unwrap_or_else(|| panic!("{said}")).1.trim().parse().unwrap())
}

#[test]
fn a_target_takes_the_profiles_of_another() {
    let musl = "x86_64-unknown-linux-musl";
    let bumped = Sources { version: "0.3.0", ..Sources::trained() };
    let (fixture, profiles) = Fixture::new("target", &bumped);
    if target() == musl || !fixture.can_build(musl) {
        eprintln!("SKIPPED: no second target; rustup target add {musl}");
        return;
    }
    let said = fixture.run(&["build-pgo", "alpha", "--target", musl], &profiles).expect(6);
    assert_says(&said, "no profile");
    // Of a profile that was renamed before, too, it is told where it was trained.
    fixture.run(&["pgo-rebase", "alpha"], &profiles).expect(0);
    let words = ["pgo-rebase", "alpha", "--target", musl, "--from-target", target()];
    fixture.run(&words, &profiles).expect(0);
    let manifest = json(&profiles.join(musl).join("alpha.manifest.json"));
    assert_eq!(manifest["identity"]["target"], musl);
    assert_eq!(manifest["rebased_from"]["target"], target());
    // Nearly all of it: how the two libraries of C start and end a program differs.
    assert!(manifest["rebased_from"]["kept"].as_f64().unwrap() > 0.95, "{manifest}");
    fixture.run(&["pgo-check", "alpha", "--target", musl], &profiles).expect(0);
    fixture.run(&["build-pgo", "alpha", "--target", musl], &profiles).expect(0);
}

#[test]
fn a_new_version_costs_no_training() {
    let bumped = Sources { version: "0.2.0", ..Sources::trained() };
    let (fixture, profiles) = Fixture::new("version", &bumped);
    let (checked, said) = check(&fixture, &profiles, 6, &[]);
    assert_says(&said, "mend: cargo xtask pgo-rebase alpha");
    assert_eq!(checked["verdict"], "rebase");
    assert!(functions(&checked, "rebaseable") > 0);
    assert_eq!((functions(&checked, "changed"), functions(&checked, "gone")), (0, 0));
    // A build with what does not fit is refused as well, and names the same mend.
    let said = fixture.run(&["build-pgo", "alpha"], &profiles).expect(6);
    assert_says(&said, "mend: cargo xtask pgo-rebase alpha");

    fixture.run(&["pgo-rebase", "alpha"], &profiles).expect(0);
    let manifest = json(&stored(&profiles, "alpha.manifest.json"));
    assert_eq!(manifest["rebased_from"]["kept"], 1.0);
    assert_eq!(manifest["rebased_from"]["lost_functions"], 0);
    let (checked, _) = check(&fixture, &profiles, 0, &[]);
    assert_eq!(checked["verdict"], "fits");
    assert_eq!(functions(&checked, "rebaseable"), 0);
    let built = fixture.run(&["build-pgo", "alpha"], &profiles);
    assert_says(&built.stderr, "100.00 % fit");
    built.expect(0);
    let Some(rebased) = instructions(&fixture.program("alpha")) else { return };

    let native = fixture.root.join("profiles/native");
    fixture.run(&["pgo-generate", "alpha"], &native).expect(0);
    fixture.run(&["build-pgo", "alpha"], &native).expect(0);
    let native = instructions(&fixture.program("alpha")).unwrap();
    eprintln!("instructions: {rebased} rebased, {native} native");
    let ratio = rebased as f64 / native as f64;
    assert!((ratio - 1.0).abs() < 0.001, "{rebased} rebased, {native} native");
}

#[test]
fn link_time_optimisation_costs_no_training() {
    let linked = Sources { lto: "fat", ..Sources::trained() };
    let (fixture, profiles) = Fixture::new("lto", &linked);
    let said = fixture.run(&["build-pgo", "alpha"], &profiles).expect(6);
    assert_says(&said, "another cargo profile's settings; rename what is in it");
    fixture.run(&["pgo-rebase", "alpha"], &profiles).expect(0);
    let manifest = json(&stored(&profiles, "alpha.manifest.json"));
    assert!(manifest["rebased_from"]["kept"].as_f64().unwrap() > 0.99, "{manifest}");
    assert_eq!(manifest["rebased_from"]["settings"]["dist"]["lto"], "off");
    assert_eq!(manifest["identity"]["settings"]["dist"]["lto"], "fat");
    check(&fixture, &profiles, 0, &[]);
}

#[test]
fn an_edit_loses_the_edited_function_and_no_other() {
    let weigh = "match word.len() { 0 => 9, 1..4 => 1, 4 if word.is_ascii() => 2, _ => 3 }";
    let edited = Sources { weigh, ..Sources::trained() };
    let (fixture, profiles) = Fixture::new("edit", &edited);
    let (checked, _) = check(&fixture, &profiles, 0, &[]);
    assert_eq!(checked["verdict"], "fits");
    assert_eq!((functions(&checked, "changed"), functions(&checked, "gone")), (1, 0));
    let worst = checked["worst"].as_array().unwrap();
    let names: Vec<_> = worst.iter().map(|loss| &loss["function"]).collect();
    assert_eq!(names, ["tally::weigh"]);
    assert_eq!(worst[0]["why"], "control flow changed");
    // The build finds the same, says so, and finds it out only once.
    std::fs::remove_dir_all(fixture.root.join("target/pgo/fit")).unwrap();
    for counts in [true, false] {
        let built = fixture.run(&["build-pgo", "alpha"], &profiles);
        assert_eq!(built.stderr.contains("counting what is lost"), counts, "{}", built.stderr);
        assert_says(&built.stderr, "% fit");
        built.expect(0);
    }
    let (_, said) = check(&fixture, &profiles, 6, &["--max-lost", "0.01%"]);
    assert_says(&said, "mend: cargo xtask pgo-generate alpha");
    let said = fixture.run(&["pgo-rebase", "alpha", "--max-lost", "0.01%"], &profiles).expect(6);
    assert_says(&said, "make it anew with: cargo xtask pgo-generate alpha");
    // A rebase within the limit leaves the function out and names what it cost.
    fixture.run(&["pgo-rebase", "alpha"], &profiles).expect(0);
    let manifest = json(&stored(&profiles, "alpha.manifest.json"));
    assert_eq!(manifest["rebased_from"]["lost_functions"], 1);
    let (checked, _) = check(&fixture, &profiles, 0, &["--max-lost", "0"]);
    assert_eq!(checked["new_functions"], 1);
}

#[test]
fn other_codegen_units_are_another_control_flow() {
    let cut = Sources { codegen_units: 16, ..Sources::trained() };
    let (fixture, profiles) = Fixture::new("units", &cut);
    let before = std::fs::read(stored(&profiles, "alpha.manifest.json")).unwrap();
    let said = fixture.run(&["pgo-rebase", "alpha"], &profiles).expect(6);
    assert_says(&said, "another codegen-units (1, now 16)");
    assert_says(&said, "make it anew with: cargo xtask pgo-generate alpha");
    assert_eq!(std::fs::read(stored(&profiles, "alpha.manifest.json")).unwrap(), before);
    let said = fixture.run(&["build-pgo", "alpha"], &profiles).expect(6);
    assert_says(&said, "another codegen-units (1, now 16)");
}

#[test]
fn a_profile_of_another_compiler_is_refused() {
    let (fixture, profiles) = Fixture::new("compiler", &Sources::trained());
    let path = stored(&profiles, "alpha.manifest.json");
    let manifest = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, manifest.replacen("\"commit\": \"", "\"commit\": \"0", 1)).unwrap();
    for verb in ["pgo-check", "pgo-rebase"] {
        let said = fixture.run(&[verb, "alpha"], &profiles).expect(3);
        assert_says(&said, "it was made by rustc");
    }
    let said = fixture.run(&["build-pgo", "alpha"], &profiles).expect(6);
    assert_says(&said, "it was made by rustc");
}

#[test]
fn a_profile_of_another_program_or_a_damaged_one_is_refused() {
    let (fixture, profiles) = Fixture::new("foreign", &Sources::trained());
    let [path, manifest] =
        ["alpha.proftext.xz", "alpha.manifest.json"].map(|file| stored(&profiles, file));
    let good = [std::fs::read(&path).unwrap(), std::fs::read(&manifest).unwrap()];
    // Beta's profile, with a manifest that says it is alpha's.
    std::fs::copy(stored(&profiles, "beta.proftext.xz"), &path).unwrap();
    let beta = std::fs::read_to_string(stored(&profiles, "beta.manifest.json")).unwrap();
    let alpha = beta.replace("\"tool\": \"beta\"", "\"tool\": \"alpha\"");
    std::fs::write(&manifest, alpha).unwrap();
    for verb in ["pgo-check", "pgo-rebase", "build-pgo"] {
        let said = fixture.run(&[verb, "alpha"], &profiles).expect(5);
        assert_says(&said, "no function of alpha ran in it: it is another program's");
    }
    std::fs::write(&manifest, &good[1]).unwrap();
    let said = fixture.run(&["pgo-check", "alpha"], &profiles).expect(5);
    assert_says(&said, "another program's");
    for damaged in [&[][..], &good[0][..good[0].len() / 2], b"not a profile"] {
        std::fs::write(&path, damaged).unwrap();
        let said = fixture.run(&["pgo-check", "alpha"], &profiles).expect(5);
        assert_says(&said, "make it anew with: cargo xtask pgo-generate alpha");
    }
    std::fs::remove_file(&path).unwrap();
    let said = fixture.run(&["pgo-check", "alpha"], &profiles).expect(6);
    assert_says(&said, "no profile ");
}

#[test]
fn a_profile_that_fell_far_behind_the_published_one_is_refused_until_it_is_accepted() {
    let (fixture, profiles) = Fixture::new("decline", &Sources::trained());
    let path = stored(&profiles, "alpha.manifest.json");
    let mut manifest = json(&path);
    let total = manifest["cases"][0]["total"].as_u64().unwrap();
    manifest["cases"][0]["total"] = (total * 6).into();
    std::fs::write(&path, manifest.to_string()).unwrap();
    let before = std::fs::read(&path).unwrap();
    let said = fixture.run(&["pgo-generate", "alpha"], &profiles).expect(5);
    assert_says(&said, "only 16.7 % of the counts of the same cases are left (limit 50 %)");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let accepted = ["pgo-generate", "alpha", "--accept-drop"];
    fixture.run(&accepted, &profiles).expect(0);
    assert_eq!(json(&path)["cases"][0]["total"], total);
    // And what is no decline needs no acceptance.
    fixture.run(&accepted[..2], &profiles).expect(0);
}

#[test]
fn flags_and_compilers_from_elsewhere_are_refused() {
    let (fixture, profiles) = Fixture::new("elsewhere", &Sources::trained());
    let build = ["build-pgo", "alpha"];
    let env = [("CARGO_PROFILE_DIST_LTO", "fat")];
    let said = fixture.run_with(&build, &profiles, &env).stderr;
    assert_says(&said, "CARGO_PROFILE_DIST_LTO is set");
    fixture.file(".cargo/config.toml", "[build]\nrustflags = [\"-Ctarget-cpu=native\"]\n");
    let refused = fixture.run(&build, &profiles);
    std::fs::remove_file(fixture.root.join(".cargo/config.toml")).unwrap();
    assert_says(&refused.stderr, "sets build.rustflags");
    refused.expect(3);
    fixture.run(&build, &profiles).expect(0);
}
