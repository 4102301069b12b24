"use strict";
// Draws the flame graph and the table of one profile. Names go into the page as text only.

const ROW = 17;
const NARROWEST = 0.5;
const MOST_ROWS = 500;

const state = { data: null, nodes: [], focus: 0, wanted: null, sort: 1 };
const element = (id) => document.getElementById(id);

// Units as dprofile prints them.
const TIMES = [[3600e9, "h"], [60e9, "min"], [1e9, "s"], [1e6, "ms"], [1e3, "us"], [1, "ns"]];
const SIZES = [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [1024, "KiB"], [1, "B"]];

function shown(value, unit) {
  const scales = { nanoseconds: [1, TIMES], microseconds: [1e3, TIMES], milliseconds: [1e6, TIMES], seconds: [1e9, TIMES], bytes: [1, SIZES], kilobytes: [1024, SIZES] };
  const known = scales[unit];
  if (value === 0 || known === undefined) return unit === "count" ? String(value) : value + (unit && value ? " " + unit : "");
  const amount = value * known[0];
  const [scale, name] = known[1].find(([scale]) => Math.abs(amount) / scale >= 0.99995) || known[1][known[1].length - 1];
  return Number((amount / scale).toFixed(Math.abs(amount / scale) >= 99.995 ? 1 : 2)) + name;
}

function share(part, total) {
  return (total === 0 ? 0 : (100 * part) / total).toFixed(2) + " %";
}

function signed(value, unit) {
  return (value > 0 ? "+" : "") + shown(value, unit);
}

// Nodes come callers first; each begins where its place in the whole does.
function prepared(data) {
  const nodes = data.nodes.map(([depth, name, start, value, base]) => ({ depth, name: data.names[name], start, value, base, parent: -1 }));
  const path = [];
  nodes.forEach((node, at) => {
    path.length = node.depth;
    node.parent = node.depth > 0 ? path[node.depth - 1] : -1;
    path[node.depth] = at;
  });
  return nodes;
}

function colour(node) {
  if (state.data.is_difference) {
    const change = (node.value - node.base) / Math.max(node.value, node.base, 1);
    const pale = Math.round(235 - 175 * Math.min(1, Math.abs(change)));
    if (change === 0) return "#eee";
    return change > 0 ? `rgb(255,${pale},${pale})` : `rgb(${pale},${pale},255)`;
  }
  let hash = 2166136261;
  for (const letter of node.name) hash = Math.imul(hash ^ letter.codePointAt(0), 16777619) >>> 0;
  return `hsl(${15 + (hash % 40)},85%,${62 + (Math.floor(hash / 64) % 14)}%)`;
}

function described(node) {
  const { total, sample_type: type, is_difference: difference } = state.data;
  let text = `${node.name}: ${shown(node.value, type.unit)}, ${share(node.value, total)}`;
  if (difference) text += `, was ${shown(node.base, type.unit)}, ${signed(node.value - node.base, type.unit)}`;
  return text;
}

// What is drawn of each node for this focus and width: pure, so that it can be tested.
function layout(nodes, focus, width) {
  const chosen = nodes[focus];
  if (chosen === undefined || chosen.value === 0) return [];
  const above = new Set();
  for (let at = chosen.parent; at >= 0; at = nodes[at].parent) above.add(at);
  const scale = width / chosen.value;
  const boxes = [];
  nodes.forEach((node, at) => {
    if (above.has(at)) {
      boxes.push({ at, left: 0, width, top: node.depth * ROW, above: true });
    } else if (node.depth >= chosen.depth && node.start >= chosen.start && node.start + node.value <= chosen.start + chosen.value) {
      const box = { at, left: (node.start - chosen.start) * scale, width: node.value * scale, top: node.depth * ROW, above: false };
      if (box.width >= NARROWEST) boxes.push(box);
    }
  });
  return boxes;
}

function drawFlame() {
  const flame = element("flame");
  const boxes = layout(state.nodes, state.focus, flame.clientWidth);
  const drawn = boxes.map((box) => {
    const node = state.nodes[box.at];
    const div = document.createElement("div");
    div.style.left = box.left + "px";
    div.style.width = box.width + "px";
    div.style.top = box.top + "px";
    div.style.background = colour(node);
    div.className = (box.above ? "above " : "") + (matches(node.name) ? "match" : "");
    if (box.width > 20) div.textContent = node.name;
    div.title = described(node);
    div.addEventListener("click", () => focus(box.at));
    div.addEventListener("mouseenter", () => { element("detail").textContent = described(node); });
    return div;
  });
  flame.replaceChildren(...drawn);
  flame.style.height = ROW + Math.max(0, ...boxes.map((box) => box.top)) + "px";
}

