"use strict";
// Search and zoom of the picture. It reads the frames that are there and fetches nothing.
(function () {
  const all = Array.from(document.querySelectorAll("g.f"));
  const whole = 1200;
  const letter = 6.6;
  const told = document.getElementById("told");
  const legend = told.textContent;
  const frames = all.map(function (group) {
    const rect = group.querySelector("rect");
    return {
      group: group,
      rect: rect,
      text: group.querySelector("text"),
      name: group.querySelector("title").textContent.split("\n")[0],
      x: Number(rect.getAttribute("x")),
      y: Number(rect.getAttribute("y")),
      width: Number(rect.getAttribute("width")),
      fill: rect.getAttribute("fill"),
    };
  });

  function shortened(name, width) {
    const letters = Array.from(name);
    const room = Math.max(0, Math.floor((width - 6) / letter));
    if (letters.length <= room) return name;
    return room < 3 ? "" : letters.slice(0, room - 1).join("") + "…";
  }

  function place(frame, x, width, above) {
    frame.group.style.display = "";
    frame.group.setAttribute("class", above ? "f above" : "f");
    frame.rect.setAttribute("x", x);
    frame.rect.setAttribute("width", width);
    frame.text.setAttribute("x", x + 3);
    frame.text.textContent = shortened(frame.name, width);
  }

  function zoom(chosen) {
    const scale = whole / chosen.width;
    const end = chosen.x + chosen.width;
    for (const frame of frames) {
      const frameEnd = frame.x + frame.width;
      // Widths are rounded to hundredths.
      if (frame.y < chosen.y && frame.x <= chosen.x + 0.02 && frameEnd >= end - 0.02) {
        place(frame, 0, whole, true);
      } else if (frame.y >= chosen.y && frame.x >= chosen.x - 0.02 && frameEnd <= end + 0.02) {
        place(frame, (frame.x - chosen.x) * scale, frame.width * scale, false);
      } else {
        frame.group.style.display = "none";
      }
    }
  }

  function search(pattern) {
    let wanted = null;
    try {
      wanted = pattern ? new RegExp(pattern, "i") : null;
    } catch (_) {
      told.textContent = "not a regular expression";
      return;
    }
    const found = [];
    for (const frame of frames) {
      const matches = wanted !== null && wanted.test(frame.name);
      frame.rect.setAttribute("fill", matches ? "#c0f" : frame.fill);
      if (matches) found.push(frame);
    }
    // A frame below another that matches is in its width already.
    found.sort((a, b) => a.x - b.x || b.width - a.width);
    let covered = 0;
    let sum = 0;
    for (const frame of found) {
      const from = Math.max(frame.x, covered);
      sum += Math.max(0, frame.x + frame.width - from);
      covered = Math.max(covered, frame.x + frame.width);
    }
    told.textContent = wanted === null ? legend : (100 * sum / whole).toFixed(2) + " % match " + pattern;
  }

  function ask() {
    const pattern = window.prompt("Search for functions (regular expression)", "");
    if (pattern !== null) search(pattern);
  }

  function reset() {
    if (frames.length > 0) zoom(frames[0]);
    search("");
  }

  frames.forEach((frame) => frame.group.addEventListener("click", () => zoom(frame)));
  document.getElementById("search").addEventListener("click", ask);
  document.getElementById("reset").addEventListener("click", reset);
  window.addEventListener("keydown", function (event) {
    if (event.key === "/") {
      event.preventDefault();
      ask();
    } else if (event.key === "Escape") {
      reset();
    }
  });
})();
