/** The page: joins microphone, session, speaker and what is drawn, and starts and ends them. */

import { Camera } from "./camera.js";
import { Conversation } from "./conversation.js";
import { Drawer } from "./drawer.js";
import { NO_OUTPUT, ofClosing, ofMicrophone, ofRefusal } from "./failure.js";
import { History } from "./history.js";
import { Microphone } from "./microphone.js";
import { Panel } from "./panel.js";
import { Session } from "./session.js";
import { showSkills } from "./skills.js";
import { Speaker } from "./speaker.js";
import { startTheme } from "./theme.js";
import { Timebase } from "./timebase.js";
import { Timeline } from "./timeline.js";
import { Transcript } from "./transcript.js";

const find = (id) => document.getElementById(id);
const panel = new Panel(document);
const transcript = new Transcript(find("transcript"));
const camera = new Camera(find("preview"));
const drawer = new Drawer(document, () => call?.session, () => transcript.asText());
const KEY = "antiphon-key";
const OUTPUT_WAIT = 4000; // milliseconds
/**
 * Asked for the latency of its output while a worklet plays through PulseAudio, Firefox 153 may stand
 * still for ever: the page waits for the sound's thread, that for the worklet, that for the page.
 */
const READS_LATENCY = !navigator.userAgent.includes("Firefox/");

let call = null; // the running conversation and all that belongs to it
let shown = new History();
let clock = () => 0;
const timeline = new Timeline(find("timeline"), () => shown, () => clock());

// ------------------------------------------------------------------------- begin and end

async function begin(withMicrophone) {
  if (call || isBusy()) return call;
  hideFailure();
  busy(true);
  panel.status(withMicrophone ? "Asking for the microphone" : "Connecting", "waiting");
  const starting = { context: new AudioContext(), microphone: new Microphone() };
  try {
    call = await assemble(starting, withMicrophone);
    showRunning(withMicrophone);
  } catch (failure) {
    dismantle(starting);
    panel.status("Not connected", "off");
    showFailure(failure);
  }
  busy(false);
  return call;
}

/** @throws {import("./failure.js").Failure} */
async function assemble({ context, microphone }, withMicrophone) {
  const session = new Session(drawer.settings());
  drawer.follow(session);
  const parts = { history: new History(), timebase: new Timebase(), speaker: new Speaker() };
  const key = sessionStorage.getItem(KEY) ?? "";
  await within(OUTPUT_WAIT, context.resume(), NO_OUTPUT);
  await parts.speaker.open(context);
  if (withMicrophone) await openMicrophone(context, microphone, session, parts);
  panel.status("Connecting", "waiting");
  const conversation = new Conversation({
    session, transcript, panel, ...parts,
    now: () => context.currentTime,
    outputLatency: () => (READS_LATENCY && context.outputLatency) || context.baseLatency || 0,
  });
  await session.connect(key).catch(async () => Promise.reject(await ofRefusal(key)));
  session
    .on("closed", (event) => lost(event))
    .on("away", () => panel.status("Connecting again", "waiting"))
    .on("resumed", () => panel.status("Listening", "listening"));
  shown = parts.history;
  clock = () => context.currentTime;
  panel.roles(shown.rolesAt(0));
  return { context, session, microphone, conversation, ...parts };
}

/** @throws what `failure` is, when `promise` takes longer than so many milliseconds */
function within(milliseconds, promise, failure) {
  const late = new Promise((_, reject) => setTimeout(() => reject(failure), milliseconds));
  return Promise.race([promise, late]);
}

async function openMicrophone(context, microphone, session, { history, timebase }) {
  const hear = ({ pcm, peaks, time }) => {
    history.user.add(peaks, time);
    session.hear(pcm);
    if (session.open) timebase.anchor(session.seconds, time);
  };
  await microphone.open(context, hear).catch((error) => Promise.reject(ofMicrophone(error)));
  microphone.onLost(() => showFailure(ofMicrophone({ message: "It was taken away" })));
}

function dismantle({ context, microphone, session, speaker }) {
  microphone.close();
  speaker?.close();
  session?.close();
  context.close();
}

