// On small screens the desk's side lies in a drawer; on large ones it always shows.
import { byId } from "./dom.js";

const BEHIND = ["talk", "ask"];

export function setUpDrawer() {
  const opener = byId("open-drawer");

  function set(open) {
    document.body.classList.toggle("drawer-open", open);
    opener.setAttribute("aria-expanded", String(open));
    for (const id of BEHIND) byId(id).inert = open;
  }

  function close() {
    if (document.body.classList.contains("drawer-open")) set(false);
  }

  opener.addEventListener("click", () => {
    set(true);
    byId("close-drawer").focus();
  });
  byId("close-drawer").addEventListener("click", () => {
    close();
    opener.focus();
  });
  document.body.addEventListener("click", (event) => event.target === document.body && close()); // beside the drawer
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !document.body.classList.contains("drawer-open")) return;
    close();
    opener.focus();
  });
  return { close };
}
