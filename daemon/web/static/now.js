// The page of the sheet on the line: it shows the present, or says in large letters that it does not.
import { SheetPicture } from "./sheet_picture.js";
import { ago, known, time, words } from "./words.js";

const LOST_MS = 2000;
const AGAIN_MS = 2000;
const SIGNS = { OK: "✓", NG: "✕", INCONCLUSIVE: "!" };

const at = (id) => document.getElementById(id);
const page = at("now");
const onLine = new SheetPicture(at("sheet-picture"), 480, 1080);
const judged = new SheetPicture(at("verdict-picture"), 260, 240);
let heardAt = performance.now();
let source = null;
let program = null;

function say(id, text) {
  const place = at(id);
  if (place.textContent !== text) place.textContent = text;
}

function made(tag, values = {}, ...children) {
  const one = Object.assign(document.createElement(tag), values);
  one.append(...children);
  return one;
}

// --- what is not the present ---------------------------------------------------------------------------------------

function warn(text) {
  at("alarm").hidden = !text;
  say("alarm", text);
  page.classList.toggle("stale", Boolean(text));
  if (text) verdict({ kind: "unknown", waiting: 0 });
}

// --- the verdict ----------------------------------------------------------------------------------------------------

function verdict(told) {
  const { kind, plate } = told;
  at("verdict").dataset.kind = kind;
  const final = kind in SIGNS;
  say("verdict-of", final ? words("now.verdict_of", { plate }) : plate ? words("now.sheet", { plate }) : "");
  say("word", final ? words(`verdict.${kind}`) : words(`now.${kind === "reading" ? "unknown" : kind}`));
  say("todo", todo(told));
  const reason = { OK: "", unread: told.error ?? "" }[kind] ?? told.reason ?? "";
  say("why", reason);
  const facts = at("facts");
  const parts = final ? factsOf(told) : [];
  if (facts.textContent !== parts.map((one) => one.textContent ?? one).join("")) facts.replaceChildren(...parts);
  say("waiting", final && told.waiting ? words("now.wait_more", { count: told.waiting }) : "");
  const canvas = at("verdict-picture");
  canvas.hidden = !(final && told.columns && told.rows && (told.picture || told.boxes.length));
  if (canvas.hidden) judged.clear();
  else judged.show({ ...told, nominal_rows: told.rows, judged: "", across: 0 });
}

function todo(told) {
  switch (told.kind) {
    case "OK": return words("now.ok_do");
    case "NG": return `${words("now.ng_do")} ${words("now.defects", { count: told.defects })}`;
    case "INCONCLUSIVE": return known(`todo.${told.causes[0]}`) ? words(`todo.${told.causes[0]}`) : words("now.unread_do");
    case "wait": return told.waiting > 1 ? words("now.wait_more", { count: told.waiting }) : words("now.wait_do", told);
    case "unread": return words("now.unread_do");
    case "reading": return words("now.reading");
    case "none": return words("now.none_do");
    default: return "";
  }
}

function factsOf(told) {
  const link = made("a", { href: `/sheet/${told.plate}`, textContent: words("now.sheet", { plate: told.plate }) });
  const part = told.name ? ` · ${told.name}` : "";
  const age = told.age_s === null ? "" : ` · ${words("now.at", { time: time(told.at) })}, ${ago(told.age_s)}`;
  return [link, `${part}${age}`];
}

// --- the sheet on the line ------------------------------------------------------------------------------------------

function sheet(told, underCamera) {
  if (!told) {
    say("sheet-title", words("now.no_sheet"));
    say("sheet-judged", "");
    say("sheet-state", "");
    return;
  }
  const name = words("now.sheet", { plate: told.plate }) + (told.name ? ` · ${told.name}` : "");
  say("sheet-title", `${underCamera ? words("now.on_line") : words("now.no_sheet")}: ${name}`);
  const percent = (part, whole) => (whole ? Math.min(100, Math.floor((100 * part) / whole)) : 0);
  const long = Math.max(told.nominal_rows, told.rows);
  const windows = told.stride ? Math.ceil(long / told.stride) * told.across : 0;
  const state = [
    words("now.taken", { share: told.closed ? 100 : percent(told.rows, long) }),
    words("now.judged", { share: percent(told.windows, windows) }),
    words("now.places", { count: told.regions }),
  ];
  say("sheet-judged", words("now.not_judged"));
  say("sheet-state", state.join(" · "));
  onLine.show(told);
}

