/** The style sheet's colours as a canvas wants them, read again when light and dark change. */

const NAMES = [
  "user", "A", "B", "query", "unfinished", "noise", "text", "ink", "quiet", "line", "panel", "duck",
];

export class Palette {
  /** @type {Record<string, string>} */
  colors = {};

  constructor() {
    this.#read();
    const again = () => this.#read();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
    const root = document.documentElement;
    new MutationObserver(again).observe(root, { attributeFilter: ["data-theme"] });
  }

  /** A property holds light-dark(...); only a colour that is in use is resolved to one of them. */
  #read() {
    const probe = document.createElement("span");
    document.body.append(probe);
    for (const name of NAMES) {
      probe.style.color = `var(--${name})`;
      this.colors[name] = getComputedStyle(probe).color;
    }
    probe.remove();
  }
}
