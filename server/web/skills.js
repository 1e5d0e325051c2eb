/** What the assistant can talk about: a short list with words to try. */

/** @param {HTMLElement} list  filled from skills.json: [{title, examples: [text, ...]}, ...] */
export async function showSkills(list) {
  const response = await fetch(new URL("skills.json", import.meta.url));
  for (const { title, examples } of await response.json()) {
    const row = document.createElement("li");
    const name = document.createElement("strong");
    name.textContent = title;
    row.append(name, ...examples.map(quote));
    list.append(row);
  }
}

function quote(text) {
  const quoted = document.createElement("q");
  if (/[\u4e00-\u9fff]/.test(text)) quoted.lang = "zh";
  quoted.textContent = text;
  return quoted;
}
