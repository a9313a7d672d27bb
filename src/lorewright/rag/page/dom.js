// Builds elements. Text is always a text node: nothing that a model or a lore file says becomes markup.

/** tag with properties (a name with a hyphen, or `role`, is an attribute) and children: elements or strings; null is left out. */
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

export const byId = (id) => document.getElementById(id);

/** A button of the quiet kind that does `act` when pressed. */
export function quietButton(label, act, more = {}) {
  const button = el("button", { type: "button", className: "quiet", ...more }, label);
  button.addEventListener("click", act);
  return button;
}
