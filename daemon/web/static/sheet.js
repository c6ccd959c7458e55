// The page of one plate: defects are stepped through and marked, by keyboard, mouse and finger alike.
import { Drawing } from "/static/sheet_drawing.js";
import { Picture } from "/static/sheet_zoom.js";

const root = document.getElementById("sheet");
const sheet = JSON.parse(root.dataset.sheet);
const { words } = sheet;
const said = document.getElementById("said");
const trouble = document.getElementById("trouble");
const ofDefect = document.getElementById("of-defect");
const ofPlace = document.getElementById("of-place");
const viewer = document.getElementById("viewer");
const menus = () => [...document.querySelectorAll("details[name=mark]")];
const say = (text) => { said.textContent = text; };
const filled = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

function complain(text) {
  trouble.textContent = text;
  trouble.hidden = !text;
}

// --- the picture -----------------------------------------------------------------------------------------------------

const picture = viewer && sheet.picture ? new Picture(viewer, sheet) : null;
const drawing = picture && new Drawing(picture, { say, words, done: placed });
picture?.showMissed(sheet.marks.missed);
picture?.viewer.addHandler("tile-load-failed", async (event) => {
  if (trouble.hidden) complain(await reasonOf(event.tile?.getUrl?.() ?? ""));
});
picture?.viewer.addHandler("open-failed", () => complain(words.no_answer));

async function reasonOf(url) {
  try {
    const answer = await fetch(url);
    const isText = (answer.headers.get("content-type") ?? "").startsWith("text/plain");
    return isText ? await answer.text() : words.no_answer;
  } catch {
    return words.no_answer;
  }
}

// --- defects, one after another --------------------------------------------------------------------------------------

const count = sheet.boxes.length;
let selected = 0;

function select(number, isMoved = true) {
  if (!count) { say(words.none_selected); return; }
  selected = Math.min(count, Math.max(1, number));
  for (const one of document.querySelectorAll(".defect")) one.classList.toggle("shown", one.id === `defect-${selected}`);
  for (const link of document.querySelectorAll("a[data-defect]")) {
    const isThis = Number(link.dataset.defect) === selected;
    if (isThis) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current");
    if (isThis && isMoved) {
      // In the list alone: the page stays where it is.
      const list = link.closest("ol");
      list.scrollTop = link.offsetTop - list.offsetTop - list.clientHeight / 2;
    }
  }
  if (ofDefect) ofDefect.elements.defect.value = selected;
  picture?.show(selected);
  if (isMoved) {
    history.replaceState(null, "", `#defect-${selected}`);
    say(filled(words.selected, { n: selected, count }) + " " + (sheet.marks.defects[selected]?.words ?? ""));
  }
}

const step = (by) => select(selected ? (selected - 1 + by + count) % count + 1 : 1);
document.querySelector(".list")?.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-defect]");
  if (!link) return;
  event.preventDefault();
  select(Number(link.dataset.defect));
});
ofDefect?.elements.defect.addEventListener("change", (event) => {
  const number = Number(event.target.value);
  if (number >= 1 && number <= count) select(number);
});
root.classList.add("stepped");
const asked = /^#defect-(\d{1,5})$/.exec(location.hash);
if (count) select(asked ? Number(asked[1]) : 1, Boolean(asked));
if (!asked) picture?.viewer.addOnceHandler("open", () => picture.viewer.viewport.goHome(true));

// --- marks -----------------------------------------------------------------------------------------------------------

function placed(form, at) {
  ofPlace.elements.shape.value = form;
  ["x0", "y0", "x1", "y1"].forEach((name, index) => { ofPlace.elements[name].value = at[index]; });
  open(document.getElementById("missed"));
  say(words.drawn);
}

function open(menu) {
  for (const one of menus()) one.open = one === menu;
  menu.querySelector(".reasons button").focus();
  menu.scrollIntoView({ block: "nearest" });
}

