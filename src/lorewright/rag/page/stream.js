// Server-sent events from a response body, and what a chat stream says.
import { Problem, errorWords } from "./api.js";

const EVENT_END = /\r\n\r\n|\n\n|\r\r/;

/** The data of each event, however the bytes were cut on the way. */
export async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  try {
    for (;;) {
      const { value, done } = await reader.read().catch(brokenOff);
      if (done) break;
      const parts = (held + value).split(EVENT_END);
      held = parts.pop();
      yield* parts.map(dataOf).filter((data) => data !== null);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function brokenOff(problem) {
  if (problem.name === "AbortError") throw problem;
  throw new Problem("The connection to the proxy broke off.", 0);
}

function dataOf(event) {
  const lines = event.split(/\r\n|\n|\r/).filter((line) => line.startsWith("data:"));
  return lines.length ? lines.map((line) => line.slice(5).replace(/^ /, "")).join("\n") : null;
}

/**
 * The answer in pieces: {text} and at last {ended}, the model's finish_reason.
 * Raises Problem where the stream brought an error, or stopped before its end.
 */
export async function* pieces(body) {
  let ended = null;
  for await (const data of events(body)) {
    if (data === "[DONE]") {
      yield { ended: ended ?? "stop" };
      return;
    }
    const said = parse(data);
    if (said.error) throw new Problem(errorWords(data) ?? "The model server reported an error.", 200);
    const choice = said.choices?.[0];
    if (choice?.delta?.content) yield { text: choice.delta.content };
    ended = choice?.finish_reason ?? ended;
  }
  if (!ended) throw new Problem("The answer broke off: the stream ended before it said so.", 200);
  yield { ended };
}

function parse(data) {
  try {
    return JSON.parse(data) ?? {};
  } catch {
    throw new Problem(`The proxy sent something that is no event: ${data.slice(0, 200)}`, 200);
  }
}
