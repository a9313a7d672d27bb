// The margin: which passages an answer was given, and which were left out and why.
import { el } from "./dom.js";
import { showProse } from "./prose.js";

const WIDE = matchMedia("(min-width: 68rem)");

/** Fills `place` with the notes of one answer. lore: {passages, dropped} or null while unknown. wanted: whether lore was on. */
export function showNotes(place, lore, wanted) {
  place.replaceChildren();
  if (!wanted) place.append(el("p", { className: "faint" }, "Written without lore."));
  else if (lore && !lore.passages.length && !lore.dropped.length) place.append(el("p", { className: "faint" }, "No passage was near."));
  else if (lore) place.append(notes(lore));
  if (lore?.messages) place.append(el("p", { className: "faint" }, `Earlier messages without room: ${lore.messages}.`));
}

function notes({ passages, dropped }) {
  const count = passages.length === 1 ? "1 passage" : `${passages.length || "no"} passages`;
  const list = el("ol", { className: "passages" }, ...passages.map((one) => el("li", {}, passage(one))));
  const left = dropped.map((one) => el("li", {}, passage(one, one.reason)));
  const leftOut = el("details", { className: "dropped" }, el("summary", {}, `${dropped.length} left out`), el("ol", { className: "passages" }, ...left));
  return el("details", { className: "lore", open: WIDE.matches }, el("summary", {}, `Lore: ${count}`), list, dropped.length ? leftOut : null);
}

function passage(one, reason = "") {
  const head = [
    el("span", { className: "name" }, nameOf(one)),
    el("span", { className: "source" }, one.source),
    el("span", { className: "figures" }, figures(one)),
    reason ? el("span", { className: "reason" }, reason) : null,
  ];
  if (!one.text) return el("div", { className: "passage" }, ...head);
  const text = el("div", { className: "text", dir: "auto" });
  showProse(text, body(one));
  return el("details", { className: "passage" }, el("summary", {}, ...head), text);
}

/** Its headings; a single one under the title, which alone may say whose it is. */
function nameOf({ source, title, heading }) {
  const parts = (heading ?? "").split(" > ").filter(Boolean);
  if (title && parts.length < 2 && parts[0] !== title) parts.unshift(title);
  return parts.join(" › ") || source;
}

/** A passage's text begins with its title and headings, which stand above it here. */
function body({ text, title, heading }) {
  const label = [title, heading].filter(Boolean).join(" > ");
  return text.startsWith(`${label}\n`) ? text.slice(label.length) : text;
}

function figures({ score, distance, tokens }) {
  const shown = [];
  if (score) shown.push(`score ${score.toPrecision(2)}`);
  if (typeof distance === "number") shown.push(`distance ${distance.toFixed(2)}`);
  if (tokens) shown.push(`${tokens} tokens`);
  return shown.join(" · ");
}