function showMarks(marks) {
  sheet.marks = marks;
  for (const one of document.querySelectorAll("[data-mark-of]")) {
    one.textContent = marks.defects[one.dataset.markOf]?.words ?? "";
  }
  picture?.showMissed(marks.missed);
  const list = document.getElementById("missed-cracks");
  list.replaceChildren(...(marks.missed.length ? marks.missed.map(missedRow) : [textIn("li", list.dataset.none)]));
}

function textIn(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function field(name, value) {
  return Object.assign(document.createElement("input"), { type: "hidden", name, value });
}

function missedRow(one) {
  const form = Object.assign(document.createElement("form"), { method: "post", action: ofPlace.action, className: "withdraw" });
  const button = textIn("button", document.getElementById("missed-cracks").dataset.withdraw);
  Object.assign(button, { type: "submit", name: "said", value: "withdrawn" });
  form.append(field("csrf", root.dataset.csrf), field("place", [one.shape, ...one.at].join(",")), button);
  const row = document.createElement("li");
  row.append(textIn("span", one.words), " ", form);
  return row;
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches(".marks, .withdraw")) return;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form));
  if (event.submitter?.name) body.set(event.submitter.name, event.submitter.value);
  complain("");
  try {
    const answer = await fetch(form.action, {
      method: "POST", body, headers: { Accept: "application/json", "X-CSRF-Token": root.dataset.csrf },
    });
    const isJson = (answer.headers.get("content-type") ?? "").startsWith("application/json");
    const told = isJson ? await answer.json() : { trouble: await answer.text() };
    if (!answer.ok) { complain(told.trouble); return; }
    showMarks(told);
    picture?.showDraft("", null);
    for (const menu of menus()) menu.open = false;
    picture?.viewer.canvas.focus({ preventScroll: true });
    const number = Number(body.get("defect"));
    say(number ? `${filled(words.of, { n: number })}: ${told.defects[number]?.words ?? words.nothing_marked}` : told.missed.at(-1)?.words ?? words.nothing_marked);
  } catch {
    complain(words.no_answer);
  }
});

// --- keys ------------------------------------------------------------------------------------------------------------

const acts = {
  n: () => step(1), p: () => step(-1), h: () => picture?.whole(),
  previous: () => step(-1), next: () => step(1), whole: () => picture?.whole(),
  in: () => picture?.zoom(1.6), out: () => picture?.zoom(1 / 1.6),
  m: () => ofPlace && drawing?.start("box"), l: () => ofPlace && drawing?.start("line"),
  box: () => drawing?.start("box"), line: () => drawing?.start("line"),
};
for (const button of document.querySelectorAll("[data-do]")) button.addEventListener("click", () => acts[button.dataset.do]());

// What stands on the key where that is a letter of ours; where the keyboard writes others, the key at its place.
function letterOf(event) {
  if (/^[a-z]$/i.test(event.key)) return event.key.toLowerCase();
  return /^Key[A-Z]$/.test(event.code) ? event.code.slice(3).toLowerCase() : "";
}

function digitOf(event) {
  const found = /^(?:Digit|Numpad)([0-9])$/.exec(event.code);
  return found ? Number(found[1]) : null;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("input, select, textarea")) return;
  const used = () => { event.preventDefault(); event.stopPropagation(); };
  if (drawing?.key(event)) { used(); return; }
  const menu = menus().find((one) => one.open);
  if (menu && event.key === "Escape") { menu.open = false; menu.querySelector("summary").focus(); used(); return; }
  const chosen = digitOf(event);
  const button = menu && chosen !== null ? menu.querySelectorAll(".reasons button")[chosen] : null;
  if (button) { button.click(); used(); return; }
  const letter = letterOf(event);
  const marks = ofDefect?.querySelector(`details[data-key="${letter}"]`);
  if (marks) { open(marks); used(); } else if (Object.hasOwn(acts, letter)) { acts[letter](); used(); }
}, true);
