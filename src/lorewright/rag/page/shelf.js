// What stays in this browser: conversations, each under a key of its own so that two tabs do not overwrite one another, and settings.

const CONVERSATION = "lorewright.conversation.";
const SETTINGS = "lorewright.settings";
// Of this tab, and forgotten with it:
const CURRENT = "lorewright.current";
const KEY = "lorewright.key";
const TITLE = 60; // characters

/** turns: {role: "user", content} and {role: "assistant", content, model, wanted, lore, ended, problem, seconds}. */
export function newConversation() {
  const id = Date.now().toString(36) + Math.random().toString(36).slice(2, 8);
  return { id, begun: new Date().toISOString(), turns: [] };
}

export function titleOf(conversation) {
  const first = conversation.turns[0]?.content.trim().replace(/\s+/g, " ") ?? "";
  return first.length > TITLE ? `${first.slice(0, TITLE).trimEnd()}…` : first;
}

/** Keeps it; false where the browser refuses, because its storage is full or switched off. */
export function keep(conversation) {
  return attempt(() => {
    localStorage.setItem(CONVERSATION + conversation.id, JSON.stringify(conversation));
    return true;
  }, false);
}

export function remove(id) {
  attempt(() => localStorage.removeItem(CONVERSATION + id));
}

/** All that are kept, newest first. What cannot be read is passed over and left where it is. */
export function conversations() {
  const keys = attempt(() => Object.keys(localStorage), []).filter((key) => key.startsWith(CONVERSATION));
  const found = keys.map((key) => attempt(() => JSON.parse(localStorage.getItem(key)), null));
  return found.filter((one) => Array.isArray(one?.turns)).sort((one, other) => (one.begun < other.begun ? 1 : -1));
}

export function current() {
  const id = attempt(() => sessionStorage.getItem(CURRENT), null);
  return conversations().find((one) => one.id === id) ?? newConversation();
}

export function setCurrent(id) {
  attempt(() => sessionStorage.setItem(CURRENT, id));
}

export function settings() {
  const none = { model: "", temperature: "", maxTokens: "", system: "", lore: true };
  return { ...none, ...attempt(() => JSON.parse(localStorage.getItem(SETTINGS)), null) };
}

export function keepSettings(values) {
  attempt(() => localStorage.setItem(SETTINGS, JSON.stringify(values)));
}

/** The proxy's API key, empty where none was asked for. */
export function key() {
  return attempt(() => sessionStorage.getItem(KEY), "") ?? "";
}

export function keepKey(value) {
  attempt(() => sessionStorage.setItem(KEY, value));
}

function attempt(act, otherwise) {
  try {
    return act();
  } catch {
    return otherwise;
  }
}