// --- the line and the last sheets -----------------------------------------------------------------------------------

let shownHealth = "";

function health(areas) {
  const key = JSON.stringify(areas);
  if (key === shownHealth) return;
  shownHealth = key;
  const rows = areas.map(({ area, state, troubles, optics }) => {
    const said = [
      ...troubles.map(({ trouble, text }) => [words(`trouble.${trouble.replaceAll(" ", "_")}`), text]),
      ...optics.map((fault) => [words(`now.optics_${fault.replaceAll(" ", "_")}`), ""]),
    ];
    const lines = said.map(([sentence, text]) =>
      made("p", {}, sentence, ...(text ? [made("span", { className: "soft", lang: "en", textContent: ` ${text}` })] : [])),
    );
    const row = made("div", {}, made("dt", { textContent: words(`now.${area}`) }), made("dd", {}, words(`now.${state}`), ...lines));
    row.dataset.state = state;
    return row;
  });
  at("health").replaceChildren(...rows);
}

function recent({ error, plates }) {
  at("recent-error").hidden = !error;
  say("recent-error", error ? words("now.unread") : "");
  const focused = document.activeElement?.dataset?.plate;
  const rows = plates.map((row) => {
    const why = row.verdict === "NG" ? words("now.defects", { count: row.defects }) : row.causes[0] ? words(`cause.${row.causes[0]}`) : "";
    const link = made("a", { href: `/sheet/${row.plate}`, textContent: row.plate });
    link.dataset.plate = row.plate;
    const word = row.verdict === "INCONCLUSIVE" ? "?" : row.verdict;
    const chip = made("span", { className: `verdict ${row.verdict}`, title: words(`verdict.${row.verdict}`) },
      made("span", { textContent: SIGNS[row.verdict], ariaHidden: "true" }), made("span", { textContent: row.verdict === "INCONCLUSIVE" ? words("verdict.INCONCLUSIVE") : word }));
    return made("tr", { title: row.reason }, made("td", {}, link), made("td", {}, chip),
      made("td", { textContent: [row.name, why].filter(Boolean).join(" · ") }), made("td", { textContent: time(row.at) }));
  });
  if (!rows.length) rows.push(made("tr", {}, made("td", { colSpan: 4, textContent: words("now.no_plates") })));
  at("recent").replaceChildren(...rows);
  if (focused) at("recent").querySelector(`[data-plate="${CSS.escape(focused)}"]`)?.focus();
}

// --- the stream -----------------------------------------------------------------------------------------------------

function line(said) {
  program ??= said.program;
  if (said.program !== program) return location.reload();
  if (said.old || !said.line) {
    warn(words("now.old"));
  } else {
    const told = said.line;
    at("simulated").hidden = !told.simulated;
    say("recipe", told.recipe);
    verdict(told.verdict);
    sheet(told.on_line, told.under_camera);
    health(told.health);
    const { OK: ok, NG: ng, INCONCLUSIVE: inconclusive } = told.counts;
    say("counts", words("now.counts", { seen: told.seen, ok, ng, inconclusive }));
    warn("");
  }
  // Last: a page that cannot show what it hears must not look alive.
  heardAt = performance.now();
}

async function connect() {
  source?.close();
  source = new EventSource(page.dataset.events);
  source.addEventListener("line", (event) => line(JSON.parse(event.data)));
  source.addEventListener("recent", (event) => recent(JSON.parse(event.data)));
  const own = source;
  source.onerror = () => {
    // The browser tries again by itself, unless the answer was no stream: then perhaps nobody is logged in any more.
    if (own.readyState !== EventSource.CLOSED || own !== source) return;
    setTimeout(refused, AGAIN_MS);
  };
}

async function refused() {
  try {
    const answer = await fetch(location.href, { redirect: "manual", cache: "no-store" });
    if (answer.type === "opaqueredirect" || [401, 403].includes(answer.status)) return location.reload();
  } catch {
    // There is nobody: the next try says it again.
  }
  return document.hidden ? undefined : connect();
}

// A page that nobody sees keeps no connection open: a browser has six for all its tabs.
document.addEventListener("visibilitychange", () => {
  warn(words("now.hidden"));
  if (document.hidden) source?.close();
  else {
    heardAt = performance.now();
    connect();
  }
});
setInterval(() => {
  if (!document.hidden && performance.now() - heardAt > LOST_MS) warn(words("now.lost"));
}, 200);
connect();
