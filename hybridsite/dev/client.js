// dev's own script: listens for changes, and makes the page that is open into what it is now, in place.
// What is the visitor's stays: scroll, focus, what is typed into forms, what is unfolded. docs/dev.md says more.
const me = document.querySelector('script[src="/_dev/client.js"][data-state]')
const MARK = "x-hybridsite-dev"
let shown = me?.dataset.state
let under_way = null, again = false, overlay = null, source
let is_error = !!document.querySelector("main[data-hybridsite-error]")

function key(node) {
  return node.nodeType === 1 ? node.nodeName + "#" + (node.id || "") : String(node.nodeType)
}

// The longest row of nodes that are the same in both lists, as pairs of places. What is long and wholly other has none.
function same(olds, news) {
  let first = 0, a = olds.length, b = news.length
  const pairs = []
  while (first < a && first < b && olds[first].isEqualNode(news[first])) pairs.push([first, first++])
  const tail = []
  while (a > first && b > first && olds[a - 1].isEqualNode(news[b - 1])) tail.unshift([--a, --b])
  const rows = a - first, columns = b - first
  if (rows && columns && rows * columns <= 40000) {
    const best = Array.from({length: rows + 1}, () => new Uint16Array(columns + 1))
    const equal = Array.from({length: rows}, (_, i) => Array.from({length: columns}, (_, j) => olds[first + i].isEqualNode(news[first + j])))
    for (let i = rows - 1; i >= 0; i--) for (let j = columns - 1; j >= 0; j--)
      best[i][j] = equal[i][j] ? best[i + 1][j + 1] + 1 : Math.max(best[i + 1][j], best[i][j + 1])
    for (let i = 0, j = 0; i < rows && j < columns;)
      if (equal[i][j]) pairs.push([first + i++, first + j++])
      else if (best[i + 1][j] >= best[i][j + 1]) i++
      else j++
  }
  return [...pairs, ...tail, [olds.length, news.length]]
}

// Makes the children of one node those of another. No node that stays is moved: that would lose focus and scroll.
function children(node, wanted) {
  const olds = [...node.childNodes].filter(child => child !== overlay && child !== me && child.nodeName !== "HYBRIDSITE-NOTE"), news = [...wanted.childNodes]
  let i = 0, j = 0
  for (const [to_old, to_new] of same(olds, news)) {
    const left = olds.slice(i, to_old)
    const before = olds[to_old] || (me?.parentNode === node ? me : null)
    for (const fresh of news.slice(j, to_new)) {
      const place = left.findIndex(old => key(old) === key(fresh))
      if (place < 0) node.insertBefore(document.importNode(fresh, true), left[0] || before)
      else {
        left.splice(0, place).forEach(old => old.remove())
        morph(left.shift(), fresh)
      }
    }
    left.forEach(old => old.remove())
    i = to_old + 1
    j = to_new + 1
  }
}

function morph(node, wanted) {
  if (node.nodeType !== 1) {
    if (node.nodeValue !== wanted.nodeValue) node.nodeValue = wanted.nodeValue
    return
  }
  if (node.matches("link[rel~=stylesheet]")) {
    if (plain(node.href) !== plain(wanted.getAttribute("href"))) swap(node, wanted.getAttribute("href"))
    return
  }
  for (const {name} of [...node.attributes])
    if (!wanted.hasAttribute(name) && !(name === "open" && node.matches("details, dialog"))) node.removeAttribute(name)
  for (const {name, value} of wanted.attributes) if (node.getAttribute(name) !== value) node.setAttribute(name, value)
  if (node.nodeName === "TEMPLATE") node.innerHTML = wanted.innerHTML
  else if (node.nodeName !== "TEXTAREA" || node.value === node.defaultValue) children(node, wanted)
}

// Style sheets are exchanged when the next one is there, so that the page is never without.
function swap(link, href) {
  const next = link.cloneNode()
  next.href = href
  next.onload = next.onerror = () => link.remove()
  link.after(next)
}

function plain(href) {
  const url = new URL(href, location.href)
  url.searchParams.delete("_dev")
  return url.href
}

