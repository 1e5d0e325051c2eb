/** What a client's program is given by the runner and how it tells what it saw. */

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { deflateSync, crc32 } from "node:zlib";

const need = (name) => {
  if (!process.env[name]) throw new Error(`${name} is not set`);
  return process.env[name];
};
export const BASE_URL = need("ANTIPHON_BASE_URL"); // http://HOST:PORT/v1
export const TLS_BASE_URL = need("ANTIPHON_TLS_BASE_URL"); // https://HOST:PORT/v1
export const SCRIPTED_BASE_URL = need("ANTIPHON_SCRIPTED_BASE_URL");
export const KEY = need("ANTIPHON_TEST_KEY");
const SPEECH = need("ANTIPHON_SPEECH"); // a folder of WAV files: 24 kHz, mono, 16 bit
const RATE = 24000;
const FRAME = (RATE / 50) * 2; // bytes of 20 ms
const LIMIT = 45000; // milliseconds for one feature

export const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** A recording as PCM with silence behind it, long enough for a turn to end. */
export function speech(name) {
  const file = readFileSync(`${SPEECH}/${name}.wav`);
  const data = file.indexOf("data");
  return Buffer.concat([file.subarray(data + 8), Buffer.alloc(RATE * 2)]);
}

/** Send a recording at playing speed, in frames of 20 ms. */
export async function play(pcm, send) {
  const began = performance.now();
  for (let at = 0; at < pcm.length; at += FRAME) {
    send(pcm.subarray(at, at + FRAME));
    await sleep(Math.max(0, began + (at / FRAME + 1) * 20 - performance.now()));
  }
}

export function tell(feature, result, note = "") {
  console.log(JSON.stringify({ feature, result, note }));
}

/** Run one check, bounded in time; its text says what was seen, anything thrown means no. */
export async function feature(name, check) {
  const late = new Promise((_, reject) =>
    setTimeout(() => reject(new Error("took too long")), LIMIT).unref(),
  );
  try {
    tell(name, "yes", String(await Promise.race([check(), late])).slice(0, 300));
  } catch (error) {
    console.error(error);
    tell(name, "no", String(error).slice(0, 300));
  }
}

export function check(condition, what) {
  if (!condition) throw new Error(typeof what === "string" ? what : JSON.stringify(what));
}

/** Ask the runner to stop the server and start it again; done when it is loading. */
export function restartServer() {
  console.log(JSON.stringify({ restart: true }));
  return new Promise((done) => createInterface(process.stdin).once("line", done));
}

/** A red square as a PNG in a data URL. */
export function redSquare(size = 64) {
  const row = Buffer.concat([Buffer.from([0]), Buffer.alloc(size * 3, Buffer.from([208, 16, 16]))]);
  const head = Buffer.alloc(13);
  head.writeUInt32BE(size, 0);
  head.writeUInt32BE(size, 4);
  head.set([8, 2, 0, 0, 0], 8);
  const chunk = (kind, data) => {
    const body = Buffer.concat([Buffer.from(kind), data]);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(data.length, 0);
    frame.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
  };
  const png = Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk("IHDR", head),
    chunk("IDAT", deflateSync(Buffer.concat(Array(size).fill(row)))),
    chunk("IEND", Buffer.alloc(0)),
  ]);
  return `data:image/png;base64,${png.toString("base64")}`;
}
