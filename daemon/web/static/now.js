// The page of the sheet on the line: it shows the present, or says in large letters that it does not.
const page = document.getElementById("now");
const alarm = document.getElementById("alarm");
const LOST_MS = 2000;
let heardAt = performance.now();

function warn(words) {
  alarm.hidden = !words;
  if (alarm.textContent !== words) alarm.textContent = words;
  page.classList.toggle("stale", Boolean(words));
}

const source = new EventSource(page.dataset.events);
source.addEventListener("line", (event) => {
  const said = JSON.parse(event.data);
  heardAt = performance.now();
  warn(said.old ? page.dataset.old : "");
  if (said.line) document.getElementById("state").textContent = said.line.recipe;
});
setInterval(() => {
  if (performance.now() - heardAt > LOST_MS) warn(page.dataset.lost);
}, 200);