function scripts(page) {
  return [...page.querySelectorAll("script:not([data-state])")].map(one => (one.getAttribute("src") || "") + one.type + one.text).join("\0")
}

function reload() {
  location.reload()
}

// Shows dev's page for a fault over the one that is open, which stays as it is below.
function cover(page, style) {
  overlay ||= document.createElement("hybridsite-fault")
  const root = overlay.shadowRoot || overlay.attachShadow({mode: "open"})
  const sheet = new CSSStyleSheet()
  sheet.replaceSync(style + ":host { position: fixed; inset: 0; z-index: 2147483647; overflow: auto; display: block }")
  root.adoptedStyleSheets = [sheet]
  root.replaceChildren(document.importNode(page.querySelector("main"), true))
  document.documentElement.append(overlay)
}

async function update(told) {
  const answer = await fetch(location.href, {headers: {accept: "text/html"}, cache: "no-store", credentials: "same-origin"})
  const kind = answer.headers.get("content-type") || ""
  let text = await answer.text(), style = ""
  // A policy of the site's counts for what is parsed here, too, and would tell of a style sheet that nobody uses.
  if (answer.headers.get(MARK) === "error") text = text.replace(/<style>([^]*?)<\/style>/, (_, found) => (style = found, ""))
  if (!kind.startsWith("text/html")) return reload()
  const page = new DOMParser().parseFromString(text, "text/html")
  const tag = page.querySelector("script[data-state]"), state = tag?.dataset.state
  if (answer.headers.get(MARK) === "error") {
    if (is_error) children(document.body, page.body)
    else cover(page, style)
    return state
  }
  if (is_error || answer.redirected || scripts(page) !== scripts(document)) return reload()
  overlay?.remove()
  overlay = null
  tag?.remove()
  morph(document.documentElement, page.documentElement)
  for (const link of document.querySelectorAll("link[rel~=stylesheet]")) {
    const path = new URL(link.href).pathname
    if (told.files?.includes(path)) swap(link, path + "?_dev=" + told.state)
  }
  if (document.querySelector("[data-island]")) {
    const island = document.querySelector('script[type=module][src*="/_islands/client."]')
    if (island) await import(island.src + "?_dev=" + told.state).catch(() => {})
  }
  note(tag)
  document.dispatchEvent(new CustomEvent("hybridsite:update"))
  return state
}

// Says in a corner what is only logged otherwise: a session asked for where there is none.
function note(tag) {
  const own = JSON.parse(tag?.dataset.notes || "[]")
  let box = document.querySelector("hybridsite-note")
  box?.remove()
  if (!own.length) return
  box = document.createElement("hybridsite-note")
  const root = box.attachShadow({mode: "open"}), sheet = new CSSStyleSheet()
  sheet.replaceSync(":host { position: fixed; right: 1rem; bottom: 1rem; max-width: 24rem; z-index: 2147483646; padding: .75rem 1rem; border-radius: 6px; background: #4a211e; color: #fff; font: 14px/1.4 system-ui, sans-serif }")
  root.adoptedStyleSheets = [sheet]
  root.append(...own.map(one => Object.assign(document.createElement("div"), {textContent: one})))
  document.documentElement.append(box)
}

// One update at a time; what changed meanwhile is fetched by one more.
async function changed(told) {
  if (told.state === shown) return
  if (under_way) return void (again = told)
  under_way = update(told)
  try {
    shown = await under_way || told.state
  } catch {
    shown = null // the server is away: the next event says what there is
  }
  under_way = null
  document.documentElement.dispatchEvent(new CustomEvent("hybridsite:shown", {detail: shown}))
  if (again) {
    const next = again
    again = false
    await changed(next)
  }
}

// A tab that nobody looks at doesn't listen: browsers allow six connections to a server.
function listen() {
  if (document.hidden) {
    source?.close()
    source = null
  } else if (!source) {
    source = new EventSource("/_dev/events")
    source.onmessage = event => changed(JSON.parse(event.data))
  }
}

if (me) {
  document.addEventListener("visibilitychange", listen)
  addEventListener("pagehide", () => { source?.close(); source = null })
  addEventListener("pageshow", listen)
  listen()
  note(me)
}
