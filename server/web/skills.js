/** What the assistant can talk about: buttons that ask it. */

/**
 * @param {HTMLElement} list  filled from skills.json: [{title, examples: [text, ...]}, ...]
 * @param {(text: string) => void} ask
 */
export async function showSkills(list, ask) {
  const response = await fetch(new URL("skills.json", import.meta.url));
  for (const { title, examples } of await response.json()) {
    const row = document.createElement("li");
    const name = document.createElement("strong");
    name.textContent = title;
    row.append(name, ...examples.map((text) => button(text, ask)));
    list.append(row);
  }
}

function button(text, ask) {
  const made = document.createElement("button");
  made.type = "button";
  if (/[\u4e00-\u9fff]/.test(text)) made.lang = "zh";
  made.textContent = text;
  made.addEventListener("click", () => ask(text));
  return made;
}
