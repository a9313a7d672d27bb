// The writing line and its keys.
import { byId } from "./dom.js";

/** send(text, edited), stop(), editLast(): what the desk does. Returns what the desk may do with the line. */
export function setUpComposer({ send, stop, editLast }) {
  const text = byId("text");
  let editing = false;
  let busy = false;

  function submit() {
    const words = text.value.trim();
    if (!words || busy) return;
    const edited = editing;
    text.value = "";
    leave();
    send(words, edited);
  }

  function edit(words) {
    editing = true;
    byId("editing").hidden = false;
    text.value = words;
    grow();
    text.focus();
  }

  function leave() {
    if (editing) text.value = "";
    editing = false;
    byId("editing").hidden = true;
    grow();
  }

  function grow() {
    text.style.height = "auto";
    text.style.height = `${text.scrollHeight}px`;
  }

  function writing(now) {
    busy = now;
    const leaving = document.activeElement === byId("stop");
    byId("send").hidden = now;
    byId("stop").hidden = !now;
    if (leaving) text.focus();
  }

  text.addEventListener("input", grow);
  text.addEventListener("keydown", (event) => {
    // An input method confirms a word with Enter too.
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      submit();
    }
    if (event.key === "ArrowUp" && !text.value) {
      event.preventDefault();
      editLast();
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.isComposing) return;
    if (busy) stop();
    else if (editing) leave();
  });
  byId("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  byId("stop").addEventListener("click", stop);
  byId("leave-editing").addEventListener("click", () => {
    leave();
    text.focus();
  });
  /** Not where focus would bring up a keyboard on the screen. */
  function focus() {
    if (matchMedia("(pointer: fine)").matches) text.focus({ preventScroll: true });
  }

  return { edit, leave, writing, focus };
}
