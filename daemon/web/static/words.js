// The words of the visitor's language that a page's script puts together.
const table = JSON.parse(document.getElementById("words").textContent);

export function words(key, values = {}) {
  return (table[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

export function known(key) {
  return key in table;
}

export function ago(seconds) {
  if (seconds < 60) return words("now.ago_s", { count: seconds });
  if (seconds < 3600) return words("now.ago_min", { count: Math.floor(seconds / 60) });
  if (seconds < 86400) return words("now.ago_h", { count: Math.floor(seconds / 3600) });
  return words("now.ago_d", { count: Math.floor(seconds / 86400) });
}

const clock = new Intl.DateTimeFormat(document.documentElement.lang, { timeStyle: "medium" });

export function time(iso) {
  return iso ? clock.format(new Date(iso)) : "";
}
