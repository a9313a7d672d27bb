// How it writes: model or adapter, sampling, system prompt, lore; and the small line of figures.
import { getJson } from "./api.js";
import { byId, el } from "./dom.js";
import { keepSettings, settings } from "./shelf.js";

const FIELDS = { temperature: "temperature", maxTokens: "max-tokens", system: "system" };

/** Fills the fields with what this browser kept, and keeps every change. */
export function setUpVoice() {
  const kept = settings();
  for (const [name, id] of Object.entries(FIELDS)) byId(id).value = kept[name];
  byId("lore").checked = kept.lore;
  for (const id of [...Object.values(FIELDS), "lore", "model"]) byId(id).addEventListener("change", keepVoice);
  byId("voice").addEventListener("submit", (event) => event.preventDefault());
}

function keepVoice() {
  const values = Object.fromEntries(Object.entries(FIELDS).map(([name, id]) => [name, byId(id).value]));
  keepSettings({ ...values, model: byId("model").value, lore: byId("lore").checked });
  byId("with-model").textContent = byId("model").value;
}

/** Lists the models that the proxy has. Raises Problem, which is also shown above the writing line. */
export async function loadModels() {
  const problem = byId("trouble");
  problem.hidden = true;
  problem.textContent = "";
  try {
    const models = (await getJson("v1/models")).data ?? [];
    const options = models.map(({ id, parent }) => el("option", { value: id }, parent ? `${id} (adapter)` : id));
    byId("model").replaceChildren(...options);
    const kept = settings().model;
    if (models.some(({ id }) => id === kept)) byId("model").value = kept;
    byId("with-model").textContent = byId("model").value;
  } catch (failed) {
    problem.hidden = false;
    problem.textContent = failed.message;
    throw failed;
  }
}

/** The request for these messages, with only those settings that were made. */
export function chatBody(messages) {
  const system = byId("system").value.trim();
  const first = system ? [{ role: "system", content: system }] : [];
  const body = { messages: [...first, ...messages], stream: true, lore: byId("lore").checked ? "on" : "off" };
  if (byId("model").value) body.model = byId("model").value;
  if (byId("temperature").value !== "") body.temperature = byId("temperature").valueAsNumber;
  if (byId("max-tokens").value !== "") body.max_tokens = byId("max-tokens").valueAsNumber;
  return body;
}

/** The line below everything. Returns what the proxy said; null where it said nothing, which the models' list tells already. */
export async function showStats() {
  const stats = await getJson("stats").catch(() => null);
  if (!stats) return null;
  const answered = (stats.recent_queries ?? []).filter((query) => query.status === 200);
  const lookup = median(answered.map((query) => query.retrieval_ms).filter((time) => time !== null));
  const whole = median(answered.map((query) => query.total_ms).filter((time) => time !== null));
  const shown = [
    plural(stats.total_queries, "question answered", "questions answered"),
    plural(stats.chunks_available, "passage at hand", "passages at hand"),
    lookup === null ? "" : `looked up in ${Math.max(1, Math.round(lookup))} ms`,
    whole === null ? "" : `answered in ${whole < 1000 ? `${Math.round(whole)} ms` : `${(whole / 1000).toFixed(1)} s`}`,
  ];
  byId("stats").textContent = shown.filter(Boolean).join(" · ");
  byId("stats").title = "The times are medians of the last questions.";
  return stats;
}

export function plural(count, one, many) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

function median(values) {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted.length ? sorted[Math.floor(sorted.length / 2)] : null;
}
