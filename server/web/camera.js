/** The camera: while it is on, the server sees a small picture of it now and then. */

const INTERVAL = 750; // milliseconds
const WIDTH = 448; // pixels; more than the bundled model's vision encoder reads
const QUALITY = 0.7;

export class Camera {
  #video;
  #stream = null;
  #timer = 0;
  #canvas = document.createElement("canvas");

  /** Whether the browser is asking for it at the moment. */
  isStarting = false;

  /** @param {HTMLVideoElement} video where the user sees what is sent */
  constructor(video) {
    this.#video = video;
  }

  get isOn() {
    return this.#stream !== null;
  }

  /**
   * @param {(imageUrl: string) => void} show gets a JPEG as a data URL
   * @throws {DOMException} as getUserMedia does
   */
  async start(show) {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new DOMException("no camera on an insecure page", "NotSupportedError");
    }
    const wish = { width: { ideal: 640 }, facingMode: "environment" };
    this.isStarting = true;
    this.#stream = await navigator.mediaDevices
      .getUserMedia({ video: wish })
      .finally(() => (this.isStarting = false));
    this.#video.srcObject = this.#stream;
    await this.#video.play();
    this.#timer = setInterval(() => this.#take(show), INTERVAL);
  }

  #take(show) {
    const { videoWidth, videoHeight } = this.#video;
    if (!videoWidth) return;
    this.#canvas.width = Math.min(WIDTH, videoWidth);
    this.#canvas.height = Math.round((this.#canvas.width * videoHeight) / videoWidth);
    const pen = this.#canvas.getContext("2d");
    pen.drawImage(this.#video, 0, 0, this.#canvas.width, this.#canvas.height);
    show(this.#canvas.toDataURL("image/jpeg", QUALITY));
  }

  stop() {
    clearInterval(this.#timer);
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#video.srcObject = null;
    this.#stream = null;
  }
}
