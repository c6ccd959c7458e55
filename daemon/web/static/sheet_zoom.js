// The picture of a plate, to be zoomed and panned, with boxes over it. Places are px of the plate, whatever is shown.
const SVG = "http://www.w3.org/2000/svg";
const LEAST_BOX = 18;
const AIR = 4;
const OWN_KEYS = /^(Arrow|Shift|Minus|Equal|Numpad)/;

function shape(name, kind) {
  const made = document.createElementNS(SVG, name);
  made.setAttribute("class", kind);
  return made;
}

function mobileStyle() {
  const inert = document.createElementNS("urn:linesentry", "style");
  inert.setAttribute("data-openseadragon-mobile-css", "");
  return inert;
}

function tiles(told) {
  const { levels, side } = told;
  const last = levels.length - 1;
  const size = (level) => levels[last - level];
  const source = new OpenSeadragon.TileSource({
    width: levels[0][0], height: levels[0][1], tileSize: side, minLevel: 0, maxLevel: last,
    getTileUrl: (level, x, y) => `${told.tiles}/${last - level}/${x}/${y}.png`,
  });
  // Each level is half of the one before, rounded down: not what the viewer would reckon.
  source.getLevelScale = (level) => size(level)[0] / levels[0][0];
  source.getNumTiles = (level) => new OpenSeadragon.Point(...size(level).map((px) => Math.ceil(px / side)));
  source.getTileBounds = (level, x, y, isSource) => {
    const [width, height] = size(level);
    const [w, h] = [Math.min(side, width - x * side), Math.min(side, height - y * side)];
    const scale = 1 / width;
    return isSource ? new OpenSeadragon.Rect(0, 0, w, h)
      : new OpenSeadragon.Rect(x * side * scale, y * side * scale, w * scale, h * scale);
  };
  return source;
}

export class Picture {
  constructor(element, sheet) {
    const told = sheet.picture;
    this.sheet = sheet;
    this.scale = told.scale ?? 1;
    this.left = told.left ?? 0;
    this.hasPlaces = Boolean(told.tiles || told.scale);
    // The viewer would add a style of its own, which the page's rules forbid; where it finds one it does not.
    document.head.append(mobileStyle());
    this.viewer = OpenSeadragon({
      element, drawer: "canvas", prefixUrl: "/static/", showNavigationControl: false, showNavigator: false,
      tileSources: told.tiles ? tiles(told) : { type: "image", url: told.overview },
      maxZoomPixelRatio: 8, minZoomImageRatio: 0.7, visibilityRatio: 0.5, animationTime: 0.4, springStiffness: 12,
      imageSmoothingEnabled: false, imageLoaderLimit: 4, maxImageCacheCount: 150,
      gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
    });
    this.viewer.addHandler("canvas-key", (event) => {
      event.preventDefaultAction = !OWN_KEYS.test(event.originalEvent.code) || this.isDrawing;
    });
    this.viewer.canvas.setAttribute("role", "application");
    this.viewer.canvas.setAttribute("aria-label", element.dataset.label);
    this.layer = shape("svg", "boxes");
    this.layer.setAttribute("aria-hidden", "true");
    element.append(this.layer);
    this.boxes = [];
    this.halo = shape("rect", "halo");
    this.layer.append(this.halo);
    this.selected = 0;
    this.isDrawing = false;
    this.draft = null;
    if (this.hasPlaces) {
      sheet.boxes.forEach(([x, y, w, h, vetoed], index) => this.add(vetoed ? "found vetoed" : "found", [x, y, x + w, y + h], index + 1));
    }
    this.viewer.addHandler("update-viewport", () => this.place());
    this.viewer.addHandler("open", () => { element.dataset.open = "yes"; this.show(this.selected); });
  }

  add(kind, at, number) {
    const isLine = kind.endsWith("line");
    const box = { at, number, kind, outline: shape(isLine ? "line" : "rect", kind), label: null };
    this.layer.append(box.outline);
    if (number) {
      box.label = shape("text", kind);
      box.label.textContent = number;
      this.layer.append(box.label);
      box.outline.dataset.defect = number;
    }
    this.boxes.push(box);
    return box;
  }

  remove(box) {
    box.outline.remove();
    box.label?.remove();
    this.boxes = this.boxes.filter((one) => one !== box);
  }

  // From px of the plate to px of the viewer, and back.
  toViewer(x, y) {
    const item = this.viewer.world.getItemAt(0);
    const at = item.imageToViewportCoordinates(x * this.scale + this.left, y * this.scale);
    return this.viewer.viewport.viewportToViewerElementCoordinates(at);
  }

  toPlate(x, y) {
    const item = this.viewer.world.getItemAt(0);
    const at = this.viewer.viewport.viewerElementToViewportCoordinates(new OpenSeadragon.Point(x, y));
    const found = item.viewportToImageCoordinates(at);
    const { columns, rows } = this.sheet;
    const within = (value, most) => Math.max(0, Math.min(most, Math.round(value)));
    return [within((found.x - this.left) / this.scale, columns), within(found.y / this.scale, rows)];
  }

  place() {
    if (!this.viewer.world.getItemAt(0)) return;
    for (const box of this.boxes) this.placeBox(box);
  }

  placeBox({ at, outline, label, number }) {
    const [a, b] = [this.toViewer(at[0], at[1]), this.toViewer(at[2], at[3])];
    if (outline.tagName === "line") {
      for (const [name, value] of [["x1", a.x], ["y1", a.y], ["x2", b.x], ["y2", b.y]]) outline.setAttribute(name, value);
      return;
    }
    const [w, h] = [b.x - a.x, b.y - a.y].map((side) => Math.max(side + 2 * AIR, LEAST_BOX));
    const [x, y] = [(a.x + b.x - w) / 2, (a.y + b.y - h) / 2];
    for (const [name, value] of [["x", x], ["y", y], ["width", w], ["height", h]]) outline.setAttribute(name, value);
    const isSelected = Boolean(number) && number === this.selected;
    outline.classList.toggle("selected", isSelected);
    if (isSelected) for (const name of ["x", "y", "width", "height"]) this.halo.setAttribute(name, outline.getAttribute(name));
    label?.setAttribute("x", x);
    label?.setAttribute("y", y - 4);
  }

  show(number) {
    this.selected = number;
    const box = this.boxes.find((one) => one.number === number);
    const item = this.viewer.world.getItemAt(0);
    if (!item) return;
    if (box) {
      const [x0, y0, x1, y1] = box.at;
      const air = Math.max(150, 1.5 * Math.max(x1 - x0, y1 - y0));
      const from = [(x0 - air) * this.scale + this.left, (y0 - air) * this.scale];
      const size = [(x1 - x0 + 2 * air) * this.scale, (y1 - y0 + 2 * air) * this.scale];
      this.viewer.viewport.fitBounds(item.imageToViewportRectangle(...from, ...size));
    }
    this.place();
  }

  whole() { this.viewer.viewport.goHome(); }

  zoom(factor) {
    this.viewer.viewport.zoomBy(factor);
    this.viewer.viewport.applyConstraints();
  }

  showMissed(places) {
    for (const box of this.boxes.filter((one) => one.kind.startsWith("missed"))) this.remove(box);
    if (!this.hasPlaces) return;
    for (const { shape: form, at } of places) this.add(`missed ${form}`, at, 0);
    this.place();
  }

  showDraft(form, at) {
    if (this.draft) this.remove(this.draft);
    this.draft = at ? this.add(`draft ${form}`, at, 0) : null;
    if (this.draft && this.viewer.world.getItemAt(0)) this.placeBox(this.draft);
  }
}
