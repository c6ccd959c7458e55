// Takes the page anew every two seconds, and says so when nobody answers.
const EVERY_MS = 2000;
const live = () => document.getElementById("live");
const lost = document.getElementById("lost");

async function anew() {
  if (!document.hidden) {
    try {
      const answer = await fetch(location.href, { redirect: "manual", cache: "no-store", signal: AbortSignal.timeout(EVERY_MS) });
      if (answer.type === "opaqueredirect" || [401, 403].includes(answer.status)) return location.reload();
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const found = answer.ok && page.getElementById("live");
      lost.hidden = Boolean(found);
      // Whoever works in it with the keyboard keeps the place.
      if (found && !live().contains(document.activeElement) && found.innerHTML !== live().innerHTML) live().replaceWith(found);
    } catch {
      lost.hidden = false;
    }
  }
  setTimeout(anew, EVERY_MS);
}
setTimeout(anew, EVERY_MS);
