// Draws a sheet: its small picture as far as it has come, bright where it is judged, boxes around places.
export class SheetPicture {
  // `width`, `height`: px of the canvas at most.
  constructor(canvas, width, height) {
    Object.assign(this, { canvas, width, height });
    this.drawn = "";
    this.image = null;
    this.wanted = "";
    this.loaded = "";
    this.sheet = null;
  }

  // `sheet`: plate, rows, columns, nominal_rows, picture (plate rows that the picture shows, or null), boxes, and
  // judged, stride, across where only a part of it is judged.
  show(sheet) {
    this.sheet = sheet;
    const url = sheet.picture ? `/now/picture/${sheet.plate}.jpg?rows=${sheet.picture}` : "";
    if (!url) this.drop();
    else if (url !== this.wanted && this.loaded === this.wanted) this.load(url, sheet);
    this.draw();
  }

  clear() {
    this.drop();
    this.sheet = null;
    this.drawn = this.wanted = this.loaded = "";
    this.canvas.getContext("2d").clearRect(0, 0, this.canvas.width, this.canvas.height);
  }

  // As a bitmap that is given back: a screen stays open for weeks, and an image's own memory is freed when it pleases.
  async load(url, sheet) {
    this.wanted = url;
    const answer = await fetch(url, { cache: "no-store" }).catch(() => null);
    const picture = answer?.ok ? await createImageBitmap(await answer.blob()).catch(() => null) : null;
    this.loaded = url;
    if (!picture) return;
    if (!this.sheet || this.wanted !== url) {
      picture.close();
      return;
    }
    this.drop();
    this.image = { picture, plate: sheet.plate, rows: sheet.picture };
    this.draw();
  }

  drop() {
    this.image?.picture.close();
    this.image = null;
  }

  draw() {
    const sheet = this.sheet;
    if (!sheet || !sheet.columns || !sheet.nominal_rows) return;
    const image = this.image && this.image.plate === sheet.plate ? this.image : null;
    const key = JSON.stringify([sheet.plate, sheet.rows, sheet.judged, sheet.boxes, image && image.rows]);
    if (key === this.drawn) return;
    this.drawn = key;
    const rows = Math.max(sheet.nominal_rows, sheet.rows);
    const scale = Math.min(this.width / sheet.columns, this.height / rows);
    const { canvas } = this;
    canvas.width = Math.max(8, Math.round(sheet.columns * scale));
    canvas.height = Math.max(8, Math.round(rows * scale));
    const context = canvas.getContext("2d");
    context.fillStyle = "#0b0f14";
    context.fillRect(0, 0, canvas.width, canvas.height);
    if (image) context.drawImage(image.picture, 0, 0, canvas.width, image.rows * scale);
    if (sheet.across) shade(context, sheet, scale);
    frame(context, sheet.boxes, scale);
  }
}

// What has come and is not judged yet lies in the shade.
function shade(context, sheet, scale) {
  const bits = Uint8Array.from(atob(sheet.judged), (one) => one.charCodeAt(0));
  context.fillStyle = "rgba(8, 12, 18, .68)";
  const side = sheet.stride * scale;
  const down = Math.ceil(sheet.rows / sheet.stride);
  for (let window = 0; window < down * sheet.across; window += 1) {
    if ((bits[window >> 3] >> (window & 7)) & 1) continue;
    const top = Math.floor(window / sheet.across) * side;
    const left = (window % sheet.across) * side;
    context.fillRect(left, top, side, Math.min(side, sheet.rows * scale - top));
  }
}

function frame(context, boxes, scale) {
  for (const [x, y, width, height] of boxes) {
    const wide = Math.max(width * scale + 8, 18);
    const high = Math.max(height * scale + 8, 18);
    const left = (x + width / 2) * scale - wide / 2;
    const top = (y + height / 2) * scale - high / 2;
    for (const [colour, line] of [["#000", 7], ["#fff", 5], ["#e5383b", 3]]) {
      context.strokeStyle = colour;
      context.lineWidth = line;
      context.strokeRect(left, top, wide, high);
    }
  }
}
