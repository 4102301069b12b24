//! The SVG file: complete, safe, and with a script that runs.

use std::process::Command;

use dtail_testkit::Scratch;

use crate::dprofile;
use crate::profiles::{encoded, profile};

/// Runs a script with node, if it is installed.
pub(crate) fn node(scratch: &Scratch, script: &str) -> Option<String> {
    let path = scratch.write("test.js", script);
    let Ok(output) = Command::new("node").arg(path).output() else {
        eprintln!("SKIPPED: no node to run the script with");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// As much of a browser's document as the script of the picture uses.
const DOCUMENT: &str = r#"
const made = {};
function element(attributes, text) {
  return {
    attributes, textContent: text, style: {}, heard: {},
    getAttribute(name) { return String(this.attributes[name]); },
    setAttribute(name, value) { this.attributes[name] = value; },
    addEventListener(name, call) { this.heard[name] = call; },
  };
}
const groups = source.matchAll(/<g class="f"><title>([^]*?)<\/title><rect ([^>]*)\/><text/g);
const frames = Array.from(groups, ([, title, rect]) => {
  const attributes = Object.fromEntries(Array.from(rect.matchAll(/(\w+)="([^"]*)"/g), (it) => [it[1], it[2]]));
  const parts = { title: element({}, title), rect: element(attributes, ""), text: element({}, "") };
  const group = element({}, "");
  group.querySelector = (name) => parts[name];
  group.parts = parts;
  return group;
});
globalThis.document = {
  querySelectorAll: () => frames,
  getElementById: (id) => made[id] = made[id] || element({}, ""),
};
globalThis.window = { addEventListener() {}, prompt: () => "^run$" };
"#;

#[test]
fn the_picture_searches_and_zooms() {
    let scratch = Scratch::new();
    scratch.write("a.prof", encoded(&profile(&["6 main run read", "2 main x run", "2 main y"])));
    dprofile(&scratch, &["flame", "a.prof", "-o", "a.svg"]).run().exits(0).prints("").says("");
    let svg = String::from_utf8(scratch.read("a.svg")).unwrap();
    let (_, script) = svg.split_once("<![CDATA[").unwrap();
    let (script, _) = script.split_once("]]>").unwrap();
    let told = node(
        &scratch,
        &format!(
            "const source = require('fs').readFileSync(__dirname + '/a.svg', 'utf8');{DOCUMENT}
            {script}
            made.search.heard.click();
            console.log(made.told.textContent);
            const run = frames.find((it) => it.parts.title.textContent.startsWith('run'));
            run.heard.click();
            const drawn = frames.filter((it) => it.style.display !== 'none').map((it) =>
              it.parts.title.textContent.split('\\n')[0] + ' ' + it.parts.rect.attributes.width);
            console.log(drawn.join(', '));
            made.reset.heard.click();
            console.log(run.parts.rect.attributes.width);"
        ),
    );
    if let Some(told) = told {
        assert_eq!(told, "80.00 % match ^run$\nall 1200, main 1200, run 1200, read 1200\n720\n");
    }
}

#[test]
fn a_picture_goes_to_standard_output_too() {
    let scratch = Scratch::new();
    scratch.write("a.prof", encoded(&profile(&["6 main <script>"])));
    scratch.write("b.prof", encoded(&profile(&["6 main"])));
    let finished = dprofile(&scratch, &["flame", "a.prof", "-diff", "b.prof", "-o", "-"]).run();
    let svg = finished.exits(0).stdout_text();
    assert!(svg.contains("&lt;script&gt;") && svg.contains("compared with b.prof"), "{svg}");
}
