// A conversation as a Markdown file.
import { titleOf } from "./shelf.js";

export function toMarkdown(conversation) {
  const head = `# ${titleOf(conversation)}\n\n*Begun ${conversation.begun.slice(0, 16).replace("T", " ")} UTC*`;
  const turns = conversation.turns.map((turn) => (turn.role === "user" ? quoted(turn.content) : answer(turn)));
  return `${[head, ...turns].filter(Boolean).join("\n\n")}\n`;
}

function quoted(text) {
  return text.trim().split("\n").map((line) => `> ${line}`.trimEnd()).join("\n");
}

function answer(turn) {
  const passages = turn.lore?.passages ?? [];
  const lines = passages.map(({ source, heading }) => `- ${source}${heading ? `, ${heading}` : ""}`);
  const lore = lines.length ? `*Lore:*\n\n${lines.join("\n")}` : "";
  return [turn.content.trim(), turn.problem ? `*(${turn.problem})*` : "", lore].filter(Boolean).join("\n\n");
}

/** Hands the file to the browser. */
export function save(conversation) {
  const address = URL.createObjectURL(new Blob([toMarkdown(conversation)], { type: "text/markdown" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = `${titleOf(conversation).replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "") || "conversation"}.md`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
