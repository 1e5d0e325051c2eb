/** What went wrong, in words that say what to do about it. */

const MICROPHONE = {
  NotAllowedError: [
    "The microphone is blocked",
    "Allow it for this page in the address bar, then start again. Typing works without it.",
  ],
  NotFoundError: [
    "No microphone was found",
    "Connect one and start again. Typing works without it.",
  ],
  NotReadableError: [
    "The microphone is in use elsewhere",
    "Close the other program and start again. Typing works without it.",
  ],
  NotSupportedError: [
    "This page may not use the microphone",
    "Browsers allow it only over https or on localhost. Typing works without it.",
  ],
};

const CLOSED = {
  1001: ["The server is going away", "It is being restarted. Start again in a moment."],
  1008: ["The server ended the session", "Its rules do not allow it to go on."],
  1012: ["The server is being restarted", "Start again in a moment."],
  1013: ["The server is overloaded", "It had to end this session. Start again in a moment."],
  4000: ["The network is too slow", "Sound could not be sent in time, so the session was ended."],
};

const ENDED = {
  idle: ["Nothing was said for a long time", "The server ended the session. Start again any time."],
  "session expired": ["The session has reached its end", "Sessions are limited in time. Start again."],
};

/** @typedef {{title: string, advice: string, act: "start" | "type" | "key"}} Failure */

/** @returns {Failure} */
export function ofMicrophone(error) {
  const [title, advice] = MICROPHONE[error.name] ?? [
    "The microphone cannot be used",
    `${error.message}. Typing works without it.`,
  ];
  return { title, advice, act: "type" };
}

/** Browsers without any output device leave an audio context waiting for ever. */
export const NO_OUTPUT = {
  title: "No sound output was found",
  advice: "Connect a loudspeaker or headphones, or choose one in the system, then start again.",
  act: "start",
};

/** @returns {Failure} */
export function ofClosing({ code, reason }) {
  const [title, advice] = ENDED[reason] ?? CLOSED[code] ?? [
    "The connection was lost",
    "What was said stays on this page; starting again begins a new conversation.",
  ];
  return { title, advice, act: "start" };
}

/**
 * Browsers hide why an upgrade was refused, so the server is asked.
 * @returns {Promise<Failure>}
 */
export async function ofRefusal(key) {
  const ready = await ask("readyz?full=1");
  if (!ready) {
    return {
      title: "The server cannot be reached",
      advice: "Check that it is running and that the network is there, then start again.",
      act: "start",
    };
  }
  if (ready.status === 503) return ofUnreadiness(await bodyOf(ready), ready);
  const models = await ask("v1/models", key);
  if (models?.status === 401) return ofKey(key);
  return {
    title: "The server refused the session",
    advice: "It may not allow pages from this address, or it has just become full.",
    act: "start",
  };
}

function ofUnreadiness(body, response) {
  const wait = Number(response.headers.get("retry-after")) || 0;
  const again = wait ? `Try again in ${wait} s.` : "Try again in a moment.";
  if (/full|capacity/i.test(body)) {
    return { title: "Every place is taken", advice: `The server is full. ${again}`, act: "start" };
  }
  if (/draining/.test(body)) {
    return { title: "The server is being restarted", advice: again, act: "start" };
  }
  return { title: "The server is not ready", advice: `Its model is not up. ${again}`, act: "start" };
}

function ofKey(key) {
  return {
    title: key ? "The key was not accepted" : "This server asks for a key",
    advice: "Enter the access key that its operator gave you.",
    act: "key",
  };
}

async function ask(path, key = "") {
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  try {
    return await fetch(new URL(path, document.baseURI), { headers, cache: "no-store" });
  } catch {
    return null;
  }
}

async function bodyOf(response) {
  try {
    return await response.text();
  } catch {
    return "";
  }
}
