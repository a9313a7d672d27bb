// One turn of a conversation as it stands on the page.
import { el, quietButton } from "./dom.js";
import { showNotes } from "./notes.js";
import { showProse } from "./prose.js";

/** What the writer said. */
export function questionElement(turn, edit) {
  const words = el("div", { className: "words", dir: "auto" });
  showProse(words, turn.content);
  const actions = el("p", { className: "actions" }, quietButton("Edit", edit, { title: "Edit and send again" }));
  return el("li", { className: "turn question" }, el("h2", { className: "unseen" }, "You"), words, actions);
}

/** The answer. element: to be placed. update(): shows the turn as it is now. notes(): shows its lore as it is now. */
export function answerView(turn, again) {
  const prose = el("div", { className: "prose", dir: "auto", "aria-live": "polite" });
  const waiting = el("p", { className: "waiting" }, "Looking it up");
  const fate = el("p", { className: "fate faint" });
  const problem = el("p", { className: "problem", role: "alert" });
  const actions = el("p", { className: "actions" }, quietButton("Write again", again), quietButton("Copy", () => copy(turn, actions)), fate);
  const notes = el("aside", { className: "notes", "aria-label": "Lore for this answer" });
  const sheet = el("article", {}, el("h2", { className: "unseen" }, "Answer"), prose, waiting, problem, actions);
  const element = el("li", { className: "turn answer" }, sheet, notes);

  function update() {
    showProse(prose, turn.content);
    element.classList.toggle("writing", !turn.ended);
    prose.setAttribute("aria-busy", String(!turn.ended));
    waiting.hidden = Boolean(turn.ended || turn.content);
    waiting.textContent = turn.wanted && !turn.lore ? "Looking it up" : "Waiting for the first word";
    problem.hidden = !turn.problem;
    problem.textContent = turn.problem ?? "";
    actions.hidden = !turn.ended;
    actions.children[1].hidden = !turn.content;
    fate.textContent = turn.ended ? fateOf(turn) : "";
  }
  const showLore = () => showNotes(notes, turn.lore, turn.wanted);
  showLore();
  update();
  return { element, update, notes: showLore };
}

function fateOf({ ended, problem, content, model, seconds }) {
  const words = { length: "reached its most tokens", stopped: "stopped", tool_calls: "asked for a tool" };
  const said = words[ended] ?? (problem || content ? "" : "the model wrote nothing");
  return [said, model, seconds && `${seconds.toFixed(1)} s`].filter(Boolean).join(" · ");
}

async function copy(turn, actions) {
  const button = actions.children[1];
  try {
    await navigator.clipboard.writeText(turn.content);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not allowed here"; // a browser lends its clipboard only to localhost and https
  }
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}