function end() {
  if (!call) return;
  const over = call;
  const last = over.context.currentTime;
  call = null;
  clock = () => last;
  stopCamera();
  dismantle(over);
  showStopped();
}

function lost(event) {
  if (!call) return; // we hung up ourselves
  end();
  transcript.remark("The connection ended here.");
  showFailure(ofClosing(event));
}

// ------------------------------------------------------------------------------- what is shown

/** The button stays enabled while the page connects: disabled, it would lose the focus. */
function busy(state) {
  find("talk").setAttribute("aria-busy", String(state));
}

function isBusy() {
  return find("talk").getAttribute("aria-busy") === "true";
}

function showRunning(withMicrophone) {
  if (!transcript.isEmpty) transcript.remark("A new conversation begins.");
  document.body.dataset.running = "true";
  delete document.body.dataset.fresh;
  find("talk-label").textContent = "End";
  find("mute").disabled = !withMicrophone;
  find("camera").disabled = false;
  panel.status(withMicrophone ? "Listening" : "Ready for text", "listening");
}

function showStopped() {
  document.body.dataset.running = "false";
  find("talk-label").textContent = "Start talking";
  find("mute").disabled = true;
  find("mute").setAttribute("aria-pressed", "false");
  find("camera").disabled = true;
  panel.status("Not connected", "off");
}

function showFailure(failure) {
  if (!failure.title) throw failure;
  find("failure-title").textContent = failure.title;
  find("failure-advice").textContent = failure.advice;
  find("failure").hidden = false;
  find("type-instead").hidden = failure.act !== "type" || call !== null;
  find("key-form").hidden = failure.act !== "key";
  find("again").hidden = failure.act === "key";
  if (failure.act === "key") find("key").focus();
}

function hideFailure() {
  find("failure").hidden = true;
}

// -------------------------------------------------------------------------------- the controls

find("talk").addEventListener("click", () => (call ? end() : begin(true)));
find("type-instead").addEventListener("click", async () => {
  if (await begin(false)) find("text").focus();
});
find("again").addEventListener("click", () => (call ? hideFailure() : begin(true)));

find("mute").addEventListener("click", ({ currentTarget: button }) => {
  const muted = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(muted));
  call?.microphone.mute(muted);
});

find("write").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = find("text").value.trim();
  if (text && (await ask(text))) find("text").value = "";
});

/** A question in writing; it begins a conversation where there is none. */
async function ask(text) {
  if (!(await begin(false))) return false;
  transcript.toEnd();
  call.conversation.type(text);
  return true;
}

find("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, find("key").value.trim());
  begin(true);
});

find("camera").addEventListener("click", async () => {
  if (camera.isOn) return stopCamera();
  if (camera.isStarting) return;
  try {
    await camera.start((imageUrl) => call?.session.show(imageUrl));
    if (!call) return stopCamera(); // it ended while the browser asked
    showCamera(true);
  } catch (error) {
    transcript.remark(`The camera cannot be used: ${error.message}`);
  }
});

function stopCamera() {
  camera.stop();
  showCamera(false);
}

function showCamera(isOn) {
  find("camera").setAttribute("aria-pressed", String(isOn));
  find("preview").hidden = !isOn;
}

find("timeline").addEventListener("keydown", (event) => {
  const moves = { ArrowLeft: 1, ArrowRight: -1, PageUp: 8, PageDown: -8, End: -Infinity };
  if (!(event.key in moves)) return;
  event.preventDefault();
  look(moves[event.key]);
});
find("timeline").addEventListener("pointermove", (event) => {
  if (event.buttons & 1) look(event.movementX / 75);
});
find("present").addEventListener("click", () => look(-Infinity));

function look(seconds) {
  timeline.look(seconds);
  find("present").hidden = timeline.back === 0;
}

/** Engineers' matters are open on a desk and folded on a phone, until somebody chooses. */
function unfold(desk) {
  const show = () => (find("behind").open = desk.matches);
  desk.addEventListener("change", show);
  show();
}

addEventListener("pagehide", end);
startTheme(find("theme"));
showSkills(find("skills"), ask);
unfold(matchMedia("(min-width: 56rem)"));
panel.roles(shown.rolesAt(0));
timeline.run();
