// What this page asks the proxy for. Addresses are relative, so that the page also works behind a path of another server.
import { key } from "./shelf.js";

/** What went wrong, in the words of the proxy where it said any. status: of HTTP; 0 where there was no answer. */
export class Problem extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

export async function getJson(path) {
  return (await reach(path)).json();
}

/** The response to a chat request, its body still to be read. Raises Problem. */
export function postChat(body, signal) {
  const headers = { "content-type": "application/json" };
  return reach("v1/chat/completions", { method: "POST", headers, body: JSON.stringify(body), signal });
}

/** What the answer was given: {passages, dropped, messages: how many earlier ones were left out}. A proxy that keeps no texts names the passages in a header. */
export async function loreOf(response) {
  const id = response.headers.get("x-lorewright-request");
  const messages = Number(response.headers.get("x-lorewright-dropped-messages") ?? 0);
  const kept = id ? await getJson(`v1/lore/last?request=${encodeURIComponent(id)}`).catch(() => null) : null;
  if (Array.isArray(kept?.passages)) return { passages: kept.passages, dropped: kept.dropped ?? [], messages };
  try {
    return { passages: JSON.parse(response.headers.get("x-lorewright-passages") ?? "[]"), dropped: [], messages };
  } catch {
    return { passages: [], dropped: [], messages };
  }
}

async function reach(path, options = {}) {
  const headers = { ...options.headers, ...(key() ? { authorization: `Bearer ${key()}` } : {}) };
  let response;
  try {
    response = await fetch(path, { ...options, headers, cache: "no-store" });
  } catch (problem) {
    if (problem.name === "AbortError") throw problem;
    throw new Problem("The proxy does not answer. Is it still running?", 0);
  }
  if (response.ok) return response;
  throw new Problem(await said(response), response.status);
}

async function said(response) {
  const text = await response.text().catch(() => "");
  const wait = response.headers.get("retry-after");
  const words = errorWords(text) ?? (text.trim().slice(0, 500) || `${response.status} ${response.statusText}`);
  return wait ? `${words} (try again in ${wait} s)` : words;
}

/** The message in an error of OpenAI's, vLLM's or FastAPI's shape; null where there is none. */
export function errorWords(text) {
  try {
    const body = JSON.parse(text);
    const found = body.error?.message ?? body.error ?? body.message ?? body.detail;
    return found === undefined ? null : typeof found === "string" ? found : JSON.stringify(found);
  } catch {
    return null;
  }
}
