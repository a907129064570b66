// The search page: asks the index as one types, tells how many pages were found, and lets the arrows walk along them.
const search = document.getElementById("search");
const words = document.getElementById("words");
const outcome = document.getElementById("outcome");
const list = document.getElementById("found");
const MOST = 10;
const PAUSE = 150; // ms
let index;
let asked = 0;

function entry({ url, meta, excerpt }) {
  const item = document.createElement("li");
  const link = document.createElement("a");
  const text = document.createElement("p");
  link.href = url;
  link.textContent = meta.title;
  text.innerHTML = excerpt; // Pagefind escapes it, and marks the words
  item.append(link, text);
  return item;
}

async function ask() {
  const number = ++asked;
  const text = words.value.trim();
  history.replaceState(null, "", text ? `?q=${encodeURIComponent(text)}` : location.pathname);
  if (!text) {
    list.replaceChildren();
    outcome.textContent = "";
    return;
  }
  try {
    index ??= await import(search.dataset.index);
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
    if (number !== asked) return; // somebody types on
    const found = await index.search(text);
    const pages = await Promise.all(found.results.slice(0, MOST).map((result) => result.data()));
    if (number !== asked) return;
    list.replaceChildren(...pages.map(entry));
    const count = found.results.length;
    outcome.textContent = count ? `${count} ${count === 1 ? search.dataset.one : search.dataset.some}` : search.dataset.none;
  } catch {
    outcome.textContent = search.dataset.broken;
  }
}

function walk(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  const stops = [words, ...list.querySelectorAll("a")];
  const next = stops[stops.indexOf(document.activeElement) + step];
  if (next) {
    event.preventDefault();
    next.focus();
  }
}

search.hidden = false;
search.addEventListener("keydown", walk);
words.form.addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
words.addEventListener("input", ask);
words.value = new URLSearchParams(location.search).get("q") ?? "";
if (words.value) ask();
