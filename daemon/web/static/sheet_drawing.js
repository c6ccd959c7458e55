// A missed crack is drawn over the picture: by mouse or finger from corner to corner, or by the arrows and Enter.
const STEP = 12;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Drawing {
  constructor(picture, { say, words, done }) {
    Object.assign(this, { picture, say, words, done });
    this.form = null;
    const layer = picture.layer;
    layer.addEventListener("pointerdown", (event) => this.press(event));
    layer.addEventListener("pointermove", (event) => this.drag(event));
    layer.addEventListener("pointerup", (event) => this.release(event));
    layer.addEventListener("pointercancel", () => this.stop());
  }

  start(form) {
    if (!this.picture.hasPlaces) { this.say(this.words.no_drawing); return; }
    this.form = form;
    this.first = null;
    this.held = false;
    this.picture.isDrawing = true;
    this.picture.viewer.setMouseNavEnabled(false);
    this.picture.layer.classList.add("drawing");
    const { clientWidth, clientHeight } = this.picture.layer;
    this.cursor = [clientWidth / 2, clientHeight / 2];
    this.show();
    this.picture.viewer.canvas.focus({ preventScroll: true });
    this.say(this.words.first_corner);
  }

  stop() {
    this.form = null;
    this.picture.isDrawing = false;
    this.picture.viewer.setMouseNavEnabled(true);
    this.picture.layer.classList.remove("drawing");
    this.picture.showDraft("", null);
  }

  at(event) {
    const frame = this.picture.layer.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top];
  }

  press(event) {
    if (!this.form) return;
    event.preventDefault();
    this.picture.layer.setPointerCapture(event.pointerId);
    this.cursor = this.at(event);
    this.held = true;
    this.first = this.picture.toPlate(...this.cursor);
    this.show();
  }

  drag(event) {
    if (!this.form || !this.held) return;
    this.cursor = this.at(event);
    this.show();
  }

  release(event) {
    if (!this.form || !this.held) return;
    this.cursor = this.at(event);
    this.held = false;
    this.finish();
  }

  // Whether the key was one of drawing's.
  key(event) {
    if (!this.form) return false;
    if (event.key === "Escape") { this.stop(); this.say(""); return true; }
    if (event.key === "Enter") {
      if (this.first) { this.finish(); return true; }
      this.first = this.picture.toPlate(...this.cursor);
      this.say(this.words.second_corner);
      this.show();
      return true;
    }
    const arrow = ARROWS[event.key];
    if (!arrow) return false;
    const { clientWidth, clientHeight } = this.picture.layer;
    const step = event.shiftKey ? 1 : STEP;
    const [x, y] = this.cursor.map((value, index) => value + step * arrow[index]);
    this.cursor = [Math.max(0, Math.min(clientWidth, x)), Math.max(0, Math.min(clientHeight, y))];
    this.show();
    return true;
  }

  corners() {
    const second = this.picture.toPlate(...this.cursor);
    const first = this.first ?? second;
    if (this.form === "line") return [...first, ...second];
    const [xs, ys] = [0, 1].map((index) => [first[index], second[index]].sort((a, b) => a - b));
    return [xs[0], ys[0], xs[1], ys[1]];
  }

  show() { this.picture.showDraft(this.form, this.corners()); }

  finish() {
    const [form, at] = [this.form, this.corners()];
    const isEmpty = form === "line" ? at[0] === at[2] && at[1] === at[3] : at[0] === at[2] || at[1] === at[3];
    if (isEmpty) { this.first = null; this.say(this.words.first_corner); return; }
    this.stop();
    this.picture.showDraft(form, at);
    this.done(form, at);
  }
}
