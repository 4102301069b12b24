// Opens a page in headless Chromium over its debugging pipe and does what a person would.
// Usage: node browser.js ADDRESS. Prints what it saw as one JSON line; "missing" without Chromium.
"use strict";
const { spawn } = require("child_process");
const { mkdtempSync, rmSync } = require("fs");
const { join } = require("path");

const PROGRAMS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const PATIENCE = 60_000;

function start(profile) {
  const flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--remote-debugging-pipe", "--window-size=1200,800", "--user-data-dir=" + profile];
  return PROGRAMS.reduce((chain, program) => chain.catch(() => new Promise((resolve, reject) => {
    const browser = spawn(program, flags, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    browser.once("error", reject);
    browser.once("spawn", () => resolve(browser));
  })), Promise.reject());
}

function speak(browser) {
  const waiting = new Map();
  const faults = [];
  let last = 0, session, rest = "";
  browser.stdio[4].on("data", (bytes) => {
    const parts = (rest + bytes).split("\0");
    rest = parts.pop();
    for (const part of parts) {
      const message = JSON.parse(part);
      if (message.method === "Runtime.exceptionThrown") faults.push(message.params.exceptionDetails.text);
      if (message.method === "Log.entryAdded" && message.params.entry.level === "error") faults.push(message.params.entry.text);
      const heard = waiting.get(message.id);
      if (heard) heard(message);
    }
  });
  const call = (method, params = {}) => new Promise((resolve, reject) => {
    const id = ++last;
    waiting.set(id, ({ result, error }) => error ? reject(new Error(`${method}: ${error.message}`)) : resolve(result));
    browser.stdio[3].write(JSON.stringify({ id, method, params, sessionId: session }) + "\0");
  });
  return { call, faults, attach: (id) => { session = id; } };
}

async function visit(browser, address) {
  const { call, faults, attach } = speak(browser);
  const { targetId } = await call("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await call("Target.attachToTarget", { targetId, flatten: true });
  attach(sessionId);
  await call("Runtime.enable");
  await call("Log.enable");
  await call("Page.navigate", { url: `http://${address}/` });
  const evaluate = async (expression) => {
    const { result, exceptionDetails } = await call("Runtime.evaluate", { expression, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.text + " in " + expression);
    return result.value;
  };
  const until = async (expression) => {
    while (!await evaluate(expression)) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  const boxes = `[...document.querySelectorAll("#flame div")].map((box) =>
    [box.textContent, Math.round(100 * box.clientWidth / document.getElementById("flame").clientWidth)])`;
  const click = async (name) => {
    const at = await evaluate(`(() => {
      const box = [...document.querySelectorAll("#flame div")].find((box) => box.textContent === ${JSON.stringify(name)});
      const place = box.getBoundingClientRect();
      return { x: place.left + place.width / 2, y: place.top + place.height / 2 };
    })()`);
    for (const type of ["mousePressed", "mouseReleased"])
      await call("Input.dispatchMouseEvent", { type, ...at, button: "left", clickCount: 1 });
  };
  await until(`document.querySelectorAll("#flame div").length > 1`);
  const seen = { drawn: await evaluate(boxes) };
  seen.rows = await evaluate(`document.querySelectorAll("#top tbody tr").length`);
  await evaluate(`document.getElementById("search").focus()`);
  await call("Input.insertText", { text: "^read$" });
  await until(`document.querySelectorAll("#flame div.match").length > 0`);
  seen.marked = await evaluate(`[...document.querySelectorAll("#flame div.match")].map((box) => box.textContent)`);
  seen.told = await evaluate(`document.getElementById("told").textContent`);
  await click("run");
  await until(`${boxes}.some(([name, width]) => name === "run" && width >= 99)`);
  seen.zoomed = await evaluate(boxes);
  await call("Input.dispatchKeyEvent", { type: "keyDown", key: "Escape", code: "Escape", windowsVirtualKeyCode: 27 });
  await until(`${boxes}.length === ${seen.drawn.length}`);
  seen.faults = faults;
  return seen;
}

async function main() {
  const profile = mkdtempSync(join(__dirname, "browser-"));
  const browser = await start(profile).catch(() => null);
  if (!browser) return console.log('"missing"');
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error("the browser took too long")), PATIENCE).unref());
  try {
    console.log(JSON.stringify(await Promise.race([visit(browser, process.argv[2]), late])));
  } finally {
    const gone = new Promise((resolve) => browser.once("exit", resolve));
    browser.kill("SIGKILL");
    await gone;
    rmSync(profile, { recursive: true, force: true, maxRetries: 20 });
  }
}

main().catch((error) => { console.error(String(error)); process.exitCode = 1; });