function matches(name) {
  return state.wanted !== null && state.wanted.test(name);
}

// How much of the whole lies in calls that match; what is below one is in it already.
function matched(nodes, wanted) {
  let sum = 0;
  const inside = nodes.map(() => false);
  nodes.forEach((node, at) => {
    inside[at] = node.parent >= 0 && inside[node.parent];
    if (!inside[at] && wanted.test(node.name)) {
      inside[at] = true;
      sum += node.value;
    }
  });
  return sum;
}

function columns(data) {
  const { total, sample_type: type } = data;
  const value = (at) => (row) => [row[at], shown(row[at], type.unit)];
  const percent = (at) => (row) => [row[at], share(row[at], total)];
  const change = (after, before) => (row) => [row[after] - row[before], signed(row[after] - row[before], type.unit)];
  const all = [["flat", value(1)], ["flat %", percent(1)], ["cum", value(2)], ["cum %", percent(2)]];
  if (data.is_difference) all.push(["was flat", value(3)], ["change", change(1, 3)], ["was cum", value(4)], ["cum change", change(2, 4)]);
  all.push(["function", (row) => [data.names[row[0]], data.names[row[0]]]]);
  return all;
}

function drawTable() {
  const all = columns(state.data);
  const head = all.map(([name], at) => {
    const cell = document.createElement("th");
    cell.textContent = name + (at === state.sort ? " ▾" : "");
    cell.addEventListener("click", () => { state.sort = at; drawTable(); });
    return cell;
  });
  document.querySelector("#top thead tr").replaceChildren(...head);
  const key = all[state.sort][1];
  const rows = state.data.functions.slice().sort((a, b) => {
    const [x, y] = [key(a)[0], key(b)[0]];
    return typeof x === "string" ? x.localeCompare(y) : Math.abs(y) - Math.abs(x);
  });
  const chosen = state.wanted === null ? rows : rows.filter((row) => matches(state.data.names[row[0]]));
  const drawn = chosen.slice(0, MOST_ROWS).map((row) => {
    const line = document.createElement("tr");
    for (const [, cell] of all) {
      const data = document.createElement("td");
      data.textContent = cell(row)[1];
      line.append(data);
    }
    const name = state.data.names[row[0]];
    line.lastChild.addEventListener("click", () => {
      element("search").value = "^" + name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&") + "$";
      search();
    });
    return line;
  });
  document.querySelector("#top tbody").replaceChildren(...drawn);
}

function search() {
  const pattern = element("search").value;
  try {
    state.wanted = pattern ? new RegExp(pattern, "i") : null;
  } catch (_) {
    element("told").textContent = "not a regular expression";
    return;
  }
  const told = state.wanted === null ? "" : share(matched(state.nodes, state.wanted), state.data.total) + " match";
  element("told").textContent = told;
  drawFlame();
  drawTable();
}

function focus(at) {
  state.focus = at;
  drawFlame();
}

async function load(query) {
  const answer = await fetch("/profile.json" + query);
  const data = await answer.json();
  if (data.error) {
    element("heading").textContent = data.error;
    return;
  }
  Object.assign(state, { data, nodes: prepared(data), focus: 0, sort: data.is_difference ? 5 : 0 });
  document.title = data.title;
  element("title").textContent = data.title;
  element("heading").textContent = data.heading;
  const options = data.sample_types.map((type, at) => {
    const option = document.createElement("option");
    option.value = String(at);
    option.textContent = `${type.kind} (${type.unit})`;
    option.selected = at === data.kind;
    return option;
  });
  element("type").replaceChildren(...options);
  search();
}

function start() {
  element("type").addEventListener("change", () => load("?type=" + element("type").value));
  element("search").addEventListener("input", search);
  element("reset").addEventListener("click", () => { element("search").value = ""; focus(0); search(); });
  element("form").addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("resize", drawFlame);
  window.addEventListener("keydown", (event) => { if (event.key === "Escape") focus(0); });
  load("").catch((error) => { element("heading").textContent = "dprofile does not answer: " + error; });
}

// Outside a browser it is only read, by a test.
if (typeof document !== "undefined") start();
