// Prose to elements: paragraphs, scene breaks, headings, lists, quotations, emphasis. Everything else stays the text it is.
import { el } from "./dom.js";

const SCENE_BREAK = /^(?:(?:[*_-][ \t]*){3,}|⁂|#)$/;
const HEADING = /^#{1,6}[ \t]+(\S.*)$/;
const LISTS = [["ul", /^[ \t]*[-*+][ \t]+/], ["ol", /^[ \t]*\d{1,3}[.)][ \t]+/], ["blockquote", /^>[ \t]?/]];
const MARKS = /(\*{1,3}|_{1,3})/;
const DEEPEST = 4; // emphasis within emphasis; bounds the work on a run of asterisks

/** Shows `text` in `place`. What is already there and did not change stays, so that a reader can select while it is written. */
export function showProse(place, text) {
  const wanted = blocks(text);
  const shown = place.shownBlocks ?? [];
  let same = 0;
  while (same < wanted.length && same < shown.length && wanted[same] === shown[same]) same += 1;
  while (place.childNodes.length > same) place.lastChild.remove();
  place.append(...wanted.slice(same).map(block));
  place.shownBlocks = wanted;
}

/** The text cut at empty lines and around headings. */
export function blocks(text) {
  const spaced = text.replace(/\r\n?/g, "\n").replace(/^#{1,6}[ \t]+\S.*$/gm, "\n$&\n");
  return spaced.split(/\n(?:[ \t]*\n)+/).map((part) => part.trim()).filter(Boolean);
}

function block(text) {
  if (SCENE_BREAK.test(text)) return el("hr");
  const heading = HEADING.exec(text);
  if (heading) return el("h4", {}, ...inline(heading[1]));
  const lines = text.split("\n");
  for (const [tag, start] of LISTS) {
    if (!lines.every((line) => start.test(line))) continue;
    const rest = lines.map((line) => line.replace(start, ""));
    return tag === "blockquote" ? el(tag, {}, paragraph(rest)) : el(tag, {}, ...rest.map((line) => el("li", {}, ...inline(line))));
  }
  return paragraph(lines);
}

function paragraph(lines) {
  return el("p", {}, ...lines.flatMap((line, number) => (number ? [el("br"), ...inline(line)] : inline(line))));
}

/** Nodes of one line: *emphasis*, **strong**, ***both***, and the same with underscores between words. */
export function inline(text) {
  const open = [{ mark: "", nodes: [] }];
  const pieces = text.split(MARKS);
  pieces.forEach((piece, number) => {
    const before = pieces[number - 1]?.at(-1) ?? "";
    const after = pieces[number + 1]?.[0] ?? "";
    const isMark = number % 2 === 1;
    if (isMark && closes(piece, before, after) && open.some((one) => one.mark === piece)) close(open, piece);
    else if (isMark && opens(piece, before, after) && open.length <= DEEPEST) open.push({ mark: piece, nodes: [] });
    else if (piece) add(open.at(-1).nodes, piece);
  });
  while (open.length > 1) giveUp(open);
  return open[0].nodes;
}

/** Neighbouring text becomes one node. */
function add(nodes, text) {
  if (typeof nodes.at(-1) === "string") nodes.push(nodes.pop() + text);
  else nodes.push(text);
}

function opens(mark, before, after) {
  return /\S/.test(after) && !(mark[0] === "_" && /[\p{L}\p{N}]/u.test(before));
}

function closes(mark, before, after) {
  return /\S/.test(before) && !(mark[0] === "_" && /[\p{L}\p{N}]/u.test(after));
}

function close(open, mark) {
  while (open.at(-1).mark !== mark) giveUp(open);
  const { nodes } = open.pop();
  const tags = [[], ["em"], ["strong"], ["strong", "em"]][mark.length];
  open.at(-1).nodes.push(tags.reduceRight((inner, tag) => [el(tag, {}, ...inner)], nodes)[0]);
}

/** A mark that nothing closed was only a character. */
function giveUp(open) {
  const { mark, nodes } = open.pop();
  open.at(-1).nodes.push(mark, ...nodes);
}
