// The desk: one conversation at a time, written to and read from.
import { loreOf, postChat } from "./api.js";
import { setUpComposer } from "./composer.js";
import { byId, el, quietButton } from "./dom.js";
import { setUpDrawer } from "./drawer.js";
import { save } from "./markdown.js";
import * as shelf from "./shelf.js";
import { pieces } from "./stream.js";
import { answerView, questionElement } from "./turns.js";
import { chatBody, loadModels, plural, setUpVoice, showStats } from "./voice.js";

const NEAR_END = 120; // pixels: a reader this near the end of the answer is carried along
const AIR = 24; // pixels kept free below it
let conversation = shelf.current();
let running = null; // the AbortController of the answer being written
const drawer = setUpDrawer();
const composer = setUpComposer({ send, stop, editLast });

function open(chosen) {
  stop();
  composer.leave();
  conversation = chosen;
  shelf.setCurrent(conversation.id);
  byId("turns").replaceChildren(...conversation.turns.map(element));
  showShelf();
  drawer.close();
  reveal(byId("turns").lastElementChild);
  composer.focus();
}

function element(turn) {
  return turn.role === "user" ? questionElement(turn, editLast) : answerView(closed(turn), again).element;
}

/** A turn that was being written when its page went away has not ended by itself. */
function closed(turn) {
  turn.ended ??= "stopped";
  return turn;
}

function showShelf() {
  const kept = shelf.conversations();
  const item = (one) => quietButton(shelf.titleOf(one), () => open(one), one.id === conversation.id ? { "aria-current": "true" } : {});
  byId("shelf").replaceChildren(...kept.map((one) => el("li", {}, item(one))));
  byId("no-shelf").hidden = kept.length > 0;
  const empty = conversation.turns.length === 0;
  byId("welcome").hidden = !empty;
  for (const id of ["export", "remove"]) byId(id).hidden = empty;
  const title = shelf.titleOf(conversation);
  byId("title").textContent = title;
  document.title = title ? `${title} – lorewright` : "lorewright";
}

function keep(one) {
  if (!one.removed) byId("unkept").hidden = shelf.keep(one);
  showShelf();
}

/** Sends a new message, or the last one edited: then what followed from it goes. */
function send(text, edited) {
  if (edited) cutFrom(conversation.turns.findLastIndex((turn) => turn.role === "user"));
  const turn = { role: "user", content: text };
  conversation.turns.push(turn);
  byId("turns").append(questionElement(turn, editLast));
  write();
}

function again() {
  if (running) return;
  cutFrom(conversation.turns.length - 1);
  composer.focus();
  write();
}

function editLast() {
  const last = conversation.turns.findLast((turn) => turn.role === "user");
  if (last && !running) composer.edit(last.content);
}

function cutFrom(number) {
  conversation.turns.length = number;
  while (byId("turns").children.length > number) byId("turns").lastChild.remove();
}

function stop() {
  running?.abort();
}

/** Asks for the answer to what stands there, and shows it as it comes. */
async function write() {
  const begun = performance.now();
  const turn = { role: "assistant", content: "", model: byId("model").value, wanted: byId("lore").checked, lore: null, ended: null, problem: null };
  const body = chatBody(messages());
  const mine = conversation;
  mine.turns.push(turn);
  const view = answerView(turn, again);
  byId("turns").append(view.element);
  composer.writing(true);
  keep(mine);
  reveal(view.element);
  running = new AbortController();
  try {
    await receive(turn, view, body, running.signal);
  } catch (problem) {
    await fail(turn, problem);
  }
  turn.seconds = (performance.now() - begun) / 1000;
  keep(mine);
  running = null;
  composer.writing(false);
  showSoon(view);
  byId("said").textContent = turn.problem ? "" : turn.ended === "stopped" ? "Stopped." : "The answer is complete.";
  if (byId("model").value) showStats();
  else begin(); // it may answer by now
}

async function receive(turn, view, body, signal) {
  const response = await postChat(body, signal);
  const lore = turn.wanted && loreOf(response).then((found) => {
    turn.lore = found;
    view.notes();
  });
  try {
    for await (const piece of pieces(response.body)) {
      turn.content += piece.text ?? "";
      if (piece.ended) turn.ended = piece.ended;
      showSoon(view);
    }
  } finally {
    await lore;
  }
}

async function fail(turn, problem) {
  turn.ended = problem.name === "AbortError" ? "stopped" : "failed";
  if (turn.ended === "stopped") return;
  turn.problem = problem.message;
  if (problem.status === 401) askForKey();
  if (problem.status === undefined) console.error(problem); // a fault of this page
}

/** Pixels by which an answer ends below the part of the page that shows; its margin may be longer. */
function below(answer) {
  return answer.firstElementChild.getBoundingClientRect().bottom - byId("foot").getBoundingClientRect().top + AIR;
}

function reveal(answer) {
  if (answer && below(answer) > 0) scrollBy(0, below(answer));
}

/** Once a frame, however fast the words come; a reader at the end is carried along. */
function showSoon(view) {
  if (view.asked) return;
  view.asked = true;
  requestAnimationFrame(() => {
    view.asked = false;
    const followed = below(view.element) < NEAR_END;
    view.update();
    if (followed) reveal(view.element);
  });
}

/** What is sent: questions and answers in turn. Questions that got none go with the next, since templates want both by turns. */
function messages() {
  const sent = [];
  for (const { role, content } of conversation.turns.filter((turn) => turn.content)) {
    if (sent.at(-1)?.role === role) sent.at(-1).content += `\n\n${content}`;
    else sent.push({ role, content });
  }
  return sent;
}

function askForKey() {
  byId("key-form").hidden = false;
  byId("key").focus();
}

async function useKey(event) {
  event.preventDefault();
  shelf.keepKey(byId("key").value.trim());
  byId("key-form").hidden = true;
  byId("key").value = "";
  await begin();
  if (conversation.turns.at(-1)?.problem) again();
}

/** What the proxy says of itself. */
async function begin() {
  await loadModels().catch((problem) => problem.status === 401 && askForKey());
  const stats = await showStats();
  if (!stats) return;
  byId("recipe").textContent = stats.recipe;
  const count = stats.chunks_available;
  byId("welcome-lore").textContent = count ? `${plural(count, "passage", "passages")} of lore at hand.` : "No lore at hand: the proxy only forwards.";
}

function removeCurrent() {
  if (!confirm("Delete this conversation from this browser?")) return;
  conversation.removed = true; // an answer still being written must not bring it back
  shelf.remove(conversation.id);
  open(shelf.newConversation());
}

for (const button of document.querySelectorAll(".begin")) button.addEventListener("click", () => open(shelf.newConversation()));
byId("export").addEventListener("click", () => save(conversation));
byId("remove").addEventListener("click", removeCurrent);
byId("key-form").addEventListener("submit", useKey);
addEventListener("pagehide", () => running && shelf.keep(conversation));
addEventListener("storage", showShelf);
setUpVoice();
open(conversation);
begin();
